"""Which words of a note are tags."""

import pytest

from luckrig.protocol.tags import MAX_TAG_CHARS, MAX_TAGS, tag_key, tags_of


@pytest.mark.parametrize(
    ("note", "tags"),
    [
        ("", []),
        ("#quiet and #water-cooled.", ["quiet", "water-cooled"]),
        ("夜は#静か、(#P40) ＃日本", ["P40", "日本"]),
        ("静かです #静か、#夜間", ["静か", "夜間"]),
        ("#Quiet #quiet #ＱＵＩＥＴ", ["Quiet"]),
        ("C#8 page/#top ##twice &#amp; # alone", []),
        ("rig #1 and #3090 and #24h and #1-2", ["24h"]),
        ("#" + "a" * MAX_TAG_CHARS, ["a" * MAX_TAG_CHARS]),
        ("#" + "a" * (MAX_TAG_CHARS + 1), []),
        ("\n".join(f"#t{n}" for n in range(20)), [f"t{n}" for n in range(MAX_TAGS)]),
    ],
)
def test_tags_of_a_note(note: str, tags: list[str]) -> None:
    assert tags_of(note) == tags


def test_a_tag_may_be_asked_for_in_any_spelling() -> None:
    assert {tag_key(tag) for tag in ("Quiet", "#quiet", " ＃ＱＵＩＥＴ")} == {"quiet"}
