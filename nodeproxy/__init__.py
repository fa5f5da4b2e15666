"""The guard in front of one engine: checks tokens, parses strictly, filters, queues, streams.

    server → app (ASGI) → pipeline (steps in order) → upstream (HTTP to the engine) → back out

Folders: steps/ (one per stage), filters/ (rules, pure), engines/ (dialects, pure, and probes),
upstream/ (the streaming HTTP client). What a token allows is in tokens.py, turns in queue.py.
"""
