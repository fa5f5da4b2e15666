"""How each kind of engine speaks: requests to it, replies from it, what it says of itself.

A dialect is pure: it turns typed requests into bytes and bytes into chunks, and its survey asks
questions that somebody else sends. Only detect.py does I/O.
"""
