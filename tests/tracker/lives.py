"""A tracker with two people who did all that can be done there, so that every table has rows of
both; and what the database holds, whichever store it is."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.handover import sign_handover
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.notes import Note, Reproduction, sign_note, sign_reproduction
from luckrig.protocol.receipts import Measured
from luckrig.tracker.domain.accounts import ledger_account
from luckrig.tracker.domain.records import InviteRecord, WishRecord
from luckrig.tracker.domain.stored_data import TABLES
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.service.people import PeopleService
from luckrig.tracker.service.retention import RetentionService
from luckrig.tracker.service.users import RegistrationRules, UserService
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.cases import make_hold, make_session
from tests.tracker.factories import NOW, make_node, owner_key
from tests.tracker.test_contributions import World
from tests.tracker.trackers import KEYS, Tracker

OPERATOR, SECOND_OPERATOR, STRANGER = (PrivateKey(bytes([n]) * 32) for n in (1, 2, 3))
OPERATORS: Final = frozenset(derive_id("u1", key.public) for key in (OPERATOR, SECOND_OPERATOR))
STRANGER_ID: Final = derive_id("u1", STRANGER.public)
COMMON_RIG: Final = make_node(3)


@dataclass(frozen=True)
class Somebody:
    """A person with a rig and two keys: the first one gave way to the rig owner's."""

    number: int

    @property
    def old_key(self) -> PrivateKey:
        return PrivateKey(bytes([100 + self.number]) * 32)

    @property
    def key(self) -> PrivateKey:
        return owner_key(self.number)

    @property
    def old_id(self) -> str:
        return derive_id("u1", self.old_key.public)

    @property
    def user_id(self) -> str:
        return derive_id("u1", self.key.public)

    @property
    def rig(self) -> str:
        return make_node(self.number).node_id

    @property
    def account(self) -> str:
        return ledger_account(self.old_id, secret=KEYS.pairwise)

    @property
    def note(self) -> str:
        return f"note-about-common-{self.number}"

    @property
    def note_about_other(self) -> str:
        return f"note-about-others-{self.number}"

    @property
    def marks(self) -> set[str]:
        """Whatever tells that a text is about this person: ids, and keys as JSON has them."""
        keys = {each.public.jwk.x for each in (self.key, self.old_key)}
        return {self.old_id, self.user_id, self.rig, self.account, self.note} | keys


ADA, BOB = Somebody(1), Somebody(2)


