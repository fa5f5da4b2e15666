"""What a tracker is asked by whoever reports something: to take it, what became of it, appeals."""

from typing import Final

import msgspec

from luckrig.client.tracker import TrackerClient
from luckrig.protocol.address import is_origin
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.reports import (
    AppealText,
    ReportReply,
    ReportRequest,
    ReportStatus,
    Ticket,
    check_report,
)

PAGE_PATH: Final = "/report/"


async def send_report(
    client: TrackerClient, report: ReportRequest, *, reporter_key: PrivateKey | None = None
) -> ReportReply:
    """Hand a report in; sending the same form_id again gives the same receipt.

    reporter_key: signs it, which only a trusted notifier needs. Raises LuckrigError
    invalid_request with `param`, before anything is sent where a field is wrong; rate_limited.
    """
    check_report(report)
    path = "/api/v1/reports"
    if reporter_key is None:
        reply = await client.transport.post(path, msgspec.json.encode(report), ReportReply)
    else:
        reply = await client.transport.post_signed(path, report, ReportReply, key=reporter_key)
    origin, mark, ticket = reply.page.partition(PAGE_PATH)
    if not (is_origin(origin) and mark and ticket == reply.ticket):
        client.transport.nonsense()
    return reply


async def report_status(client: TrackerClient, ticket: str) -> ReportStatus:
    """What became of a report. Raises LuckrigError report_not_found."""
    return await client.transport.get(f"/api/v1/reports/{_checked(ticket)}", ReportStatus)


async def appeal_report(client: TrackerClient, ticket: str, appeal: AppealText) -> ReportStatus:
    """Ask another operator to look at what was decided about one's report.

    Raises LuckrigError report_not_found, appeal_refused.
    """
    path = f"/api/v1/reports/{_checked(ticket)}/appeals"
    return await client.transport.post(path, msgspec.json.encode(appeal), ReportStatus)


def _checked(ticket: str) -> str:
    """It becomes part of a URL."""
    try:
        return msgspec.convert(ticket, type=Ticket)
    except msgspec.ValidationError as error:
        raise LuckrigError(
            "invalid_request", "A ticket has 43 characters A-Z a-z 0-9 - _."
        ) from error
