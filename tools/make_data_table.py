"""Writes docs/DATA.md from tracker/domain/stored_data.py and web/words/en.toml.

python tools/make_data_table.py
"""

from pathlib import Path

from luckrig.tracker.domain.stored_data import TABLES
from luckrig.tracker.domain.stored_table import Table
from luckrig.web.languages import english

PAGE = Path(__file__).parents[1] / "docs" / "DATA.md"

ABOUT = ("what", "why", "kept", "erased")

HEAD = """# What a tracker stores

Made from `tracker/domain/stored_data.py` and `[stored]` of `web/words/en.toml` by
`python tools/make_data_table.py`; a test compares the former with the database, and this page with
both. No table holds a prompt or a reply, and none
holds a network address in clear, except where an operator bans a network.

`luckrig account export` shows what is stored of you; `luckrig account delete` deletes it. A legal
hold on a case beats every deletion and every period named here.

| table | what | why | how long | when its person deletes their account |
|-------|------|-----|----------|---------------------------------------|
"""


def data_table() -> str:
    """docs/DATA.md, whole."""
    rows = "".join(f"| [`{name}`](#{name}) | {' | '.join(_said_of(name))} |\n" for name in TABLES)
    return HEAD + rows + "".join(map(_columns, TABLES.values()))


def _said_of(name: str) -> list[str]:
    """Plain, as they stand in the file."""
    texts = english().texts
    return [texts[f"stored.{name}.{about}"]["other"] for about in ABOUT]


def _columns(table: Table) -> str:
    lines = "".join(f"| `{column.name}` | {column.what} |\n" for column in table.columns)
    return f"\n## {table.name}\n\n| column | what |\n|--------|------|\n{lines}"


if __name__ == "__main__":
    PAGE.write_text(data_table(), encoding="utf-8")
    print(f"wrote {PAGE}")
