"""The page where a visitor asks one rig something, in the browser: /taste/{id}."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import urlsplit

from luckrig.protocol.address import forwarded_port
from luckrig.protocol.descriptor import Offer
from luckrig.protocol.wire import NodeView
from luckrig.web.headers import CONTENT_SECURITY_POLICY
from luckrig.web.pages import Site, taste_path
from luckrig.web.snippets import Snippets, make_snippets
from luckrig.web.ways import OPEN, Way, policy_to, way_to

_SCRIPT_WORDS: Final = "taste.script."


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A port of the visitor's machine that leads to the tracker. address: this page, there."""

    command: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TastePage:
    """/taste/{id} : one rig, to be asked. Everything but the snippets is done by scripts."""

    template: ClassVar[str] = "taste.html"

    site: Site
    node: NodeView

    @property
    def way(self) -> Way:
        """How the page's scripts ask the rig, or why they can't."""
        return way_to(self.node, self.site.origin)

    @property
    def has_console(self) -> bool:
        """Whether there is anything to ask, and a way."""
        return self.way in OPEN and bool(self.offers)

    @property
    def policy(self) -> str:
        """The page's Content-Security-Policy."""
        if self.has_console:
            return policy_to(self.node, self.site.origin)
        return CONTENT_SECURITY_POLICY

    @property
    def is_open_to_read(self) -> bool:
        """Whether a plain request can be read by every network on its way."""
        return self.node.base_url.lower().startswith("http:")

    @property
    def rig_address(self) -> str:
        """Where the rig answers."""
        return self.node.base_url.removesuffix("/v1")

    @property
    def offers(self) -> Sequence[Offer]:
        """The models that can chat; an engine that says nothing of its model most likely chats."""
        return [
            each
            for each in self.node.offers
            if not each.capabilities or "chat" in each.capabilities
        ]

    @property
    def root_id(self) -> str:
        """The tracker's, r1…: what proof of work is for."""
        return self.site.address.partition("#")[2]

    @property
    def snippets(self) -> Snippets:
        """The same without this page."""
        return make_snippets(self.node, tracker=self.site.address)

    @property
    def chat_command(self) -> str:
        """A conversation with this rig in a terminal, sealed."""
        where = shlex.quote(self.site.address)
        return f"luckrig chat {shlex.quote(self.node.id)} --subtext --tracker {where}"

    @property
    def connect_command(self) -> str:
        """OpenAI's API on the visitor's own machine, sealed."""
        return f"luckrig connect --subtext --tracker {shlex.quote(self.site.address)}"

    @property
    def forward(self) -> Forward | None:
        """How to see this page as one of the visitor's own machine; None where that is no help."""
        port = forwarded_port(self.site.origin)
        if port is None or self.way != "relay":
            return None
        url = urlsplit(self.site.origin)
        host = url.netloc.removesuffix(f":{url.port}")
        to = shlex.quote(f"{port}:{host}:{url.port or 80}")
        page = self.site.link(taste_path(self.node.id))
        return Forward(
            command=f"ssh -L {to} {shlex.quote(url.hostname or host)}",
            address=f"http://localhost:{port}{page}",
        )

    @property
    def script_words(self) -> Mapping[str, str]:
        """What scripts say, by name, with {named} placeholders for them to fill."""
        return self.site.words.below(_SCRIPT_WORDS)


def console_path(node: NodeView, site: Site) -> str | None:
    """Where a visitor can ask it something now; None while that is no use."""
    answers = node.status in ("available", "busy")
    return taste_path(node.id) if answers and way_to(node, site.origin) in OPEN else None
