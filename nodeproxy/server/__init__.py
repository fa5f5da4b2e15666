"""HTTP/1.1 for strangers: what one is allowed to cost before a token was checked.

connection.py is one socket, head.py what stands before a body, limits.py how much there may be of
everything, server.py the listening socket. Not ASGI: ASGI has no deadlines for a client that sends
or reads slowly, and costs twice the CPU of a short stream (bench/README.md).
"""

from luckrig.nodeproxy.server.counts import ConnectionCounts
from luckrig.nodeproxy.server.limits import ServerLimits
from luckrig.nodeproxy.server.server import is_loopback, serving

__all__ = ["ConnectionCounts", "ServerLimits", "is_loopback", "serving"]
