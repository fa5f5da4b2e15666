"""Characters that stand for letters: look-alikes, leet, Morse. Data only.

Small tables of our own: the look-alikes that people use, not Unicode's whole list, which would also
merge words that are different.
"""

from typing import Final


def _pairs(letters: str, meanings: str) -> dict[int, str]:
    return dict(zip(map(ord, letters), meanings, strict=True))


def _alphabet(first: int) -> dict[int, str]:
    """26 code points in a row, the letters a to z."""
    return {first + step: chr(ord("a") + step) for step in range(26)}


CONFUSABLES: Final[dict[int, str]] = {
    # Cyrillic and Greek letters that look like Latin ones, lower case: folding comes first.
    **_pairs("авекмнорстухіјѕԁԛԝһӏүҽёїгпиԍցбчь", "abekmhopctyxijsdqwhlyeeirnugg6yb"),
    **_pairs("αβγδεζηθικλμνξορστυφχωϲϳ", "abydeznoiklmvxopqtufxwcj"),
    # Latin letters that compatibility normalisation leaves alone.
    **_pairs(
        "øłđħıŧæœɑɡɩɪʟɴʀʏɢʙʜᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱɓɗɛɨʋɾɐǝɔɟɥɯɹʇʌʍʎ",
        "oldhitaoagiilnrygbhacdejkmoptuvwzfsbdeivraecfhmrtvwy",
    ),
    **_alphabet(0x1F1E6),  # regional indicators, the halves of flags
    **_alphabet(0x1F150),  # white on black circles
    **_alphabet(0x1F170),  # white on black squares
}

LEET: Final[dict[int, str]] = _pairs("431057896@$!|+€£¥¢", "aeiostbgg" + "asiitelyc")
"""Digits and signs that stand for one letter. 1, ! and | stand for i or l: see LEET_L."""

LEET_L: Final[dict[int, str]] = LEET | _pairs("1!|", "lll")

SIGN_LETTERS: Final[dict[str, str]] = {
    "/\\/\\": "m", "|\\/|": "m", "\\/\\/": "w", "|\\|": "n", "/\\/": "n", "|-|": "h", "|_|": "u",
    "\\/": "v", "/\\": "a", "|<": "k", "|{": "k", "|)": "d", "|]": "d", "[)": "d", "()": "o",
    "[]": "o", "<>": "o", "|_": "l", "|3": "b", "|>": "p", "|*": "p", "|2": "r", "[-": "e",
    "|=": "f", "><": "x", "}{": "x", "(": "c", "<": "c", "{": "c", "[": "c", "_/": "j",
    "`/": "y", "§": "s", "#": "h", "^": "a", "&": "e", "%": "x",
}  # fmt: skip
"""Letters drawn with several signs, and signs that only mean letters in such company."""

MORSE: Final[dict[str, str]] = {
    ".-": "a", "-...": "b", "-.-.": "c", "-..": "d", ".": "e", "..-.": "f", "--.": "g", "....": "h",
    "..": "i", ".---": "j", "-.-": "k", ".-..": "l", "--": "m", "-.": "n", "---": "o", ".--.": "p",
    "--.-": "q", ".-.": "r", "...": "s", "-": "t", "..-": "u", "...-": "v", ".--": "w",
    "-..-": "x", "-.--": "y", "--..": "z", ".----": "1", "..---": "2", "...--": "3", "....-": "4",
    ".....": "5", "-....": "6", "--...": "7", "---..": "8", "----.": "9", "-----": "0",
}  # fmt: skip

ROT13: Final[dict[int, str]] = {
    ord("a") + step: chr(ord("a") + (step + 13) % 26) for step in range(26)
}

KATAKANA: Final[dict[int, str]] = {code: chr(code + 0x60) for code in range(0x3041, 0x3097)}
"""Hiragana to katakana: the same word, written to be missed."""
