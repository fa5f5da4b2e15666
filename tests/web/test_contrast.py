"""The palette's contrast, computed as WCAG 2.2 does, for the light and the dark theme."""

import re
from pathlib import Path

import pytest

from luckrig.web import assets

CSS = (Path(assets.__file__).parent / "static" / "app.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    for block in re.findall(r":root \{(.*?)\n *\}", CSS, re.DOTALL)
)
THEMES = {"light": LIGHT, "dark": DARK}
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "STYLE-GUIDE.md"


def luminance(colour: str) -> float:
    def linear(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(colour[at : at + 2]) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(two)))
    return (lighter + 0.05) / (darker + 0.05)


def test_both_themes_have_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert round(contrast("#000000", "#ffffff"), 9) == 21


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["paper", "sheet"])
@pytest.mark.parametrize("text", ["ink", "faint", "pencil", "good", "wait"])
def test_text_is_readable(theme: str, ground: str, text: str) -> None:
    assert contrast(THEMES[theme][text], THEMES[theme][ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_text_on_the_accent_and_on_the_ruled_paper_is_readable(theme: str) -> None:
    colours = THEMES[theme]
    assert contrast(colours["on-pencil"], colours["pencil"]) >= 4.5
    assert contrast(colours["paper"], colours["ink"]) >= 4.5
    assert contrast(colours["faint"], colours["rule"]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_fields_can_be_told_from_their_ground(theme: str) -> None:
    for ground in ("paper", "sheet"):
        assert contrast(THEMES[theme]["field"], THEMES[theme][ground]) >= 3


def test_the_style_guide_says_the_contrasts_that_are() -> None:
    rows = re.findall(r"^\| `--(\w+)` \|.*?\| (`#.*) \|$", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert [token for token, _ in rows] == ["ink", "faint", "pencil", "good", "wait", "field"]
    for token, said in rows:
        told: list[str] = []
        for theme in (LIGHT, DARK):
            grounds = [f"{contrast(theme[token], theme[each]):.1f}" for each in ("paper", "sheet")]
            told += [f"`{theme[token]}`", *grounds]
        assert said == " | ".join(told), token
