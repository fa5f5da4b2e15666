"""From the fields of the report form to a report, or to all that is wrong with them at once."""

import re
from collections.abc import Callable, Mapping
from typing import Final, get_args

import msgspec

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NODE_ID_PATTERN, USER_ID_PATTERN
from luckrig.protocol.reports import (
    CATEGORIES,
    Language,
    ReportRequest,
    SubjectKind,
    check_report,
    check_subject,
    is_email,
)
from luckrig.web.languages import DEFAULT_LANGUAGE
from luckrig.web.report_pages import FIELDS, LIMITS, SUBJECT_KINDS, Problem

_FORM_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_IN_A_PATH: Final[Mapping[SubjectKind, re.Pattern[str]]] = {
    "node": re.compile(rf"(?:^|/)({NODE_ID_PATTERN.strip('^$')})(?:$|[?#/])"),
    "user": re.compile(rf"(?:^|/)({USER_ID_PATTERN.strip('^$')})(?:$|[?#/])"),
}
"""People paste the address of a rig's page where they are asked for its id."""
_ANSWERED_IN: Final[frozenset[str]] = frozenset(get_args(Language))
_CLAIM: Final = ("work", "address", "phone", "signature")
_WITHOUT_A_NAME: Final = "child_safety"
_ONE_LINE: Final = ("subject_id", "name", "email", "phone", "signature")


def read_values(fields: Mapping[str, str]) -> dict[str, str]:
    """What the form shows again: its own fields, as long as they were typed."""
    values = {name: fields.get(name, "") for name in FIELDS}
    return {name: each.strip() if name in _ONE_LINE else each for name, each in values.items()}


def read_form_id(fields: Mapping[str, str]) -> str | None:
    """The form's id, if it is one."""
    form_id = fields.get("form_id", "")
    return form_id if _FORM_ID.fullmatch(form_id) else None


def find_problems(values: Mapping[str, str]) -> dict[str, Problem]:
    """Everything that is wrong with a form, by field. values: as read_values returns them."""
    problems: dict[str, Problem] = {}
    for name, is_well in _CHECKS.items():
        if not is_well(values):
            problems[name] = Problem(f"report.error.{name}")
    if values["email"] and not is_email(values["email"]):
        problems["email"] = Problem("report.error.email_shape")
    if not values["subject_id"]:
        problems["subject_id"] = Problem("report.error.subject_missing")
    for name, limit in LIMITS.items():
        asked = name not in _CLAIM or values["category"] == "copyright"
        if asked and len(values[name]) > limit:
            problems[name] = Problem("report.error.too_long", limit)
    return problems


def make_report(values: Mapping[str, str], *, form_id: str, language: str) -> ReportRequest:
    """The report that a form without problems stands for.

    language: the page's; in one that no report is answered in, English is asked for.

    Raises PeerError invalid_request, with the field as `param` where it is about one.
    """
    is_copyright = values["category"] == "copyright"
    claim = {**{name: values[name] for name in _CLAIM}, "accurate": bool(values["accurate"])}
    fields: dict[str, object] = {
        "form_id": form_id,
        "subject_kind": values["subject_kind"],
        "subject_id": subject_of(values),
        "category": values["category"],
        "reason": values["reason"],
        "evidence": values["evidence"],
        "name": values["name"],
        "email": values["email"],
        "good_faith": bool(values["good_faith"]),
        "language": language if language in _ANSWERED_IN else DEFAULT_LANGUAGE,
        "copyright": claim if is_copyright else None,
    }
    try:
        report = msgspec.convert(fields, ReportRequest)
    except msgspec.ValidationError as error:
        raise PeerError("invalid_request", str(error)) from None
    check_report(report)
    return report


def subject_of(values: Mapping[str, str]) -> str:
    """The id, also where somebody pasted the address of a page that has it."""
    text = values["subject_id"]
    kind = _kind_of(values)
    pattern = None if kind is None else _IN_A_PATH.get(kind)
    found = None if pattern is None else pattern.search(text)
    return text if found is None else found[1]


def _has_a_subject(values: Mapping[str, str]) -> bool:
    kind = _kind_of(values)
    try:
        if kind is not None:
            check_subject(kind, subject_of(values))
    except PeerError:
        return False
    return True


def _kind_of(values: Mapping[str, str]) -> SubjectKind | None:
    return next((kind for kind in SUBJECT_KINDS if kind == values["subject_kind"]), None)


def _claims(values: Mapping[str, str], name: str) -> bool:
    return values["category"] != "copyright" or bool(values[name].strip())


def _names_itself(values: Mapping[str, str], name: str) -> bool:
    return values["category"] == _WITHOUT_A_NAME or bool(values[name].strip())


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, str]], bool]]] = {
    "subject_kind": lambda values: values["subject_kind"] in SUBJECT_KINDS,
    "subject_id": _has_a_subject,
    "category": lambda values: values["category"] in CATEGORIES,
    "reason": lambda values: bool(values["reason"].strip()),
    "name": lambda values: _names_itself(values, "name"),
    "email": lambda values: _names_itself(values, "email"),
    "good_faith": lambda values: bool(values["good_faith"]),
    "work": lambda values: _claims(values, "work"),
    "address": lambda values: _claims(values, "address"),
    "phone": lambda values: _claims(values, "phone"),
    "accurate": lambda values: _claims(values, "accurate"),
    "signature": lambda values: _claims(values, "signature"),
}
