"""The visible part of sealed messages: everyday sentences, whose choice says nothing.

A request has one sentence, chosen at random. A reply's events have one word each, chosen by their
number alone, so that what can be seen of two replies of one length is the same.
"""

from typing import Final

SENTENCES: Final = (
    "Thanks, that worked well for me.",
    "Could you have another look at this when you have time?",
    "The trains were late again this morning, but the coffee was good.",
    "I watered the plants and left the keys on the table.",
    "ありがとうございます、明日また連絡します。",
    "今日は天気がよかったので、少し散歩しました。",
    "Danke, ich melde mich morgen noch einmal.",
    "Merci, on se voit samedi comme prévu.",
    "Gracias, lo reviso esta tarde y te digo.",
    "谢谢,我明天再看一下。",
)
"""None ends with a character that a selector would change the look of."""

_WORDS: Final = tuple(
    f"{word} " for sentence in SENTENCES[:4] for word in sentence.rstrip(".?").split()
)


def sentence(choice: int) -> str:
    """A request's sentence. choice: any number, best a random one."""
    return SENTENCES[choice % len(SENTENCES)]


def word(number: int) -> str:
    """What the event of that number of a reply shows."""
    return _WORDS[number % len(_WORDS)]
