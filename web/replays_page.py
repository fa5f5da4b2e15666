"""The page that plays replays: /replays. Everything but its words is done by scripts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from luckrig.web.pages import Site

SPEEDS: Final = ("0.5", "1", "2", "4")
"""Times the recorded one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaysPage:
    """/replays : the same for everybody. What is played never leaves the browser."""

    template: ClassVar[str] = "replays.html"
    speeds: ClassVar[tuple[str, ...]] = SPEEDS

    site: Site

    @property
    def script_words(self) -> Mapping[str, str]:
        """What scripts say, by name, with {named} placeholders for them to fill."""
        return self.site.words.below("replays.script.")
