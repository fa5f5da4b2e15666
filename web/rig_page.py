"""The page of one rig, /nodes/{id}, and of one note about a rig, /notes/{id}."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from luckrig.protocol.evidence import Finding, ReachView
from luckrig.protocol.schedule import OpenWindow
from luckrig.protocol.wire import NodeView, NoteVersion, NoteView, TimingView
from luckrig.web.line_diff import Line, diff_lines
from luckrig.web.note_text import Piece, split_note
from luckrig.web.pages import Site, node_path, note_path
from luckrig.web.snippets import Snippets, make_snippets
from luckrig.web.taste_page import console_path
from luckrig.web.timing_chart import TimingChart, draw_timings
from luckrig.web.uptime_strip import UptimeStrip, draw_uptime

NOTES_SHOWN: Final = 10
"""Notes on one page of them; each has up to 4,000 characters."""
VERSIONS_SHOWN: Final = 20
"""Versions of a note on one page of its history."""

_NOTE_REFERENCE: Final = re.compile(r"note:([A-Za-z0-9_-]{16,64})@([1-9][0-9]{0,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesPart:
    """One page of the notes about a rig. total: of all. number: this page's, from 1 on."""

    notes: Sequence[NoteView] = ()
    total: int = 0
    number: int = 1

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.total // NOTES_SHOWN))


@dataclass(frozen=True, slots=True, kw_only=True)
class RigPage:
    """/nodes/{id} : one rig. signed_at: the descriptor's created_at, Unix seconds.

    reach: how its endpoint is. audit: its claims and what the tracker knows of them. timings: what
    users shared of it. prompt_buckets: where the buckets of timings begin, but for the first, at 0.
    live_hours: in how many hours of a day it answered, by day since 1970.
    """

    template: ClassVar[str] = "node.html"

    site: Site
    node: NodeView
    signed_at: int
    reach: ReachView | None = None
    audit: Sequence[Finding] = ()
    timings: Sequence[TimingView] = ()
    prompt_buckets: Sequence[int] = ()
    live_hours: Mapping[int, int] = field(default_factory=dict[int, int])
    notes: NotesPart = field(default_factory=NotesPart)

    @property
    def taste_path(self) -> str | None:
        """Where a visitor can ask it something now; None while that is no use."""
        return console_path(self.node, self.site)

    @property
    def snippets(self) -> Snippets:
        """How to use it from elsewhere."""
        return make_snippets(self.node, tracker=self.site.address)

    @property
    def uptime(self) -> UptimeStrip:
        """Its last 90 days."""
        return draw_uptime(self.live_hours, listed_at=self.node.listed_at, now=self.site.now)

    @property
    def timing_chart(self) -> TimingChart:
        """What users measured."""
        offered = [offer.model for offer in self.node.offers]
        return draw_timings(self.timings, offered=offered, buckets=self.prompt_buckets)

    @property
    def owner_note(self) -> list[Piece]:
        """The owner's own note."""
        return split_note(self.node.note)

    @property
    def windows(self) -> Sequence[OpenWindow]:
        """Its opening hours, on its own clock."""
        return self.node.policy.schedule.windows if self.node.policy.schedule else ()

    @property
    def write_note(self) -> str:
        """The command for a note about this rig."""
        return _luckrig(self.site, "notes", "write", self.node.id, "note.txt")

    def notes_path(self, number: int) -> str:
        """The page with other notes."""
        query = {"notes": str(number)} if number > 1 else {}
        return f"{self.site.link(node_path(self.node.id), **query)}#notes"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionShown:
    """A version and what it changed; changes is None for the first one."""

    version: NoteVersion
    changes: Sequence[Line] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotePage:
    """/notes/{id} : one note. note: all its versions, the newest first. node: what it is about.

    before: show versions below that one only.
    """

    template: ClassVar[str] = "note.html"

    site: Site
    node: NodeView
    note: NoteView
    before: int | None = None

    @property
    def pieces(self) -> list[Piece]:
        """The newest version's text."""
        return split_note(self.note.versions[0].text)

    @property
    def versions(self) -> list[VersionShown]:
        """Those of this page."""
        versions = self.note.versions
        pairs = zip(versions, [*versions[1:], None], strict=True)
        wanted = [pair for pair in pairs if self.before is None or pair[0].version < self.before]
        return [
            VersionShown(
                version=version,
                changes=None if earlier is None else diff_lines(earlier.text, version.text),
            )
            for version, earlier in wanted[:VERSIONS_SHOWN]
        ]

    @property
    def older_path(self) -> str | None:
        """The page with the versions before these, if there are more."""
        shown = self.versions
        if not shown or shown[-1].version.version == self.note.versions[-1].version:
            return None
        before = str(shown[-1].version.version)
        return self.site.link(note_path(self.note.note_id), before=before)

    @property
    def reproduced(self) -> str:
        """The command for whoever got what the note says."""
        return _luckrig(self.site, "notes", "reproduced", self.note.note_id)

    @property
    def improve(self) -> str:
        """The command for its author's next version."""
        node_id, note_id = self.note.node_id, self.note.note_id
        return _luckrig(self.site, "notes", "write", node_id, "note.txt", "--note", note_id)


def note_reference(reference: str) -> tuple[str, str] | None:
    """(note id, version) of a reference to a note; None for an address elsewhere."""
    found = _NOTE_REFERENCE.fullmatch(reference)
    return (found[1], found[2]) if found else None


def _luckrig(site: Site, *words: str) -> str:
    return shlex.join(("luckrig", *words, "--tracker", site.address))
