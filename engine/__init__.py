"""The embedded engine: the real llama.cpp server (xllamacpp wheel) on a tiny GGUF.

`process` starts it as a child process and never leaves an orphan, `server` is that child's main,
`model_file` writes the GGUF. Used by `luckrig demo` and by tests that want a real engine. Proxying,
queueing and engine detection are not here: see luckrig.nodeproxy.
"""
