"""What a report is about, and where a ticket leads, from what was typed."""

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from luckrig.cli.rigs import find_rig
from luckrig.protocol.address import TrackerAddress, is_origin
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.ids import is_node_id, is_user_id
from luckrig.protocol.reports import SubjectKind, Ticket, check_subject

if TYPE_CHECKING:
    from luckrig.client.tracker import TrackerClient

PAGE_PATH: Final = "/report/"
_ALMOST_AN_ID: Final = re.compile(r"[nu]1[a-z2-7]{14,}")
"""Longer than the beginning that people type, and no whole id: a slip, not a note's id."""


class Subject(NamedTuple):
    """What a report is about."""

    kind: SubjectKind
    id: str


def subject_of(text: str) -> Subject | None:
    """The subject whose whole id this is, by its shape; None for anything else.

    Raises LuckrigError for what is nearly an id.
    """
    if is_node_id(text):
        return Subject("node", text)
    if is_user_id(text):
        return Subject("user", text)
    if "/" in text:
        check_subject("reply", text)
        return Subject("reply", text)
    if _ALMOST_AN_ID.fullmatch(text):
        raise LuckrigError("invalid_request", "The id of a rig or user has 34 characters.")
    try:
        check_subject("note", text)
    except PeerError:
        return None
    return Subject("note", text)


async def find_subject(client: "TrackerClient", text: str) -> Subject:
    """The same, and a rig also by its name or the beginning of its id, as in other commands."""
    return subject_of(text) or Subject("node", await find_rig(client, text))


def place_of(text: str, tracker: TrackerAddress) -> tuple[TrackerAddress, str]:
    """The tracker and the ticket of a report: from its page's address, or a bare ticket."""
    address = text.partition("?")[0].partition("#")[0]
    origin, _, ticket = address.rpartition(PAGE_PATH)
    if _is_ticket(text):
        return tracker, text
    if not _is_ticket(ticket) or not (is_origin(origin) or not origin):
        raise LuckrigError(
            "invalid_request", "Give the address of the report's page, …/report/…, or its ticket."
        )
    if origin in ("", tracker.origin):
        return tracker, ticket
    return TrackerAddress(origin, None), ticket


def _is_ticket(text: str) -> bool:
    try:
        msgspec.convert(text, type=Ticket)
    except msgspec.ValidationError:
        return False
    return True
