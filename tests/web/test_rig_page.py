"""A rig's page and a note's: all that is known of a rig, in each language, and no more."""

from dataclasses import replace

import msgspec
import pytest

from luckrig.web.assets import static_files
from luckrig.web.render import make_renderer
from luckrig.web.rig_page import VERSIONS_SHOWN, NotesPart, note_reference
from tests.web.documents import read
from tests.web.report_samples import site_in
from tests.web.rig_samples import TEXTS, full_page, note_page, sample_pages
from tests.web.rigs import rig_page, twelve_rigs

RENDERER = make_renderer(static_files())


@pytest.mark.parametrize("language", ["en", "ja"])
def test_pages_are_whole_in_each_language(language: str) -> None:
    for _, page in sample_pages(site_in(language)):
        html = RENDERER.render(page)
        assert f'<html lang="{language}">' in html
        assert read(html).problems == []
        for link in read(html).all("a"):
            if link.get("href").startswith(("/nodes/", "/notes/", "/report?kind", "/compare")):
                assert f"lang={language}" in link.get("href")


def test_a_rig_shows_its_past_with_numbers() -> None:
    document = read(RENDERER.render(full_page()))
    text = " ".join(document.all("main")[0].text.split())
    assert "It answered in 778 of 963 hours (80%). On this map since 2026-10-11." in text
    (strip,) = [each for each in document.all("svg") if "778 of 963" in each.get("aria-label")]
    assert strip.get("role") == "img"
    titles = [each.text for each in document.all("title")]
    assert "2026-11-13: answered in 0 of 24 hours" in titles
    assert "2026-11-12: answered in 0 of 24 hours" in titles
    assert "Before it was listed" in titles
    assert len(document.of_class("up")) == 38 + 1  # days with an answer, and the key
    assert len(document.of_class("out")) == 3 + 1
    assert "at least once" in text


def test_a_rig_shows_what_was_measured_and_by_how_many() -> None:
    page = full_page()
    document = read(RENDERER.render(page))
    text = " ".join(document.all("main")[0].text.split())
    for fact in ("11 users · 44 streams", "1 user · 4 streams", "0–255", "16,384–65,535", "182 ms"):
        assert fact in text
    assert "What users measured stands further down" in text
    assert "tinyllama:1.1b not offered now" in text
    assert len(document.of_class("lone")) == 2 * 2 + 1
    assert f"/api/v1/timings?node={page.node.id}" in [a.get("href") for a in document.all("a")]
    bare = read(RENDERER.render(rig_page(twelve_rigs()[7]))).all("main")[0].text
    assert "No user has shared a measurement yet" in bare
    assert "luckrig chat --share-timing" in bare
    assert "not measured yet" in bare


def test_notes_show_who_reproduced_them_and_their_commands() -> None:
    page = full_page()
    document = read(RENDERER.render(page))
    first, second = document.of_class("user-note")
    assert "3 people reproduced it" in first.text
    assert "nobody has reproduced it yet" in second.text
    assert "https://example.org/nvlink" in second.text
    commands = [each.text for each in document.all("code") if each.get("id").startswith("command-")]
    assert commands == [
        "llama-server -m q4.gguf -fa on -b 4096 \\\n  --cache-type-k q8_0 --cache-type-v q8_0",
        "nvidia-smi -pl 280\nnvidia-smi -q -d POWER",
    ]
    links = [each.get("href") for each in document.all("a")]
    for note in page.notes.notes:
        assert f"/notes/{note.note_id}" in links
        assert f"/report?kind=note&id={note.note_id}" in links
    assert f"/nodes/{page.node.id}?notes=2#notes" in links
    assert f"luckrig notes write {page.node.id} note.txt --tracker" in document.all("main")[0].text


def test_pages_of_notes_lead_on_and_back() -> None:
    page = replace(full_page(), notes=NotesPart(notes=(), total=25, number=3))
    assert page.notes.pages == 3
    links = [each.get("href") for each in read(RENDERER.render(page)).all("a")]
    assert f"/nodes/{page.node.id}?notes=2#notes" in links
    assert not [link for link in links if "notes=4" in link]


def test_a_note_has_its_history() -> None:
    page = note_page()
    document = read(RENDERER.render(page))
    (first, second) = document.of_class("diff")
    assert document.of_class("added")[0].text.endswith("--cache-type-v q8_0")
    assert "added: " in first.text
    assert "removed: llama-server -m q4.gguf -fa on -b 2048" in second.text
    assert [each.text for each in document.of_class("full-note")][-3:] == list(TEXTS[::-1])
    shown = document.all("main")[0].text
    assert f"luckrig notes reproduced {page.note.note_id} --tracker" in shown
    assert f"note.txt --note {page.note.note_id}" in shown


def test_a_long_history_has_pages() -> None:
    page = note_page(full_page().site, *(f"text {number}" for number in range(45)))
    seen: list[int] = []
    before: int | None = None
    while True:
        part = replace(page, before=before)
        seen += [each.version.version for each in part.versions]
        if part.older_path is None:
            break
        assert len(part.versions) == VERSIONS_SHOWN
        before = int(part.older_path.rpartition("=")[2])
        assert 'class="next"' in RENDERER.render(part)
    assert seen == list(range(45, 0, -1))
    assert replace(page, before=1).versions == []
    RENDERER.render(replace(page, before=1))


def test_a_rigs_page_leads_to_its_neighbours() -> None:
    page = full_page()
    links = [each.get("href") for each in read(RENDERER.render(page)).all("a")]
    for link in (
        f"/?like={page.node.id}",
        f"/compare?rigs={page.node.id}",
        f"/taste/{page.node.id}",
    ):
        assert link in links


def test_references_to_notes_are_told_from_addresses() -> None:
    assert note_reference(f"note:{'a' * 16}@12") == ("a" * 16, "12")
    for other in ("https://a.example/@x", "note:../../x@1", f"note:{'a' * 16}@0", ""):
        assert note_reference(other) is None


def test_a_page_with_many_long_notes_stays_bounded() -> None:
    """Ten notes of 4,000 characters, each as costly as it gets, are some 200 kB before gzip."""
    page = full_page()
    worst = "$ a\n<\n" * 666
    notes = [
        msgspec.structs.replace(
            each,
            note_id=f"note-{number:016}",
            versions=[msgspec.structs.replace(each.versions[0], text=worst)],
        )
        for number in range(10)
        for each in page.notes.notes[:1]
    ]
    html = RENDERER.render(replace(page, notes=NotesPart(notes=notes, total=10)))
    assert len(html.encode()) < 250_000
