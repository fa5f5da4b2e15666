"""How this tracker's pages can ask a rig: through its relay, straight, or not at all.

A page's policy names whom its scripts may ask. A stranger wrote a rig's address, so only what a
browser can mean by nothing but one origin goes into a policy, and only after the tracker has seen
the rig prove that it answers there.
"""

from typing import Final, Literal, TypeAlias

from luckrig.protocol.address import browser_origin, is_loopback_origin, is_origin
from luckrig.protocol.wire import NodeView
from luckrig.web.headers import CONTENT_SECURITY_POLICY, content_security_policy

Way: TypeAlias = Literal["relay", "direct", "unproven", "mixed", "numbered", "elsewhere"]
"""relay: at the tracker's own origin. direct: at the rig's. The others are why pages can't ask it:
unproven: the tracker hasn't met the rig at its address. mixed: it has no https, and the page has.
numbered: its address is an IPv6 number, for which policies have no spelling. elsewhere: no origin.
"""

OPEN: Final[tuple[Way, ...]] = ("relay", "direct")
"""The ways on which a page can ask."""

_PATH: Final = "/v1"


def way_to(node: NodeView, tracker: str) -> Way:
    """tracker: the origin of the pages, as people write it."""
    if node.base_url.startswith(f"{tracker}/n/"):
        return "relay"
    origin = node.base_url.removesuffix(_PATH)
    if not is_origin(origin):
        return "elsewhere"
    if node.last_seen_at is None or node.status == "unknown":
        return "unproven"
    if "[" in origin:
        return "numbered"
    if tracker.startswith("https:") and origin.lower().startswith("http:"):
        # A browser trusts its own machine over http, too.
        return "direct" if is_loopback_origin(origin) else "mixed"
    return "direct"


def policy_to(node: NodeView, tracker: str) -> str:
    """The Content-Security-Policy of a page for one rig: its own origin, and that of a rig that has
    one. tracker: as way_to has it."""
    if way_to(node, tracker) != "direct":
        return CONTENT_SECURITY_POLICY
    return content_security_policy(connect_to=rig_origin(node))


def rig_origin(node: NodeView) -> str:
    """The origin of a rig that is reached directly, as browsers write it.

    Raises ValueError for a rig that isn't.
    """
    return browser_origin(node.base_url.removesuffix(_PATH))
