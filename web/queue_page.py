"""The page of a visitor's own tickets: /queue. All that is on it comes from the browser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from luckrig.web.pages import Site

_SCRIPT_WORDS: Final = "queue.script."


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """/queue ."""

    template: ClassVar[str] = "queue.html"

    site: Site

    @property
    def script_words(self) -> Mapping[str, str]:
        """What scripts say, by name, with {named} placeholders for them to fill."""
        return self.site.words.below(_SCRIPT_WORDS)
