"""Stand-ins for engines: real sockets, real dialects, and faults on demand.

`ollama` and `openai_compatible` answer like those engines and run by hand as well:

    python -m tests.fake_engines.ollama --port 11434 --tps 20 --fault reset

`scripted` plays single bytes. Shapes are those of the engines' own sources and documentation;
llama-server needs no stand-in, the tests start the real one.
"""
