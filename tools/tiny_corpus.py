"""Rule-made dialogues for the tiny model: whole conversations, put together from single turns.

What the questions and answers are is in tiny_turns.py and its data files. This module decides how
often each kind comes, adds system texts and lets later turns refer to earlier ones. Everything is
drawn from the `random.Random` passed in: the same seed gives the same corpus.
"""

import random
from typing import NamedTuple

from tiny_turns import Turn, TurnRules

# How often a kind of turn is drawn, beside the fixed answers with their own weights (about 75).
RULE_WEIGHTS = {
    "term": 16.0,
    "declined": 28.0,
    "short_story": 7.0,
    "long_story": 3.5,
    "poem": 7.0,
    "count": 6.0,
    "arithmetic": 4.0,
    "repeat": 8.0,
    "name": 3.0,
    "capital": 2.0,
    "listing": 2.0,
}
SYSTEM_SHARE = 0.3  # conversations that begin with a system text
FOLLOW_UP_SHARE = 0.25  # later turns that refer to an earlier one
STORY_IS_OVER = "That story is over, but I know others. Just say: Tell me a story."


class Conversation(NamedTuple):
    """system: "" when there is none."""

    system: str
    turns: list[Turn]


class Corpus:
    """Draws conversations."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._rules = TurnRules(rng)
        self._kinds = ["intent", *RULE_WEIGHTS]
        self._weights = [self._rules.intents_weight, *RULE_WEIGHTS.values()]

    def conversation(self, turn_count: int) -> Conversation:
        """A conversation of turn_count turns."""
        turns: list[Turn] = []
        for _ in range(turn_count):
            turns.append(self._follow_up(turns) or self.turn())
        return Conversation(self._system_text(), turns)

    def turn(self) -> Turn:
        """Any turn that needs no earlier one."""
        (kind,) = self._rng.choices(self._kinds, self._weights)
        turn: Turn = getattr(self._rules, kind)()
        return turn

    def _system_text(self) -> str:
        if self._rng.random() > SYSTEM_SHARE:
            return ""
        if self._rng.random() < 0.3:
            return self._rules.word_salad(self._rng.randint(3, 40))
        return self._rules.word("system_prompts")

    def _follow_up(self, turns: list[Turn]) -> Turn | None:
        """Sometimes a turn that refers to an earlier one."""
        if not turns or self._rng.random() > FOLLOW_UP_SHARE:
            return None
        names = [turn.topic.removeprefix("name ") for turn in turns if turn.topic[:5] == "name "]
        if names and self._rng.random() < 0.4:
            return Turn(self._rules.ask("ask_name"), f"Your name is {names[-1]}.")
        topic = turns[-1].topic
        if topic == "story" and self._rng.random() < 0.3:
            return Turn(self._rules.ask("go_on"), STORY_IS_OVER, "story")
        if topic == "story":
            return self._rules.short_story()._replace(ask=self._rules.ask("more"))
        if topic == "poem":
            return self._rules.poem()._replace(ask=self._rules.ask("more"))
        return self._rules.another(topic)