class Lives:
    """Fills a tracker, and asks it for people's data. erased_rigs: what on_erased was told."""

    def __init__(self, tracker: Tracker, path: Path) -> None:
        self.tracker = tracker
        self.store = tracker.store
        self.erased_rigs: list[str] = []
        users = UserService(
            self.store,
            KEYS,
            BanService(self.store, clock=tracker.clock),
            Operators(OPERATORS),
            rules=RegistrationRules(mode="open", work_bits=0, per_day=9),
            clock=tracker.clock,
            random_bytes=bytes,
            on_change=lambda: None,
        )
        self.people = PeopleService(
            self.store, users, clock=tracker.clock, on_erased=self.erased_rigs.extend
        )
        self.retention = RetentionService(self.store, users, clock=tracker.clock)
        self._world = World(tracker)
        self._path = path
        self._forms = count()

    async def fill(self) -> None:
        """Ada and Bob live; every table has rows of both, where it has rows of people."""
        for node in (make_node(1), make_node(2), COMMON_RIG):
            assert (await self.tracker.publish(node)).status_code == 200
        for one in (ADA, BOB):
            await self._arrive(one)
        for one, other in ((ADA, BOB), (BOB, ADA)):
            await self._write(one, other)
        for one, other in ((ADA, BOB), (BOB, ADA)):
            await self._use(one, other)
            await self._quarrel(one, other)
        hours = dict.fromkeys((ADA.rig, BOB.rig), 500)
        for hour in (NOW // 3600 - 24, NOW // 3600):
            await self.store.contributions.add_live(hour=hour, scarcities=hours)
        await self.store.contributions.close_day(day=NOW // 86_400 - 1, entries=[])
        await self.report(STRANGER, "user", STRANGER_ID, category="privacy")
        case = (await self.store.cases.cases_about("user", STRANGER_ID, limit=1))[0]
        await self.store.cases.put_hold(
            make_hold(case.case_id, STRANGER_ID, until=NOW + 500 * 86_400), events=[]
        )
        await self._world.serve(rig=3, key=STRANGER)

    async def report(
        self, key: PrivateKey, kind: str, subject: str, *, category: str = "terms"
    ) -> str:
        """A signed report; its ticket."""
        body = {
            "form_id": f"form-{next(self._forms):016}", "subject_kind": kind,
            "subject_id": subject, "category": category, "reason": "This is wrong.",
            "name": "A Name", "email": "a@example.org", "good_faith": True,
        }  # fmt: skip
        reply = await self.tracker.ask("/api/v1/reports", json.dumps(body).encode(), key=key)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["ticket"])

    async def decide(self, action: str, target: str, **fields: Any) -> str:
        """An operator's decision; its id."""
        reply = await self.tracker.decide(action, target, key=OPERATOR, **fields)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["notice"]["decision_id"])

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """table → all rows, straight from the store's inside."""
        if isinstance(self.store, MemoryStore):
            return {name: [dict(row) for row in self.store.people.rows(name)] for name in TABLES}
        with closing(sqlite3.connect(self._path)) as connection:
            connection.row_factory = sqlite3.Row
            return {
                name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]  # noqa: S608
                for name in TABLES
            }

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        return {name: len(rows) for name, rows in self.rows().items()}

    def columns_with(self, marks: set[str]) -> set[str]:
        """table.column of each place in which one of these texts stands, signed texts opened."""
        return {
            f"{table}.{column}"
            for table, rows in self.rows().items()
            for row in rows
            for column, value in row.items()
            if marks_in(value, marks)
        }

    async def _arrive(self, one: Somebody) -> None:
        """Use a rig, then take a new key; sign in; invite somebody."""
        await self._world.serve(rig=3, key=one.old_key)
        body = sign_handover(root_id=KEYS.root_id, old=one.old_key, new=one.key, now=NOW)
        headers = {"content-type": "application/json"}
        reply = await self.tracker.http.post("/api/v1/handover", content=body, headers=headers)
        assert reply.status_code == 200, reply.text
        session = make_session(one.number, user=one.user_id, expires_at=NOW + 43_200)
        await self.store.sessions.put_session(session)
        wish = WishRecord(node_id=one.rig, paused=True, at=NOW, by=one.user_id)
        await self.store.put_wish(wish)
        invite = InviteRecord(
            code_hash=f"code-{one.number}",
            made_by=one.user_id,
            made_at=NOW,
            expires_at=NOW + 86_400,
            uses_left=2,
        )
        await self.store.users.put_invite(invite)

    async def _write(self, one: Somebody, other: Somebody) -> None:
        for note_id, node_id in (
            (one.note, COMMON_RIG.node_id),
            (one.note_about_other, other.rig),
        ):
            note = Note(
                note_id=note_id, version=1, node_id=node_id, text="Use -fa.", references=[],
                iat=NOW,
            )  # fmt: skip
            signed = {"note": sign_note(note, author_key=one.key)}
            reply = await self.tracker.http.post("/api/v1/notes", json=signed)
            assert reply.status_code == 200, reply.text

    async def _use(self, one: Somebody, other: Somebody) -> None:
        """Everybody's rig, and the other one's; share timings; reproduce the other's note."""
        for rig in (3, other.number):
            receipt = self._world.receipt(await self._world.jti(rig=rig, key=one.key), rig=rig)
            opinion = self._world.opinion(
                receipt, key=one.key, measured=Measured(ttft_ms=90.0, generation_ms=20_100.0)
            )
            (result,) = await self._world.submit((receipt, opinion))
            assert result["state"] == "two-sided"
        said = Reproduction(note_id=other.note, version=1, iat=NOW)
        signed = {"reproduced": sign_reproduction(said, user_key=one.key)}
        path = f"/api/v1/notes/{other.note}/reproduced"
        assert (await self.tracker.http.post(path, json=signed)).status_code == 200

    async def _quarrel(self, one: Somebody, other: Somebody) -> None:
        """Report the other one's rig, in vain; be suspended; appeal against both, with success."""
        ticket = await self.report(one.key, "node", other.rig)
        case = (await self.store.cases.cases_about("node", other.rig, limit=1))[0]
        dismissed = await self.decide("dismiss", other.rig, case_id=case.case_id)
        suspended = await self.decide("suspend", one.user_id, days=3)
        for path, decision_id in (
            (f"/api/v1/reports/{ticket}/appeals", dismissed),
            ("/api/v1/me/appeals", suspended),
        ):
            body = json.dumps({"decision_id": decision_id, "text": "This is wrong."}).encode()
            reply = await self.tracker.ask(path, body, key=one.key)
            assert reply.status_code == 200, reply.text
            (appeal,) = await self.store.cases.appeals_of([decision_id])
            answer = {"appeal_id": appeal.appeal_id, "uphold": False, "answer": "You are right."}
            await self.tracker.ask(
                "/api/v1/admin/answers", json.dumps(answer).encode(), key=SECOND_OPERATOR
            )


def marks_in(value: object, marks: set[str]) -> bool:
    """Whether one of the marks stands in a value, or in what a signed text in it carries."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    texts = [text, *map(_opened, text.replace('"', ".").split("."))]
    return any(mark in each for mark in marks for each in texts)


def _opened(part: str) -> str:
    try:
        return b64url_decode(part).decode("utf-8", "replace")
    except ValueError:
        return ""
