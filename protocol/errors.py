"""The one error tree, and the table of codes that may cross the wire.

A code fixes its HTTP status and OpenAI's error `type`, so that a client can act on any of the
three. docs/PROTOCOL.md lists the same table; a test compares the two.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Code(NamedTuple):
    """What a code means on the wire: HTTP status, OpenAI error type, one line for the docs."""

    status: int
    type: str
    meaning: str


_REQUEST, _AUTH, _MISSING = "invalid_request_error", "authentication_error", "not_found_error"
_LIMIT, _SERVER, _PERMISSION = "rate_limit_error", "server_error", "permission_error"

CODES: Final[Mapping[str, Code]] = {
    "invalid_json": Code(400, _REQUEST, "the body is not strict JSON: syntax, depth, duplicates"),
    "invalid_request": Code(400, _REQUEST, "a field is missing, unknown or has the wrong type"),
    "unsupported_parameter": Code(400, _REQUEST, "this rig's engine can't honour that field"),
    "unsafe_text": Code(400, _REQUEST, "a public text holds characters that can deceive readers"),
    "sealed_invalid": Code(400, _REQUEST, "a sealed text doesn't open, or isn't whole"),
    "sealed_stale": Code(400, _REQUEST, "a sealed request is too old, or was used before"),
    "sealing_key_unknown": Code(400, _REQUEST, "sealed to a key that the rig no longer has"),
    "context_length_exceeded": Code(400, _REQUEST, "prompt and reply don't fit the context"),
    "content_filter": Code(400, _REQUEST, "a rule of this rig or network refuses the request"),
    "token_missing": Code(401, _AUTH, "no bearer token was sent"),
    "token_invalid": Code(401, _AUTH, "the token is not one that this rig accepts"),
    "token_expired": Code(401, _AUTH, "the token has expired; ask the tracker for a new one"),
    "sign_in_required": Code(401, _AUTH, "this page is for somebody who has signed in"),
    "proof_invalid": Code(401, _AUTH, "the signed proof doesn't fit this request"),
    "signature_invalid": Code(401, _AUTH, "a descriptor, keyset or log isn't what was signed"),
    "banned": Code(403, _PERMISSION, "an operator of the tracker banned this user or rig"),
    "operators_only": Code(403, _PERMISSION, "only the tracker's operators may do this"),
    "cross_site": Code(403, _PERMISSION, "a page of another site sent this"),
    "appeal_refused": Code(403, _PERMISSION, "this decision isn't yours to appeal, or no longer"),
    "key_replaced": Code(403, _PERMISSION, "this key was handed over to another one"),
    "registration_required": Code(403, _PERMISSION, "register this key first, or get an invite"),
    "not_found": Code(404, _MISSING, "no such route"),
    "node_not_found": Code(404, _MISSING, "no such rig on this tracker"),
    "note_not_found": Code(404, _MISSING, "no such note on this tracker"),
    "report_not_found": Code(404, _MISSING, "no report has that ticket"),
    "case_not_found": Code(404, _MISSING, "no such case, decision or appeal on this tracker"),
    "token_not_found": Code(404, _MISSING, "no token that this receipt may name"),
    "model_not_found": Code(404, _MISSING, "this rig doesn't offer that model"),
    "method_not_allowed": Code(405, _REQUEST, "the route exists, the method doesn't"),
    "descriptor_conflict": Code(409, _REQUEST, "a newer or different descriptor is already listed"),
    "note_conflict": Code(409, _REQUEST, "that version of the note, or its author, doesn't fit"),
    "receipt_conflict": Code(409, _REQUEST, "that request has another receipt already"),
    "handover_conflict": Code(409, _REQUEST, "the new key is known to this tracker already"),
    "decision_conflict": Code(409, _REQUEST, "that was decided, undone or answered already"),
    "node_offline": Code(409, _REQUEST, "the rig can't take requests now"),
    "body_too_large": Code(413, _REQUEST, "the body is larger than this route accepts"),
    "unsupported_media_type": Code(415, _REQUEST, "send plain application/json"),
    "rate_limited": Code(429, _LIMIT, "too many requests for this token"),
    "queue_full": Code(429, _LIMIT, "the rig's queue is full"),
    "cancelled": Code(400, _REQUEST, "the request was cancelled through its ticket"),
    "ticket_not_found": Code(404, _MISSING, "no request with that ticket waits or runs"),
    "queue_timeout": Code(503, _SERVER, "no turn at the rig's engine came in time"),
    "turn_timeout": Code(503, _SERVER, "the reply took longer than the rig allows"),
    "rig_offline": Code(503, _SERVER, "the rig isn't connected to its tracker now"),
    "rig_lost": Code(502, _SERVER, "the connection to the rig broke before the reply was complete"),
    "relay_full": Code(503, _SERVER, "as many requests as may run through that rig's tunnel do"),
    "internal_error": Code(500, _SERVER, "our fault; the request id leads to the log line"),
    "engine_error": Code(502, _SERVER, "the rig's engine gave an answer that makes no sense"),
    "engine_unavailable": Code(503, _SERVER, "the rig's engine doesn't answer"),
    "rig_paused": Code(503, _SERVER, "the rig takes no requests now; its owner decides when"),
    "engine_loading": Code(503, _SERVER, "the rig's engine is loading the model"),
    "moderation_unavailable": Code(503, _SERVER, "the rig's moderation service gave no answer"),
    "keyset_unavailable": Code(503, _SERVER, "the rig has no valid tracker keys yet"),
    "tracker_unreachable": Code(503, _SERVER, "no tracker answers at the address that was given"),
}


class LuckrigError(Exception):
    """An error whose text may be shown to the other side.

    code: a key of CODES. message: one sentence that says what to do; never a prompt, token or key.
    param: the field at fault, if there is one. retry_after_seconds: sent as Retry-After.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_seconds = retry_after_seconds

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return CODES[self.code].status

    @property
    def type(self) -> str:
        """OpenAI's error type of the code."""
        return CODES[self.code].type


class PeerError(LuckrigError):
    """The other side broke the rules: a bad request, token, proof or descriptor."""


class UpstreamError(LuckrigError):
    """The model engine behind a node proxy is down, loading, or talks nonsense."""


class TokenExpired(PeerError):
    """The token was good and is too old: the one token fault a client can mend by asking again."""

    def __init__(self) -> None:
        super().__init__("token_expired", "This token has expired. Ask the tracker for a new one.")


class TokenForged(PeerError):
    """Any other token fault. One text for all of them, so that it teaches a forger nothing."""

    def __init__(self) -> None:
        super().__init__(
            "token_invalid",
            "This token isn't valid at this rig. Ask the tracker for a token for this rig.",
        )


class Banned(PeerError):
    """The tracker revoked this user's tokens; raised at rigs, which don't know why."""

    def __init__(self) -> None:
        super().__init__(
            "banned",
            "The tracker that issued this token has banned its user, or they called it back. "
            "Ask it for a new token: its refusal says why, and until when.",
        )


def error_body(error: LuckrigError) -> dict[str, dict[str, str | None]]:
    """OpenAI's error shape, the same for tracker and node proxy."""
    return {
        "error": {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
        }
    }
