"""What every CaseStore and SessionStore does. A store's test class inherits and gives `store`."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ledger_chain import AUDIT_DOMAIN, GENESIS, check_chain
from luckrig.protocol.reports import Category, SubjectKind
from luckrig.tracker.domain.audit_log import AuditEntry, encode_entry
from luckrig.tracker.domain.cases import (
    CaseRecord,
    DecisionRecord,
    ReportRecord,
    anonymised_appeal,
    anonymised_decision,
    anonymised_report,
    case_of_decision,
)
from luckrig.tracker.domain.quotas import Use
from luckrig.tracker.store.interface import Store, StoreError
from tests.tracker.cases import (
    OPERATOR,
    RIG,
    USER,
    answered,
    event,
    make_appeal,
    make_decision,
    make_hold,
    make_report,
    make_session,
    undone,
)
from tests.tracker.factories import NOW, make_token, seeded

OTHER = "u1" + "b" * 32


async def report(
    store: Store, record: ReportRecord, *uses: Use, events: Sequence[AuditEntry] = ()
) -> CaseRecord:
    return await store.cases.add_report(record, uses=uses, now=NOW, events=events)


async def decide(store: Store, decision: DecisionRecord) -> None:
    await store.cases.put_decision(decision, events=[event("decided", decision.decision_id)])


async def subjects_in_audit(store: Store) -> list[str]:
    """What the audit log's lines are about, after checking that they are one chain."""
    rows = await store.cases.audit(after=-1, limit=100_000)
    assert check_chain(rows, domain=AUDIT_DOMAIN) == await store.cases.audit_tip()
    return [msgspec.json.decode(row.entry, type=AuditEntry).subject for row in rows]


def reports_use(limit: int) -> Use:
    """One of an hour's reports from a network."""
    return Use("reports", "somewhere", limit, NOW + 3600)


