"""Writes docs/DATA.md from tracker/domain/stored_data.py: python tools/make_data_table.py."""

from pathlib import Path

from luckrig.tracker.domain.stored_data import TABLES
from luckrig.tracker.domain.stored_table import Table

PAGE = Path(__file__).parents[1] / "docs" / "DATA.md"

HEAD = """# What a tracker stores

Made from `tracker/domain/stored_data.py` by `python tools/make_data_table.py`; a test compares that
file with the database, and this page with that file. No table holds a prompt or a reply, and none
holds a network address in clear, except where an operator bans a network.

`luckrig account export` shows what is stored of you; `luckrig account delete` deletes it. A legal
hold on a case beats every deletion and every period named here.

| table | what | why | how long | when its person deletes their account |
|-------|------|-----|----------|---------------------------------------|
"""


def data_table() -> str:
    """docs/DATA.md, whole."""
    rows = "".join(
        f"| [`{table.name}`](#{table.name}) | {table.what} | {table.why} | {table.kept}"
        f" | {table.erased} |\n"
        for table in TABLES.values()
    )
    return HEAD + rows + "".join(map(_columns, TABLES.values()))


def _columns(table: Table) -> str:
    lines = "".join(f"| `{column.name}` | {column.what} |\n" for column in table.columns)
    return f"\n## {table.name}\n\n| column | what |\n|--------|------|\n{lines}"


if __name__ == "__main__":
    PAGE.write_text(data_table(), encoding="utf-8")
    print(f"wrote {PAGE}")
