"""The page of a visitor's own tickets: /queue. All that is on it comes from the browser.

A ticket goes to its rig only. Rigs behind the relay answer at the tracker's own origin, so one page
asks them all; one with an address of its own is asked by a page for that rig alone, whose policy
names it and nobody else, as its console's does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from luckrig.protocol.wire import NodeView
from luckrig.web.headers import CONTENT_SECURITY_POLICY
from luckrig.web.pages import Site, taste_path
from luckrig.web.ways import Way, policy_to, way_to

_SCRIPT_WORDS: Final = "queue.script."


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """/queue?rig=… . rig: that the page is for; None for all that the tracker relays to."""

    template: ClassVar[str] = "queue.html"

    site: Site
    rig: NodeView | None = None

    @property
    def way(self) -> Way | None:
        """How scripts ask the page's rig, or why they can't; None without one."""
        return None if self.rig is None else way_to(self.rig, self.site.origin)

    @property
    def policy(self) -> str:
        """The page's Content-Security-Policy."""
        return policy_to(self.rig, self.site.origin) if self.rig else CONTENT_SECURITY_POLICY

    @property
    def rig_address(self) -> str:
        """Where the page's rig answers; empty without one."""
        return "" if self.rig is None else self.rig.base_url.removesuffix("/v1")

    @property
    def console_path(self) -> str:
        """Where the page's rig is asked something; the map without one."""
        return self.site.link("/" if self.rig is None else taste_path(self.rig.id))

    @property
    def script_words(self) -> Mapping[str, str]:
        """What scripts say, by name, with {named} placeholders for them to fill."""
        return self.site.words.below(_SCRIPT_WORDS)
