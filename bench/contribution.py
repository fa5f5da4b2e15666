"""`python -m bench.contribution`: what a ring of accounts gains, as a table and as a picture.

The table belongs in docs/CONTRIBUTION.md, whose numbers a test recomputes; the picture goes to
docs/pictures/contribution.svg. The population is the one of the tests.
"""

from math import log10
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from luckrig.tracker.domain.dealings import GIFT_CAPS, PAIR_CAPS
from luckrig.tracker.domain.score import CONTRIBUTOR_AT, points, scores
from tests.tracker.population import (
    BEYOND,
    NOW,
    SCHEMES,
    Honest,
    Scheme,
    honest,
    ring_and_lone,
    user,
)

PICTURE: Final = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "contribution.svg"
SIZES: Final = (1, 2, 3, 5, 10, 20, 40, 70, 100)
OWN_POINTS: Final = 28.0
"""What an account can do alone in 40 days: 2 for being there, 20 for scarcity, 6 for helping."""

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 64, 24, 40, 52
LOWEST, HIGHEST = 1.0, 10_000.0


def main() -> None:
    """Print both tables, write the picture."""
    society = honest()
    console = Console()
    console.print(_rings(society))
    console.print(_people(society))
    PICTURE.write_text(_picture(society), "utf-8")
    console.print(f"wrote {PICTURE.name}")


def _rings(society: Honest) -> Table:
    table = Table("a ring", "together", "one account by itself", "times")
    for name, scheme in {**SCHEMES, **BEYOND}.items():
        _, total, lone = ring_and_lone(scheme, society)
        times = f"{total / lone:.2f}" if lone else "-"
        table.add_row(name, points(total), points(lone), times)
    return table


def _people(society: Honest) -> Table:
    everybody = scores(society.entries, now=NOW)
    kinds = {
        "owners": society.owners,
        "known, no rig": [n for n in society.anchors if n not in society.owners],
        "not known, no rig": [
            n for n in society.users if n not in society.owners and n not in society.anchors
        ],
    }
    table = Table("honest people", "how many", "median", "highest", "contributors")
    for kind, names in kinds.items():
        totals = sorted(everybody[user(name)].total for name in names)
        contributors = sum(total >= CONTRIBUTOR_AT for total in totals)
        middle = totals[len(totals) // 2]
        table.add_row(kind, str(len(names)), points(middle), points(totals[-1]), str(contributors))
    return table


def _picture(society: Honest) -> str:
    """Ring size against points, both axes logarithmic."""
    gained: list[tuple[int, float]] = []
    lone = 0
    for size in SIZES:
        scheme = Scheme(size=size, customers=3, spread=min(3, size))
        _, total, lone = ring_and_lone(scheme, society)
        gained.append((size, total / 1000))
    bound = [(size, lone * 1.2 / 1000) for size in (SIZES[0], SIZES[-1])]
    naive = [(size, size * _with_full_voices(size)) for size in SIZES]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        "<title>What a ring of accounts gains together, by its size</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _words(LEFT, 22, "Points of the whole ring; 3 people from outside use its rigs", "#222"),
        *_axes(),
        _line(naive, "#999", "2 5"),
        _line(bound, "#c0392b", "7 5"),
        _line(gained, "#1f6f54", ""),
        _words(_x(1.2), _y(naive[4][1]) - 26, "if every account's voice counted in full", "#666"),
        _words(
            _x(6), _y(bound[0][1]) - 10, "1.2 times what one account gains by itself", "#c0392b"
        ),
        _words(_x(6), _y(gained[4][1]) + 22, "what the ring gains", "#1f6f54"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _with_full_voices(size: int) -> float:
    """Points of one of `size` accounts that give each other all that a pair can give."""
    pair, most = sum(PAIR_CAPS.values()), sum(GIFT_CAPS.values())
    return OWN_POINTS + min(most, pair * (size - 1)) / 1000


def _axes() -> list[str]:
    marks: list[str] = []
    for size in (1, 2, 5, 10, 20, 50, 100):
        marks.append(_words(_x(size) - 6, HEIGHT - BOTTOM + 20, str(size), "#444"))
    for value in (1, 10, 100, 1000, 10_000):
        marks.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(value):.1f}" y2="{_y(value):.1f}" '
            'stroke="#ddd"/>'
        )
        marks.append(_words(8, _y(value) + 4, f"{value:,}".replace(",", " "), "#444"))
    marks.append(_words(WIDTH / 2 - 70, HEIGHT - 12, "accounts in the ring", "#444"))
    return marks


def _x(size: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * log10(size) / log10(SIZES[-1])


def _y(value: float) -> float:
    share = log10(value / LOWEST) / log10(HIGHEST / LOWEST)
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _line(spots: list[tuple[int, float]], colour: str, dashes: str) -> str:
    path = " ".join(f"{_x(size):.1f},{_y(value):.1f}" for size, value in spots)
    style = f'fill="none" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dashes}"'
    return f'<polyline points="{path}" {style}/>'


def _words(x: float, y: float, text: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{text}</text>'


if __name__ == "__main__":
    main()
