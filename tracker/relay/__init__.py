"""Rigs behind tunnels: who is connected, and the relay that moves bytes to them and back.

endpoint.py lets rigs in, hub.py knows who is there, tunnel.py is one connection, stream.py one
request on it, route.py the address that clients use. Nothing here parses, keeps or logs a body.
"""
