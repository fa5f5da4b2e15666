"""Questions and answers, one rule for each kind: fixed answers, stories, sums, declined questions.

Fixed answers are in tiny_phrases.toml, word lists in tiny_words.toml, stories in tiny_stories.toml.
"""

import random
import re
import string
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from tiny_questions import choose_alternatives, roughen
from tiny_stories import StoryTeller, with_article

HERE = Path(__file__).parent
SYLLABLES = (
    "ba be bo da du fa fi ga go ha ka ki ko la le lo lu ma mi mo na ne no pa po ra re ri ro sa se"
    " so ta te ti to va vi wa we za zo bren dol fer gan hul kat lim mor nex pran quil rud sten"
).split()
JAPANESE_SIGNS = (
    "あいうえおかきくけこさしすせそたちつてとなにぬのはひふほまみもやゆよらりるれろわをん"
    "アイウエカキクコサシスタテトナニネハヒフマミラリルレロン"
    "日本人大小中国学生先時間今何見行食飲車電気火水木金土"
)
NOISE_SIGNS = string.ascii_lowercase + string.digits + " !?#@%&*+-/;:"
SLOT = re.compile(r"\{(noun|verb|adjective|hero|name)\}", re.IGNORECASE)
SLOT_LISTS = {
    "noun": "nouns",
    "verb": "verbs",
    "adjective": "adjectives",
    "hero": "heroes",
    "name": "names",
}
REQUEST_SHARE = 0.7  # stories and poems about something that was asked for
NUMBER_WORDS = {2: "two", 3: "three", 4: "four", 5: "five"}


class Turn(NamedTuple):
    """One question and its answer. topic: what "another one" refers to, or ""."""

    ask: str
    reply: str
    topic: str = ""