class CasesContract:
    """Reports and cases, decisions, appeals, holds, the audit log, retention, sessions."""

    async def test_an_empty_store_knows_nothing(self, store: Store) -> None:
        cases = store.cases
        assert await cases.report("ticket") is None
        assert await cases.case("case") is None
        assert await cases.decision("decision") is None
        assert await cases.appeal("appeal") is None
        assert await cases.reports_of("case", limit=9) == []
        assert await cases.open_cases(after=None, limit=9) == []
        assert await cases.open_cases(after=None, limit=9, appealed=True) == []
        assert await cases.cases_about("node", RIG, limit=9) == []
        assert await cases.case_counts() == (0, 0)
        assert await cases.decisions_of("case") == []
        assert await cases.decisions_about([USER]) == []
        assert await cases.appeals_of(["decision"]) == []
        assert await cases.holding(now=NOW) == {}
        assert await cases.holds(now=NOW) == []
        assert not await cases.release_hold("case", events=[event()])
        assert await cases.audit_tip() == (0, GENESIS)
        assert await cases.anonymise(before=NOW, now=NOW) == 0
        assert await cases.reports_between(0, NOW) == []
        assert await cases.decisions_between(0, NOW) == []
        assert await cases.appeals_between(0, NOW) == []
        assert await store.sessions.session("cookie") is None
        assert await store.sessions.prune_sessions(now=NOW) == 0

    async def test_a_report_opens_a_case_and_comes_back_whole(self, store: Store) -> None:
        record = replace(make_report(reporter=USER), trusted=True)
        case = await report(store, record, events=[event("reported", record.case_id)])
        assert case == CaseRecord(
            case_id=record.case_id,
            subject_kind="node",
            subject_id=RIG,
            category="terms",
            severity=1,
            reports=1,
            opened_at=NOW,
            due_at=record.due_at,
        )
        assert await store.cases.case(case.case_id) == case
        assert await store.cases.report(record.ticket_hash) == record
        assert await store.cases.reports_of(case.case_id, limit=9) == [record]
        assert await subjects_in_audit(store) == [record.case_id]

    async def test_reports_about_one_subject_join_its_open_case(self, store: Store) -> None:
        """The gravest gives the category, the most urgent the deadline."""
        first = make_report(1, category="copyright", at=NOW)
        second = make_report(2, category="child_safety", at=NOW + 9)
        third = make_report(3, category="terms", at=NOW + 20)
        for each in (first, second, third):
            case = await report(store, each, events=[event("reported", each.case_id)])
        assert (case.case_id, case.reports) == (first.case_id, 3)
        assert (case.category, case.severity) == ("child_safety", 7)
        assert (case.opened_at, case.due_at) == (NOW, second.due_at)
        assert await store.cases.case(first.case_id) == case
        assert await store.cases.case(second.case_id) is None
        joined = await store.cases.reports_of(first.case_id, limit=2)
        assert joined == [replace(each, case_id=first.case_id) for each in (third, second)]
        assert await subjects_in_audit(store) == [first.case_id] * 3

    async def test_other_subjects_have_other_cases(self, store: Store) -> None:
        await report(store, make_report(1))
        await report(store, make_report(2, kind="user", subject=USER))
        await report(store, make_report(3, kind="reply", subject=f"{RIG}/request-000000001"))
        assert await store.cases.case_counts() == (3, 0)

    async def test_the_same_report_again_changes_and_costs_nothing(self, store: Store) -> None:
        case = await report(store, make_report(1), reports_use(1))
        again = replace(make_report(2), report_id="report-0001")
        assert await report(store, again, reports_use(1), events=[event()]) == case
        assert await store.cases.report(again.ticket_hash) is None
        assert await subjects_in_audit(store) == []

    async def test_who_meets_the_limit_changes_nothing(self, store: Store) -> None:
        await report(store, make_report(1), reports_use(1))
        with pytest.raises(PeerError) as refused:
            await report(store, make_report(2), reports_use(1), events=[event()])
        assert refused.value.code == "rate_limited"
        assert (await store.cases.case_counts()).open == 1
        case = await store.cases.case("case-0001")
        assert case is not None
        assert case.reports == 1
        assert await store.cases.report("ticket-0002") is None
        assert await subjects_in_audit(store) == []
        await report(store, make_report(2), reports_use(2))

    async def test_reports_at_once_make_one_case(self, store: Store) -> None:
        cases = await asyncio.gather(
            *(
                report(store, make_report(n), events=[event("reported", f"case-{n:04}")])
                for n in range(1, 31)
            )
        )
        (case_id,) = {case.case_id for case in cases}
        case = await store.cases.case(case_id)
        assert case is not None
        assert case.reports == 30
        assert await subjects_in_audit(store) == [case_id] * 30

    async def test_a_report_sent_twice_at_once_is_one(self, store: Store) -> None:
        record = make_report()
        one, two = await asyncio.gather(report(store, record), report(store, record))
        assert one == two
        assert one.reports == 1

    async def test_open_cases_come_by_severity_urgency_and_id_in_pages(self, store: Store) -> None:
        categories: tuple[Category, ...] = ("terms", "threat", "child_safety")
        records = [
            make_report(
                n, subject=f"note-{n:016}", kind="note", category=categories[n % 3], at=NOW + n // 7
            )
            for n in range(1, 22)
        ]
        seeded(3).shuffle(records)
        for each in records:
            await report(store, each)
        expected = sorted(
            records,
            key=lambda r: (-categories.index(r.category), r.due_at, r.case_id),
        )
        found, after = list[CaseRecord](), None
        while page := await store.cases.open_cases(after=after, limit=4):
            found += page
            after = page[-1]
        assert [case.case_id for case in found] == [each.case_id for each in expected]

    async def test_a_decision_closes_its_case_and_the_next_report_opens_another(
        self, store: Store
    ) -> None:
        await report(store, make_report(1))
        await decide(store, make_decision(1, target=RIG, case_id="case-0001", at=NOW + 5))
        closed = await store.cases.case("case-0001")
        assert closed is not None
        assert closed.closed_at == NOW + 5
        assert await store.cases.open_cases(after=None, limit=9) == []
        case = await report(store, make_report(2, at=NOW + 6))
        assert (case.case_id, case.reports) == ("case-0002", 1)
        await decide(store, make_decision(2, target=RIG, case_id="case-0001", at=NOW + 7))
        assert await store.cases.case("case-0001") == closed
        about = await store.cases.cases_about("node", RIG, limit=9)
        assert about == [case, closed]
        assert await store.cases.cases_about("node", RIG, limit=1) == [case]
        assert await store.cases.cases_about("user", RIG, limit=9) == []

    async def test_a_report_and_a_decision_at_once(self, store: Store) -> None:
        """The report is in the case that was decided, or opened the next one: never in between."""
        await report(store, make_report(1))
        joined, _ = await asyncio.gather(
            report(store, make_report(2)),
            decide(store, make_decision(1, target=RIG, case_id="case-0001")),
        )
        now_open = await store.cases.open_cases(after=None, limit=9)
        first = await store.cases.case("case-0001")
        assert first is not None
        if joined.case_id == "case-0001":
            assert (now_open, first.reports) == ([], 2)
        else:
            assert (now_open, first.reports) == ([joined], 1)

    async def test_a_decision_that_nobody_asked_for_makes_its_case(self, store: Store) -> None:
        opening = case_of_decision("case-0009", "user", USER, "law", now=NOW)
        decision = make_decision(case_id="case-0009")
        await store.cases.put_decision(decision, opening=opening, events=[])
        assert await store.cases.case("case-0009") == replace(opening, closed_at=NOW)
        assert await store.cases.decisions_of("case-0009") == [decision]

    async def test_nothing_is_hidden_by_itself_after_somebody_decided(self, store: Store) -> None:
        await report(store, make_report())
        decided = make_decision(1, target=RIG, action="dismiss", case_id="case-0001")
        late = make_decision(
            2, target=RIG, action="hide", case_id="case-0001", automated=True, at=NOW + 1
        )
        assert await store.cases.put_decision(decided, events=[])
        assert not await store.cases.put_decision(late, events=[event("hidden")])
        assert await store.cases.decisions_of("case-0001") == [decided]
        assert await subjects_in_audit(store) == []

    async def test_unanswered_appeals_of_cases(self, store: Store) -> None:
        for n in (1, 2):
            await report(store, make_report(n, kind="note", subject=f"note-{n:016}"))
            await decide(store, make_decision(n, case_id=f"case-{n:04}"))
        for n, appellant in ((1, USER), (2, "report-0001")):
            await store.cases.put_appeal(make_appeal(n, appellant=appellant), events=[])
        assert await store.cases.unanswered(["case-0001", "case-0002"]) == {"case-0001": 2}
        done = answered(make_appeal(1), upheld=True)
        await store.cases.answer_appeal(done, undone=None, events=[])
        assert await store.cases.unanswered(["case-0001"]) == {"case-0001": 1}
        assert await store.cases.unanswered(["case-0002"]) == {}

    async def test_a_decision_comes_back_whole(self, store: Store) -> None:
        plain = make_decision(1)
        await report(store, make_report())
        full = replace(
            make_decision(
                2, target=RIG, action="hide", case_id="case-0001", seconds=9, automated=True
            ),
            category=None, ground="law",
        )  # fmt: skip
        for decision in (plain, full):
            await decide(store, decision)
            assert await store.cases.decision(decision.decision_id) == decision
        with pytest.raises(StoreError):
            await decide(store, replace(plain, target_id=OTHER))
        assert await store.cases.decision(plain.decision_id) == plain
        assert await subjects_in_audit(store) == [plain.decision_id, full.decision_id]
        assert set(await store.cases.holding(now=NOW)) == {USER, RIG}

    async def test_decisions_come_in_order(self, store: Store) -> None:
        await report(store, make_report())
        decisions = [
            make_decision(n, target=USER if n % 2 else OTHER, case_id="case-0001", at=NOW + n // 3)
            for n in range(1, 9)
        ]
        for each in reversed(decisions):
            await decide(store, each)
        assert await store.cases.decisions_of("case-0001") == decisions
        assert await store.cases.decisions_about([USER]) == decisions[::2][::-1]
        assert await store.cases.decisions_about([USER, OTHER, "nobody"]) == decisions[::-1]
        assert await store.cases.decisions_about([]) == []
        between = await store.cases.decisions_between(NOW + 1, NOW + 2)
        assert between == [each for each in decisions if each.decided_at == NOW + 1]

    async def test_the_last_decision_in_force_holds(self, store: Store) -> None:
        """Until it ends or is undone; then an earlier one that still stands."""
        ban = make_decision(1)
        limit = make_decision(2, action="limit", at=NOW + 10, seconds=20)
        for decision in (limit, ban, make_decision(3, action="dismiss", at=NOW + 11)):
            await decide(store, decision)
        assert await store.cases.holding(now=NOW + 10) == {USER: limit}
        assert await store.cases.holding(now=NOW + 29) == {USER: limit}
        assert await store.cases.holding(now=NOW + 30) == {USER: ban}
        assert await store.cases.holding(now=NOW + 10) == {USER: limit}
        assert await store.cases.undo_decision(undone(limit), events=[event()])
        assert await store.cases.holding(now=NOW + 10) == {USER: ban}
        assert await store.cases.undo_decision(undone(ban), events=[event()])
        assert await store.cases.holding(now=NOW + 10) == {}

    async def test_a_decision_is_undone_once(self, store: Store) -> None:
        decision = make_decision()
        await decide(store, decision)
        assert await store.cases.undo_decision(undone(decision), events=[event("undone", "1")])
        again = undone(decision, at=NOW + 99)
        assert not await store.cases.undo_decision(again, events=[event("undone", "2")])
        assert await store.cases.decision(decision.decision_id) == undone(decision)
        assert await subjects_in_audit(store) == [decision.decision_id, "1"]

    async def test_of_two_who_undo_at_once_one_does(self, store: Store) -> None:
        await decide(store, make_decision())
        done = await asyncio.gather(
            *(
                store.cases.undo_decision(
                    undone(make_decision(), at=NOW + n), events=[event("undone", str(n))]
                )
                for n in (1, 2)
            )
        )
        assert sorted(done) == [False, True]
        winner = await store.cases.decision("decision-0001")
        assert winner is not None
        assert winner.undone_at == NOW + 1 + done.index(True)
        assert await subjects_in_audit(store) == ["decision-0001", str(1 + done.index(True))]

    async def test_what_was_automated_ends_when_a_person_decides(self, store: Store) -> None:
        await report(store, make_report())
        hidden = make_decision(1, target=RIG, action="hide", case_id="case-0001", automated=True)
        await decide(store, hidden)
        case = await store.cases.case("case-0001")
        assert case is not None
        assert case.closed_at is None
        assert await store.cases.holding(now=NOW) == {RIG: hidden}
        verdict = make_decision(2, target=RIG, action="dismiss", case_id="case-0001", at=NOW + 5)
        await decide(store, verdict)
        assert await store.cases.holding(now=NOW + 5) == {}
        ended = await store.cases.decision(hidden.decision_id)
        assert ended == hidden.ended_by(verdict)

    async def test_tokens_of_the_banned_are_revoked_while_the_ban_holds(self, store: Store) -> None:
        mine, other = make_token(1), make_token(2, user=2)
        for token in (mine, other):
            await store.add_token(token)
        ban = make_decision(1, target=mine.user_id, action="suspend", seconds=100)
        await decide(store, ban)
        await decide(store, make_decision(2, target=mine.node_id))
        await decide(store, make_decision(3, target=other.user_id, action="limit"))
        assert await store.revoked(now=NOW) == {(mine.node_id, mine.sub)}
        assert await store.revoked(now=NOW + 100) == set()
        await store.cases.undo_decision(undone(ban), events=[])
        assert await store.revoked(now=NOW) == set()
        await decide(store, make_decision(4, target=mine.user_id))
        assert await store.revoked(now=mine.expires_at - 1) == {(mine.node_id, mine.sub)}
        assert await store.revoked(now=mine.expires_at) == set()

    async def test_each_side_appeals_once(self, store: Store) -> None:
        await decide(store, make_decision())
        first, reporters = make_appeal(1), make_appeal(2, appellant="report-0001", at=NOW + 1)
        for appeal in (first, reporters):
            assert await store.cases.put_appeal(appeal, events=[event("appealed", "yes")])
            assert await store.cases.appeal(appeal.appeal_id) == appeal
        again = make_appeal(3)
        assert not await store.cases.put_appeal(again, events=[event("appealed", "no")])
        assert await store.cases.appeal(again.appeal_id) is None
        assert await store.cases.appeals_of(["decision-0001", "other"]) == [first, reporters]
        assert await store.cases.appeals_between(NOW, NOW + 1) == [first]
        assert await subjects_in_audit(store) == ["decision-0001", "yes", "yes"]

    async def test_appealed_cases_are_those_that_wait_for_an_answer(self, store: Store) -> None:
        for n in (1, 2, 3):
            record = make_report(n, kind="note", subject=f"note-{n:016}")
            await report(store, record)
            await decide(store, make_decision(n, case_id=record.case_id))
        for n, decision_id in ((1, "decision-0001"), (2, "decision-0003"), (3, "decision-0003")):
            appellant = USER if n < 3 else "report-0003"
            await store.cases.put_appeal(
                make_appeal(n, decision_id=decision_id, appellant=appellant), events=[]
            )
        cases = await store.cases.open_cases(after=None, limit=9, appealed=True)
        assert [case.case_id for case in cases] == ["case-0001", "case-0003"]
        assert await store.cases.case_counts() == (0, 2)
        rest = await store.cases.open_cases(after=cases[0], limit=9, appealed=True)
        assert rest == cases[1:]
        await store.cases.answer_appeal(
            answered(make_appeal(1), upheld=True), undone=None, events=[]
        )
        assert await store.cases.open_cases(after=None, limit=9, appealed=True) == cases[1:]

    async def test_an_answer_and_what_it_undoes_are_one(self, store: Store) -> None:
        ban, appeal = make_decision(), make_appeal()
        await decide(store, ban)
        await store.cases.put_appeal(appeal, events=[])
        answer = answered(appeal, upheld=False)
        assert await store.cases.answer_appeal(answer, undone=undone(ban), events=[event()])
        assert await store.cases.appeal(appeal.appeal_id) == answer
        assert await store.cases.decision(ban.decision_id) == undone(ban)
        assert await store.cases.holding(now=NOW) == {}
        second = answered(appeal, upheld=True, at=NOW + 9)
        assert not await store.cases.answer_appeal(second, undone=None, events=[event()])
        assert await store.cases.appeal(appeal.appeal_id) == answer
        assert await subjects_in_audit(store) == [ban.decision_id, "it"]

    async def test_of_two_who_answer_at_once_one_does(self, store: Store) -> None:
        ban, appeal = make_decision(), make_appeal()
        await decide(store, ban)
        await store.cases.put_appeal(appeal, events=[])
        done = await asyncio.gather(
            store.cases.answer_appeal(
                answered(appeal, upheld=False), undone=undone(ban), events=[event()]
            ),
            store.cases.answer_appeal(answered(appeal, upheld=True), undone=None, events=[event()]),
        )
        assert sorted(done) == [False, True]
        stored = await store.cases.appeal(appeal.appeal_id)
        decision = await store.cases.decision(ban.decision_id)
        assert stored is not None
        assert decision is not None
        assert stored.upheld is (decision.undone_at is None)

    async def test_an_answer_leaves_an_undone_decision_as_it_was(self, store: Store) -> None:
        ban, appeal = make_decision(), make_appeal()
        await decide(store, ban)
        await store.cases.put_appeal(appeal, events=[])
        await store.cases.undo_decision(undone(ban), events=[])
        late = undone(ban, at=NOW + 99)
        answer = answered(appeal, upheld=False)
        assert await store.cases.answer_appeal(answer, undone=late, events=[])
        assert await store.cases.decision(ban.decision_id) == undone(ban)

    async def test_a_hold_lasts_until_its_end_or_its_release(self, store: Store) -> None:
        await report(store, make_report())
        hold = make_hold("case-0001", RIG, USER)
        await store.cases.put_hold(hold, events=[event("held", "1")])
        assert await store.cases.holds(now=NOW + 99) == [hold]
        assert await store.cases.holds(now=NOW + 100) == []
        longer = make_hold("case-0001", RIG, until=NOW + 200)
        await store.cases.put_hold(longer, events=[event("held", "2")])
        assert await store.cases.holds(now=NOW + 100) == [longer]
        assert await store.cases.release_hold("case-0001", events=[event("released", "3")])
        assert await store.cases.holds(now=NOW) == []
        assert not await store.cases.release_hold("case-0001", events=[event("released", "4")])
        assert await subjects_in_audit(store) == ["1", "2", "3"]

    async def test_the_audit_log_comes_in_pages(self, store: Store) -> None:
        events = [
            AuditEntry(at=NOW, by=OPERATOR, event="entered", subject=str(n), detail="詳")
            for n in range(7)
        ]
        await store.cases.log(events[:3])
        await store.cases.log([])
        await store.cases.log(events[3:])
        assert await subjects_in_audit(store) == [str(n) for n in range(7)]
        rows = await store.cases.audit(after=-1, limit=99)
        assert [row.entry for row in rows] == [encode_entry(each) for each in events]
        for after, limit in ((-1, 1), (2, 3), (5, 9), (6, 9), (2**53, 9)):
            page = await store.cases.audit(after=after, limit=limit)
            assert page == rows[after + 1 : after + 1 + limit]

    async def test_lines_logged_at_once_make_one_chain(self, store: Store) -> None:
        await asyncio.gather(*(store.cases.log([event("read", str(n))]) for n in range(20)))
        assert sorted(await subjects_in_audit(store)) == sorted(str(n) for n in range(20))

    async def test_reports_of_a_time_come_without_texts(self, store: Store) -> None:
        records = [make_report(n, at=NOW + n) for n in (3, 1, 2)]
        for each in records:
            await report(store, each)
        found = await store.cases.reports_between(NOW + 1, NOW + 3)
        case_id = records[0].case_id
        assert found == [
            anonymised_report(replace(each, case_id=case_id)) for each in (records[1], records[2])
        ]

    async def test_a_hold_also_keeps_other_cases_about_those_it_names(self, store: Store) -> None:
        about: list[tuple[SubjectKind, str]] = [
            ("node", RIG), ("reply", f"{RIG}/{'r' * 16}"), ("user", USER), ("user", OTHER),
        ]  # fmt: skip
        for n, (kind, subject) in enumerate(about, 1):
            await report(store, make_report(n, kind=kind, subject=subject))
            done = make_decision(n, target=subject[:34], action="dismiss", case_id=f"case-{n:04}")
            await decide(store, done)
        assert (
            await store.cases.anonymise(before=NOW + 1, now=NOW + 2, held=[RIG, USER]) == 3
        )  # report, decision, case
        kept = await store.cases.reports_of("case-0002", limit=1)
        assert kept[0].reason
        assert [await store.cases.decisions_of(f"case-{n:04}") for n in (1, 2, 3)] == [
            [
                make_decision(
                    n, target=about[n - 1][1][:34], action="dismiss", case_id=f"case-{n:04}"
                )
            ]
            for n in (1, 2, 3)
        ]
        assert await store.cases.anonymise(before=NOW + 1, now=NOW + 2) == 9

    async def test_old_reports_are_emptied_unless_open_or_held(self, store: Store) -> None:
        for n in (1, 2, 3, 4):
            at = NOW + 50 if n == 4 else NOW
            await report(store, make_report(n, kind="note", subject=f"note-{n:016}", at=at))
        for n in (1, 2, 4):
            await decide(store, make_decision(n, case_id=f"case-{n:04}"))
        await store.cases.put_hold(make_hold("case-0002", until=NOW + 200), events=[])
        assert await store.cases.anonymise(before=NOW + 50, now=NOW + 100) == 1
        left = [await store.cases.report(f"ticket-{n:04}") for n in (1, 2, 3, 4)]
        emptied = [None if each is None else each == anonymised_report(each) for each in left]
        assert emptied == [True, False, False, False]
        assert await store.cases.anonymise(before=NOW + 50, now=NOW + 100) == 0
        assert await store.cases.anonymise(before=NOW + 51, now=NOW + 200) == 2

    async def test_old_appeals_are_emptied_once_answered(self, store: Store) -> None:
        await report(store, make_report())
        for n in (1, 2):
            await decide(store, make_decision(n, case_id="case-0001" if n == 1 else None))
        affected = make_appeal(1, decision_id="decision-0001")
        reporters = make_appeal(2, decision_id="decision-0001", appellant="report-0001")
        unanswered = make_appeal(3, decision_id="decision-0002")
        for appeal in (affected, reporters, unanswered):
            await store.cases.put_appeal(appeal, events=[])
        done = [answered(each, upheld=True) for each in (affected, reporters)]
        for each in done:
            await store.cases.answer_appeal(each, undone=None, events=[])
        await store.cases.put_hold(make_hold("case-0001"), events=[])
        assert await store.cases.anonymise(before=NOW + 1, now=NOW) == 0
        assert await store.cases.anonymise(before=NOW, now=NOW + 100) == 0
        assert await store.cases.anonymise(before=NOW + 1, now=NOW + 100) == 3
        assert await store.cases.appeals_of(["decision-0001", "decision-0002"]) == [
            *map(anonymised_appeal, done),
            unanswered,
        ]
        assert (await store.cases.appeals_of(["decision-0001"]))[0].appellant == "appeal-0001"

    async def test_old_decisions_lose_whom_they_were_about(self, store: Store) -> None:
        """Once they hold nothing; a ban that stands keeps its target, and its case's subject."""
        for n in range(1, 6):
            record = make_report(n, kind="note", subject=f"note-{n:016}")
            await report(store, record)
        stands = make_decision(1, case_id="case-0001")
        ended = make_decision(2, case_id="case-0002", target=OTHER, seconds=10)
        dismissed = make_decision(3, case_id="case-0003", target=RIG, action="dismiss")
        lifted = make_decision(4, case_id="case-0004", target=RIG)
        appealed = make_decision(5, case_id="case-0005", target=RIG, seconds=10)
        for each in (stands, ended, dismissed, lifted, appealed):
            await decide(store, each)
        await store.cases.undo_decision(undone(lifted, at=NOW + 11), events=[])
        await store.cases.put_appeal(
            make_appeal(1, decision_id=appealed.decision_id, at=NOW + 90), events=[]
        )
        assert await store.cases.anonymise(before=NOW, now=NOW + 90) == 0
        assert await store.cases.anonymise(before=NOW + 11, now=NOW + 90) == 5 + 2 + 2
        assert await store.cases.decision(stands.decision_id) == stands
        assert await store.cases.decision(appealed.decision_id) == appealed
        assert await store.cases.decision(ended.decision_id) == anonymised_decision(ended)
        assert await store.cases.decision(dismissed.decision_id) == anonymised_decision(dismissed)
        assert await store.cases.decision(lifted.decision_id) == undone(lifted, at=NOW + 11)
        assert await store.cases.anonymise(before=NOW + 12, now=NOW + 90) == 2
        cases = [await store.cases.case(f"case-{n:04}") for n in range(1, 6)]
        subjects = [case and case.subject_id for case in cases]
        assert subjects == [f"note-{1:016}", "", "", "", f"note-{5:016}"]
        reports = await store.cases.reports_between(NOW, NOW + 1)
        assert [each.subject_id for each in reports] == subjects
        assert await store.cases.holding(now=NOW + 90) == {USER: stands}
        after = await store.cases.decision(lifted.decision_id)
        assert after is not None
        assert (after.reason, after.undone_reason, after.undone_by) == ("", "", OPERATOR)

    async def test_all_sessions_of_a_user_end_together(self, store: Store) -> None:
        mine = [make_session(number, user="u1") for number in (1, 2)]
        other = make_session(3, user="u2")
        for session in (*mine, other):
            await store.sessions.put_session(session)
        assert await store.sessions.end_sessions({"u1", "u3"}) == 2
        assert await store.sessions.session(mine[0].token_hash) is None
        assert await store.sessions.session(other.token_hash) == other
        assert await store.sessions.end_sessions({"u1"}) == 0

    async def test_a_session_lasts_until_it_is_ended_or_expires(self, store: Store) -> None:
        first, second = make_session(1), make_session(2, expires_at=NOW + 90)
        for session in (first, second):
            await store.sessions.put_session(session)
            assert await store.sessions.session(session.token_hash) == session
        used = replace(first, used_at=NOW + 30)
        await store.sessions.put_session(used)
        assert await store.sessions.session(first.token_hash) == used
        assert await store.sessions.prune_sessions(now=NOW + 59) == 0
        assert await store.sessions.prune_sessions(now=NOW + 60) == 1
        assert await store.sessions.session(first.token_hash) is None
        await store.sessions.end_session(second.token_hash)
        await store.sessions.end_session(second.token_hash)
        assert await store.sessions.session(second.token_hash) is None
