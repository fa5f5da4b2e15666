"""Stand-ins for engines: real sockets, real dialects, and faults on demand.

One for each dialect that the node proxy speaks, all with the same knobs, and runnable by hand:

    python -m tests.fake_engines ollama --tps 20 --fault reset@5
    python -m tests.fake_engines --help

`scripted` plays single bytes, `moderation` stands in for a moderation service. Shapes are those of
the engines' own sources and documentation; where the real llama-server can do it, the tests start
that one.
"""
