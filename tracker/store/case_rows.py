"""How records about cases stand in the database's rows: columns have the fields' names."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from luckrig.tracker.domain.cases import (
    AppealRecord,
    CaseRecord,
    DecisionRecord,
    HoldRecord,
    ReportRecord,
    SessionRecord,
)

RecordType = type[
    CaseRecord | ReportRecord | DecisionRecord | AppealRecord | HoldRecord | SessionRecord
]


def columns(record: RecordType) -> str:
    """A record's columns, for a query."""
    return ", ".join(field.name for field in fields(record))


def placeholders(record: RecordType) -> str:
    """The same as named parameters."""
    return ", ".join(f":{field.name}" for field in fields(record))


def case_of(row: tuple[Any, ...]) -> CaseRecord:
    """A row of columns(CaseRecord)."""
    return CaseRecord(**_values(CaseRecord, row))


def report_of(row: tuple[Any, ...]) -> ReportRecord:
    """A row of columns(ReportRecord)."""
    values = _values(ReportRecord, row)
    values["trusted"] = bool(values["trusted"])
    return ReportRecord(**values)


def decision_of(row: tuple[Any, ...]) -> DecisionRecord:
    """A row of columns(DecisionRecord)."""
    values = _values(DecisionRecord, row)
    values["automated"] = bool(values["automated"])
    return DecisionRecord(**values)


def appeal_of(row: tuple[Any, ...]) -> AppealRecord:
    """A row of columns(AppealRecord)."""
    values = _values(AppealRecord, row)
    values["upheld"] = None if values["upheld"] is None else bool(values["upheld"])
    values["same_reviewer"] = bool(values["same_reviewer"])
    return AppealRecord(**values)


def hold_of(row: tuple[Any, ...]) -> HoldRecord:
    """A row of columns(HoldRecord)."""
    values = _values(HoldRecord, row)
    values["subjects"] = tuple(json.loads(values["subjects"]))
    return HoldRecord(**values)


def session_of(row: tuple[Any, ...]) -> SessionRecord:
    """A row of columns(SessionRecord)."""
    return SessionRecord(**_values(SessionRecord, row))


def hold_row(hold: HoldRecord) -> Mapping[str, object]:
    """The values for placeholders(HoldRecord)."""
    return asdict(hold) | {"subjects": json.dumps(hold.subjects)}


def _values(record: RecordType, row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip((field.name for field in fields(record)), row, strict=True))


PUT_CASE: Final = f"""
    INSERT INTO cases ({columns(CaseRecord)}) VALUES ({placeholders(CaseRecord)})
    ON CONFLICT (case_id) DO UPDATE SET
        category = excluded.category, severity = excluded.severity, reports = excluded.reports,
        due_at = excluded.due_at
"""  # noqa: S608 -- what stands in the query are the columns' names
