"""The Atom feed of rigs that are new on the map (RFC 4287)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from luckrig.protocol.wire import NodeView
from luckrig.web.pages import Site

MEDIA_TYPE: Final = "application/atom+xml; charset=utf-8"
MAX_ENTRIES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """/feed.atom. nodes: the newest first, MAX_ENTRIES at most."""

    template: ClassVar[str] = "feed.xml"

    site: Site
    nodes: Sequence[NodeView]

    @property
    def feed_id(self) -> str:
        """Stays when the tracker moves: the id of its root key."""
        return f"urn:luckrig:tracker:{self.site.address.partition('#')[2]}"

    @property
    def updated(self) -> int:
        """Unix seconds of the newest entry, not of the asking: an unchanged feed has its ETag."""
        return max((node.listed_at for node in self.nodes), default=0)