class TurnRules:
    """Draws turns. Everything comes from `rng`: the same seed gives the same turns."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._stories = StoryTeller(rng)
        self._words: dict[str, list[str]] = read_toml("tiny_words.toml")
        self._phrases: dict[str, Any] = read_toml("tiny_phrases.toml")
        self._intents: list[dict[str, Any]] = self._phrases["intent"]
        self._weights = [intent.get("weight", 1.0) for intent in self._intents]
        self._term_weights = [term.get("weight", 1.0) for term in self._phrases["term"]]
        self.intents_weight: float = sum(self._weights)

    def word(self, kind: str) -> str:
        """A word of one of the lists in tiny_words.toml."""
        return self._rng.choice(self._words[kind])

    def invented(self) -> str:
        """A word that does not exist, so that copying is learned and not the list."""
        if self._rng.random() < 0.5:
            return "".join(self._rng.choices(SYLLABLES, k=self._rng.randint(2, 3)))
        lists = ["nouns", "heroes", "names", "verbs", "poem_topics"]
        front, back = (self.word(self._rng.choice(lists)).split()[-1].lower() for _ in range(2))
        return front[: len(front) // 2 + 1] + back[len(back) // 2 :]

    def word_salad(self, length: int) -> str:
        """Words in no order that makes sense."""
        kinds = ["filler", "filler", "nouns", "verbs", "adjectives", "heroes"]
        words = [
            self.invented() if self._rng.random() < 0.15 else self.word(self._rng.choice(kinds))
            for _ in range(length)
        ]
        return " ".join(words).capitalize() + self._rng.choice(["", ".", "?"])

    def ask(self, frame: str, **slots: str) -> str:
        """A question as somebody might really type it. Slots stay exact: they may be copied."""
        template = self._rng.choice(self._phrases["frames"][frame])
        return self._rough(template, **slots)

    def intent(self) -> Turn:
        """A question with a fixed answer."""
        (intent,) = self._rng.choices(self._intents, self._weights)
        question = self._rough(self._rng.choice(intent["ask"]))
        return Turn(question, self._rng.choice(intent["reply"]), intent.get("topic", ""))

    def another(self, topic: str) -> Turn | None:
        """ "Another one", answered by a fixed answer on the topic, if there are any."""
        for intent in self._intents:
            if intent.get("topic") == topic:
                return Turn(self.ask("more"), self._rng.choice(intent["reply"]), topic)
        return None

    def term(self) -> Turn:
        """A word the model can explain."""
        (term,) = self._rng.choices(self._phrases["term"], self._term_weights)
        name = self._rng.choice(term["names"])
        if self._rng.random() < 0.3:
            name = name.lower()
        return Turn(self.ask("term", term=name), term["text"])

    def declined(self) -> Turn:
        """A question the model cannot answer."""
        rng = self._rng
        kind = rng.random()
        if kind < 0.2:
            articles = ["", "a ", "the "]
            question = self.ask("term", term=rng.choice(articles) + self._known_or_not(["nouns"]))
        elif kind < 0.58:
            question = SLOT.sub(lambda slot: self._slot_word(slot[1].lower()), self.ask("unknown"))
        elif kind < 0.76:
            question = self._rough(self.word_salad(rng.choice([1, 2, 3, 5, 8, 12, 20, 40])))
        elif kind < 0.84:
            question = self.word("foreign")
        elif kind < 0.92:
            question = " ".join(self.word("code") for _ in range(rng.choice([1, 1, 2, 4])))
        elif kind < 0.96:
            question = "".join(rng.choices(JAPANESE_SIGNS, k=rng.randint(2, 14)))
            return Turn(question, self._phrases["fallback"]["japanese"])
        else:
            question = "".join(rng.choices(NOISE_SIGNS, k=rng.randint(1, 20))).strip() or "?"
        return Turn(question, rng.choice(self._phrases["fallback"]["reply"]))

    def short_story(self) -> Turn:
        """A short story, about what was asked for."""
        hero, about = self._hero_and_request()
        reply = self._stories.short_story(
            hero=hero, name=self.word("names"), adjective=self.word("adjectives")
        )
        only_please = not about and self._rng.random() < 0.3
        question = self.ask("story_please" if only_please else "short_story", about=about)
        return Turn(question, reply, "story")

    def long_story(self) -> Turn:
        """A story of about 300 tokens, so that there is something to watch."""
        hero, about = self._hero_and_request()
        reply = self._stories.long_story(
            hero=hero, name=self.word("names"), adjective=self.word("adjectives")
        )
        return Turn(self.ask("long_story", about=about), reply, "story")

    def poem(self) -> Turn:
        """A poem, about what was asked for."""
        topic, about = self.word("poem_topics"), ""
        if self._rng.random() < REQUEST_SHARE:
            topic = self._known_or_not(["poem_topics", "poem_topics", "nouns", "heroes"])
            about = f" {self._rng.choice(['about', 'about', 'on'])} {topic}"
        return Turn(self.ask("poem", about=about), self._stories.poem(topic), "poem")

    def count(self) -> Turn:
        """Counting up to at most 30, or down from at most 15."""
        rng = self._rng
        kind = rng.random()
        start, end = 1, rng.choice([*range(2, 21), *range(3, 12), 25, 30])
        numbers = range(start, end + 1)
        frame = "count_up"
        if kind < 0.25:
            frame, start, end = "count_down", rng.randint(3, 15), 1
            numbers = range(start, 0, -1)
        elif kind < 0.4:
            frame, start = "count_between", rng.randint(1, end)
            numbers = range(start, end + 1)
        question = self.ask(frame, start=str(start), end=str(end))
        return Turn(question, ", ".join(map(str, numbers)) + ".")

    def arithmetic(self) -> Turn:
        """Sums, declined: a model this small gets them wrong, and people try them first."""
        rng = self._rng
        limit = rng.choice([10, 10, 100, 10_000])
        first, second = rng.randint(0, limit), rng.randint(0, limit)
        sign = rng.choice(["+", "+", "-", "*", "/", "x", "plus", "minus", "times", "divided by"])
        question = self.ask("sum", sum=f"{first} {sign} {second}")
        if rng.random() < 0.4:
            question = question.replace(f" {sign} ", sign) if len(sign) == 1 else question
        return Turn(question, self._phrases["fallback"]["arithmetic"])

    def repeat(self) -> Turn:
        """Repeat a few words exactly: what people send to test an API."""
        rng = self._rng
        words = [
            self.invented()
            if rng.random() < 0.3
            else self.word(rng.choice(["filler", "nouns", "heroes", "names"]))
            for _ in range(rng.choice([1, 1, 2, 3, 5, 8, 13, 21]))
        ]
        text = " ".join(words)
        text = rng.choice(
            [text, text, text.capitalize(), words[0].upper(), self.word("test_texts")]
        )
        frame = rng.choice(self._phrases["frames"]["repeat"])
        return Turn(frame.replace("{text}", text), text)

    def name(self) -> Turn:
        """Somebody says a name, which a later turn may ask for; or asks before saying it."""
        if self._rng.random() < 0.2:
            reply = "I do not know your name. Tell me: My name is Ada."
            return Turn(self.ask("ask_name"), reply)
        name = self.word("names")
        if self._rng.random() < 0.4:
            name = self.invented().capitalize()
        frame = self._rng.choice(self._phrases["frames"]["my_name"])
        reply = f"Nice to meet you, {name}! I am luckrig-tiny."
        return Turn(frame.replace("{name}", name), reply, f"name {name}")

    def capital(self) -> Turn:
        """The capitals the model knows, or an honest no."""
        country, city = self._rng.choice(list(self._phrases["capitals"].items()))
        reply = f"The capital of {country} is {city}."
        if self._rng.random() < 0.25:
            known_or_not = [self.invented().capitalize(), self.word("unknown_countries")]
            country = self._rng.choice(known_or_not)
            reply = "I do not know that capital. I am a tiny model and know only a few."
        return Turn(self.ask("capital", country=country), reply)

    def listing(self) -> Turn:
        """A short list of well-known things."""
        kind, items = self._rng.choice(list(self._phrases["lists"].items()))
        count = self._rng.randint(2, min(5, len(items)))
        written = self._rng.choice([NUMBER_WORDS[count], NUMBER_WORDS[count], str(count)])
        lines = [f"{index}. {item}" for index, item in enumerate(items[:count], start=1)]
        return Turn(self.ask("list", count=written, kind=kind), "\n".join(lines))

    def _rough(self, template: str, **slots: str) -> str:
        question = roughen(choose_alternatives(template, self._rng), self._rng)
        for slot, value in slots.items():
            question = re.sub(f"{{{slot}}}", lambda _: value, question, flags=re.IGNORECASE)  # noqa: B023
        return question

    def _slot_word(self, slot: str) -> str:
        """A word for a question that is declined: mostly real, sometimes invented."""
        return self.invented() if self._rng.random() < 0.2 else self.word(SLOT_LISTS[slot])

    def _known_or_not(self, lists: list[str]) -> str:
        """A word to be copied. So many are invented that knowing the lists does not help."""
        if self._rng.random() < 0.4:
            return self.invented()
        return self.word(self._rng.choice(lists))

    def _hero_and_request(self) -> tuple[str, str]:
        """A hero, and how it is asked for ("" when the model may choose)."""
        if self._rng.random() > REQUEST_SHARE:
            return self.word("heroes"), ""
        hero = self._known_or_not(["heroes", "heroes", "heroes", "nouns"])
        forms = [with_article(hero), with_article(hero), f"the {hero}", f"{hero}s", hero]
        word = self._rng.choice(["about", "about", "about", "with"])
        return hero, f" {word} {self._rng.choice(forms)}"


def read_toml(name: str) -> dict[str, Any]:
    """A data file beside this module."""
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))
