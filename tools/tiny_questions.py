"""How people type: choosing among phrasings, and roughening case, punctuation and spelling."""

import random
import re

ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
BEGINNINGS = [
    "Please ",
    "please ",
    "Hey, ",
    "OK, ",
    "So, ",
    "Now ",
    "Well, ",
    "Hello! ",
    "Hi, ",
    "hello, ",
]
ENDINGS = ["!", "?", ".", " please", "??", " :)", "...", "!!", "\n", " "]


CONTRACTIONS = {
    "What is": "What's",
    "You are": "You're",
    "you are": "you're",
    "I am": "I'm",
    "That is": "That's",
    "Who is": "Who's",
    "cannot": "can't",
    "do not": "don't",
    " are you": " r u",
}


def choose_alternatives(template: str, rng: random.Random) -> str:
    """Replace every [a|b|c] by one of its parts."""
    return ALTERNATIVES.sub(lambda match: rng.choice(match[1].split("|")), template)


def roughen(question: str, rng: random.Random) -> str:
    """Change case, punctuation, politeness or length, and sometimes add a typing error."""
    for long_form, short_form in CONTRACTIONS.items():
        if rng.random() < 0.15:
            question = question.replace(long_form, short_form)
    if rng.random() < 0.08:
        question = rng.choice(BEGINNINGS) + question[:1].lower() + question[1:]
    if rng.random() < 0.25:
        question = question.rstrip("?.!")
    elif rng.random() < 0.15:
        question += rng.choice(ENDINGS)
    case = rng.random()
    if case < 0.30:
        question = question.lower()
    elif case < 0.35:
        question = question.upper()
    plain = question.split("{")[0]  # a slot such as {term} must survive
    if rng.random() < 0.12 and len(plain) > 5:
        question = mistype(plain, rng) + question[len(plain) :]
    return question


def mistype(text: str, rng: random.Random) -> str:
    """Drop, double or swap one letter."""
    index = rng.randrange(1, len(text) - 1)
    before, letter, after = text[:index], text[index], text[index + 1 :]
    return rng.choice(
        [before + after, before + letter + letter + after, before + after[:1] + letter + after[1:]]
    )
