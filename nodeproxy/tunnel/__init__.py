"""The rig's end of the tunnel: one connection out to the tracker, requests in through it.

client.py connects, proves and comes back; session.py is one connection, stream.py one request on
it, which the same application answers as those of the rig's own port. No port is needed.
"""
