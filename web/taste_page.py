"""The page where a visitor asks one rig something, in the browser: /taste/{id}."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from luckrig.protocol.descriptor import Offer
from luckrig.protocol.wire import NodeView
from luckrig.web.pages import Site, is_relayed
from luckrig.web.snippets import Snippets, make_snippets

_SCRIPT_WORDS: Final = "taste.script."


@dataclass(frozen=True, slots=True, kw_only=True)
class TastePage:
    """/taste/{id} : one rig, to be asked. Everything but the snippets is done by scripts."""

    template: ClassVar[str] = "taste.html"

    site: Site
    node: NodeView

    @property
    def is_relayed(self) -> bool:
        """Whether the page's scripts can reach the rig."""
        return is_relayed(self.node, self.site)

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
    def script_words(self) -> Mapping[str, str]:
        """What scripts say, by name, with {named} placeholders for them to fill."""
        return {
            key.removeprefix(_SCRIPT_WORDS): forms["other"]
            for key, forms in self.site.words.texts.items()
            if key.startswith(_SCRIPT_WORDS)
        }
