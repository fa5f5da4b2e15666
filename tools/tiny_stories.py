"""Stories and poems for the tiny model: put together by rule from the parts in tiny_stories.toml.

Every story keeps one hero, one name and one wish from the first line to the last. The long story
numbers its days, which tells a small model where it is and when to stop.
"""

import random
import tomllib
from pathlib import Path
from typing import Any


def with_article(noun: str) -> str:
    """A fox, an owl, a unicorn."""
    return f"an {noun}" if noun[0].lower() in "aeio" else f"a {noun}"


class StoryTeller:
    """Draws stories and poems."""

    def __init__(self, rng: random.Random) -> None:
        text = Path(__file__).with_name("tiny_stories.toml").read_text(encoding="utf-8")
        self._rng = rng
        self._parts: dict[str, Any] = tomllib.loads(text)

    def short_story(self, *, hero: str, name: str, adjective: str) -> str:
        """Five to seven sentences, about 100 tokens."""
        parts = self._parts["short"]
        order = ("openings", "longings", "meetings", "helps", "endings")
        text = " ".join(self._rng.choice(parts[part]) for part in order)
        return self._fill(text, hero=hero, name=name, adjective=adjective)

    def long_story(self, *, hero: str, name: str, adjective: str) -> str:
        """Six or seven paragraphs, about 300 tokens."""
        short, long = self._parts["short"], self._parts["long"]
        opening = " ".join(
            self._rng.choice(part)
            for part in (short["openings"], short["longings"], long["starts"])
        )
        day_count = self._rng.choice([4, 5, 5, 5])
        days = [
            f"On the {day} day {self._rng.choice(choices)}"
            for day, choices in zip(long["days"][:day_count], long["adventures"], strict=False)
        ]
        text = "\n\n".join([opening, *days, self._rng.choice(long["endings"])])
        return self._fill(text, hero=hero, name=name, adjective=adjective)

    def poem(self, topic: str) -> str:
        """A heading, and four rhymed lines or eight."""
        verses = self._rng.sample(self._parts["poems"]["verses"], self._rng.choice([1, 1, 1, 2]))
        text = "\n\n".join(["Here is a poem about {topic}:", *verses])
        return text.format(topic=topic)

    def _fill(self, text: str, *, hero: str, name: str, adjective: str) -> str:
        return text.format(
            hero=hero,
            a_hero=with_article(hero),
            name=name,
            adjective=adjective,
            place=self._rng.choice(self._parts["places"]),
            helper=self._rng.choice(self._parts["helpers"]),
            **self._rng.choice(self._parts["wishes"]),
        )
