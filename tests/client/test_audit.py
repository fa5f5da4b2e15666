"""The audit log's check: one changed byte, a dropped, swapped or cut line is found where it is."""

import json
from collections.abc import AsyncIterator, Callable
from itertools import count

import httpx2
import msgspec
import pytest

from luckrig.client.audit import AuditVerifier, verify_audit
from luckrig.client.tracker import TrackerClient
from luckrig.protocol.descriptor_log import EMPTY_LOG, LogHead, LogTip
from luckrig.protocol.desk import AuditLine
from luckrig.protocol.errors import PeerError
from tests.client.fake_audit import OPERATOR, FakeAudit
from tests.client.fake_tracker import NOW, FakeTracker

LINES = 5


@pytest.fixture
async def asked() -> AsyncIterator[tuple[TrackerClient, FakeAudit]]:
    """A client of a tracker with an audit log of five lines, two on a page."""
    app = FakeTracker(origin="http://tracker.example")
    app.audit.page_lines = 2
    app.audit.grow(LINES)
    numbers = count()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as http:
        client = TrackerClient(
            app.address, http, clock=lambda: NOW, new_jti=lambda: f"proof-{next(numbers):016}"
        )
        yield client, app.audit


Asked = tuple[TrackerClient, FakeAudit]


async def where(asked: Asked, *, known: LogTip = EMPTY_LOG) -> str | None:
    """Which line the check names."""
    with pytest.raises(PeerError) as caught:
        await verify_audit(asked[0], operator_key=OPERATOR, known=known)
    assert caught.value.code == "signature_invalid"
    return caught.value.param


async def test_a_whole_log_is_whole(asked: Asked) -> None:
    found = await verify_audit(asked[0], operator_key=OPERATOR, keep=2)
    assert found.head.tip == asked[1].shown_tip
    assert [line.position for line in found.lines] == [3, 4]
    assert json.loads(bytes(found.lines[-1].entry))["subject"] == "decision-00000004"


async def test_an_empty_log_is_whole() -> None:
    verifier = AuditVerifier()
    head = LogHead(iss="r1" + "a" * 32, size=0, hash=EMPTY_LOG.hash, iat=1)
    assert verifier.feed([], head)


@pytest.mark.timeout(90)  # two seconds of a processor, which a busy machine may not have soon
async def test_one_changed_byte_is_found_at_its_line(asked: Asked) -> None:
    """All bytes of one line, some of each other: with many a line is no JSON, nor is its page."""
    audit = asked[1]
    for position, entry in enumerate(list(audit.entries)):
        for index in range(0, len(entry), 1 if position == 2 else 9):
            changed = bytearray(entry)
            changed[index] ^= 1 + index % 127
            audit.entries[position] = bytes(changed)
            assert await where(asked) == f"entries[{position}]", bytes(changed)
        audit.entries[position] = entry


async def test_one_changed_character_of_a_hash_is_found_at_its_line(asked: Asked) -> None:
    audit = asked[1]
    for position, digest in enumerate(list(audit.hashes)):
        for index, letter in list(enumerate(digest))[position::5]:
            other = "A" if letter != "A" else "B"
            audit.hashes[position] = digest[:index] + other + digest[index + 1 :]
            assert await where(asked) == f"entries[{position}]"
        audit.hashes[position] = digest


def _drop(audit: FakeAudit) -> None:
    del audit.entries[2], audit.hashes[2]


def _swap(audit: FakeAudit) -> None:
    audit.entries[2], audit.entries[3] = audit.entries[3], audit.entries[2]
    audit.hashes[2], audit.hashes[3] = audit.hashes[3], audit.hashes[2]


def _insert(audit: FakeAudit) -> None:
    audit.entries.insert(2, audit.entries[0])
    audit.hashes.insert(2, audit.hashes[0])


def _cut(audit: FakeAudit) -> None:
    del audit.entries[2:], audit.hashes[2:]


def _cut_and_sign(audit: FakeAudit) -> None:
    _cut(audit)
    audit.shown_tip = LogTip(2, audit.hashes[-1])


@pytest.mark.parametrize("rewrite", [_drop, _swap, _insert, _cut])
async def test_another_order_is_found_at_its_line(
    asked: Asked, rewrite: Callable[[FakeAudit], None]
) -> None:
    rewrite(asked[1])
    assert await where(asked) == "entries[2]"


async def test_lines_beyond_the_head_are_found(asked: Asked) -> None:
    asked[1].shown_tip = LogTip(3, asked[1].hashes[2])
    assert await where(asked) == "entries[3]"


async def test_what_was_seen_before_must_be_there_still(asked: Asked) -> None:
    """Cut or rewritten with the tracker's own key: only who looked before can tell."""
    audit, known = asked[1], asked[1].shown_tip
    _cut_and_sign(audit)
    assert await where(asked, known=known) == "entries[2]"
    audit.entries.clear()
    audit.seal()
    audit.grow(LINES + 2, salt="another history")
    assert await where(asked, known=known) is None
    await verify_audit(asked[0], operator_key=OPERATOR)


async def test_a_head_with_another_hash_is_found(asked: Asked) -> None:
    asked[1].shown_tip = LogTip(LINES, "A" * 43)
    assert await where(asked) == f"entries[{LINES - 1}]"


async def test_two_heads_of_one_size_are_two_histories() -> None:
    verifier = AuditVerifier()
    audit = FakeAudit()
    audit.grow(1)
    head = LogHead(iss="r1" + "a" * 32, size=2, hash="A" * 43, iat=1)
    page = json.loads(audit.page({}, 1))["lines"][0]
    line = AuditLine(position=0, entry=_raw(audit), hash=page["hash"])
    assert not verifier.feed([line], head)
    with pytest.raises(PeerError, match="two different ones"):
        verifier.feed([], LogHead(iss=head.iss, size=2, hash="B" * 43, iat=1))


def _raw(audit: FakeAudit) -> msgspec.Raw:
    return msgspec.Raw(audit.entries[0])
