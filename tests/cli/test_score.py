"""`luckrig score`: shown, explained, and computed anew from the ledger."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest

from luckrig.cli.home import Home
from luckrig.protocol.descriptor_log import LEDGER_HEAD_TYPE, LogTip, make_head
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.wire import LedgerLine, LedgerPage, ScoreReply, ScoreTerm
from luckrig.tracker.domain.ledger import Entry, canonical, chain
from luckrig.tracker.domain.score import CONTRIBUTOR_AT, score
from tests.cli.conftest import Luckrig
from tests.client.fake_tracker import FakeTracker, Reply
from tests.tracker.population import NOW, anchored, listed, up, used, user

ME = "olga"
LEDGER: list[Entry] = [
    anchored("bob"),
    listed(ME),
    *(up(ME, day) for day in range(40)),
    *(used("bob", ME, day, tokens=4000) for day in range(0, 40, 5)),
]


@dataclass
class Scored:
    """A tracker that keeps this ledger, and shows what a test makes of it."""

    tracker: FakeTracker
    entries: list[bytes]
    hashes: list[bytes]

    def show(self, *, said: ScoreReply | None = None, tier: str = "limited") -> None:
        """Answer from now on."""
        own = score(LEDGER, user(ME), now=NOW)
        honest = ScoreReply(
            account=user(ME),
            total=own.total,
            terms=[ScoreTerm(axis=t.axis, what=t.what, amount=t.amount) for t in own.terms],
            tier="contributor" if tier == "contributor" else "limited",
            contributor_at=CONTRIBUTOR_AT,
            as_of=NOW,
            pending=2,
        )
        log, now = self.tracker.log, int(self.tracker.clock())
        tip = LogTip(len(self.hashes), b64url_encode(chain(LEDGER)[-1]))
        head = make_head(tip, issuer=log.root_id, key=log.signing, now=now, typ=LEDGER_HEAD_TYPE)
        lines = [
            LedgerLine(position=position, entry=msgspec.Raw(entry), hash=b64url_encode(digest))
            for position, (entry, digest) in enumerate(zip(self.entries, self.hashes, strict=True))
        ]
        page = msgspec.json.encode(LedgerPage(entries=lines, head=head))
        self.tracker.lies(Reply([page]), path="/api/v1/ledger")
        answer = msgspec.json.encode(said or honest)
        self.tracker.lies(Reply([answer]), path="/api/v1/me/score")


@pytest.fixture
def scored(tracker: FakeTracker, home: Home) -> Scored:
    """An honest tracker."""
    home.load_or_create("user")
    found = Scored(tracker, [canonical(entry) for entry in LEDGER], chain(LEDGER))
    found.show()
    return found


def test_axes_and_total_are_shown(luckrig: Luckrig, scored: Scored) -> None:
    result = luckrig("score")
    assert result.code == 0
    for word in (
        "existence",
        "scarcity",
        "usage",
        "discovery",
        "notes",
        "of 100",
        "to contributor",
    ):
        assert word in result.out
    assert "2 more entries name you and count" in result.err
    assert user(ME) in result.err


def test_explain_shows_every_term(luckrig: Luckrig, scored: Scored) -> None:
    shown = luckrig("score", "--explain").out
    for term in score(LEDGER, user(ME), now=NOW).terms:
        assert term.what in shown


def test_a_contributor_is_told_so(luckrig: Luckrig, scored: Scored) -> None:
    scored.show(tier="contributor")
    assert "a contributor, for good" in luckrig("score").out


def test_verify_computes_the_same_score(luckrig: Luckrig, scored: Scored) -> None:
    result = luckrig("score", "--verify")
    assert result.code == 0, result.err
    assert f"chain of {len(LEDGER)} entries is whole" in result.out
    document = json.loads(luckrig("score", "--verify", "--json").out)
    assert (document["matches"], document["entries"]) == (True, len(LEDGER))


def _change_a_byte(scored: Scored) -> None:
    changed = bytearray(scored.entries[20])
    position = changed.index(b"24")
    changed[position] ^= 1
    scored.entries[20] = bytes(changed)


def _drop(scored: Scored) -> None:
    del scored.entries[20], scored.hashes[20]


def _swap(scored: Scored) -> None:
    for each in (scored.entries, scored.hashes):
        each[20], each[21] = each[21], each[20]


@pytest.mark.parametrize("rewrite", [_change_a_byte, _drop, _swap])
def test_a_rewritten_ledger_is_found_and_the_entry_named(
    luckrig: Luckrig, scored: Scored, rewrite: Callable[[Scored], None]
) -> None:
    rewrite(scored)
    scored.show()
    result = luckrig("score", "--verify", "--json")
    error = json.loads(result.out)["error"]
    assert (result.code, error["code"]) == (1, "signature_invalid")
    assert error["param"] == "entries[20]"


def test_a_score_that_the_ledger_doesnt_give_is_found(luckrig: Luckrig, scored: Scored) -> None:
    own = score(LEDGER, user(ME), now=NOW)
    said = ScoreReply(
        account=user(ME),
        total=own.total + 1,
        terms=[ScoreTerm(axis="usage", what="because", amount=own.total + 1)],
        tier="limited",
        contributor_at=CONTRIBUTOR_AT,
        as_of=NOW,
        pending=0,
    )
    scored.show(said=said)
    result = luckrig("score", "--verify")
    assert result.code == 1
    assert "its own ledger gives" in result.err


def test_without_a_key_there_is_no_score(luckrig: Luckrig, tracker: FakeTracker) -> None:
    result = luckrig("score")
    assert result.code == 1
    assert "luckrig keys create" in result.err
