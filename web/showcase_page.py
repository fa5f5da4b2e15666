"""Rigs that are worth a look, each with the number that put it there and why: /showcase."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from luckrig.protocol.wire import NodeView
from luckrig.web.foreign import clean
from luckrig.web.formats import format_number, format_time, format_tokens
from luckrig.web.pages import Site, list_path
from luckrig.web.taste_page import console_path

_BDI = Markup("<bdi>{}</bdi>")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRig:
    """A rig in a category. number: in that category's unit, as in the API."""

    node: NodeView
    number: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCategory:
    """key: as in the API; its words are `showcase.category.<key>` in the languages."""

    key: str
    rigs: Sequence[ShownRig]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowcasePage:
    """/showcase . categories: those with anybody in them, in order."""

    template: ClassVar[str] = "showcase.html"

    site: Site
    categories: Sequence[ShownCategory]

    @property
    def api_path(self) -> str:
        """The rigs that are shown, as JSON; empty where there are none."""
        shown = (rig.node.id for category in self.categories for rig in category.rigs)
        return list_path(list(dict.fromkeys(shown)))

    def figure(self, category: ShownCategory, rig: ShownRig) -> Markup:
        """The number with its unit."""
        return self._say(category, "figure", rig)

    def why(self, category: ShownCategory, rig: ShownRig) -> Markup:
        """A sentence: why this rig is here."""
        return self._say(category, "why", rig)

    def taste_path(self, node: NodeView) -> str | None:
        """Where a visitor can ask it something now; None while that is no use."""
        path = console_path(node, self.site)
        return None if path is None else self.site.link(path)

    def _say(self, category: ShownCategory, what: str, rig: ShownRig) -> Markup:
        words = self.site.words
        cpu = rig.node.hardware.cpu
        return words(
            f"showcase.category.{category.key}.{what}",
            n=int(rig.number),
            number=_written(category.key, rig.number),
            model=_BDI.format(clean(_model(category.key, rig))),
            cpu=words("showcase.some_cpu") if cpu is None else _BDI.format(clean(cpu)),
        )


def _model(key: str, rig: ShownRig) -> str:
    """The model that a sentence names: the one with that context, else the owner's first."""
    offers = rig.node.offers
    if key == "largest-context":
        return max(offers, key=lambda offer: offer.context_length or 0).model
    return offers[0].model


def _written(key: str, number: float) -> str:
    match key:
        case "first-of-its-kind":
            return format_time(int(number)).partition(" ")[0]
        case "largest-context":
            return format_tokens(int(number))
        case "oldest-gpu":
            return str(int(number))
        case _:
            return f"{number:,.1f}".removesuffix(".0") if number % 1 else format_number(int(number))
