"""Our own streaming HTTP/1.1 client for one origin: the engine behind a node proxy.

Small on purpose. It follows no redirects, reads no proxy environment, decompresses nothing and
never half-closes: closing an answer is how a generation is cancelled. A general-purpose client
costs 15 to 30 times the CPU on this path.
"""

from luckrig.nodeproxy.upstream.pool import Answer, Upstream
from luckrig.nodeproxy.upstream.response import UpstreamResponse

__all__ = ["Answer", "Upstream", "UpstreamResponse"]
