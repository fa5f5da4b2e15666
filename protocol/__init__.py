"""What every part of luckrig must agree on, and nothing else.

Pure functions over bytes and typed values: no I/O, no clock, no randomness of its own; `now` and
random bytes are arguments. The formats are written down, with test vectors, in docs/PROTOCOL.md.
"""
