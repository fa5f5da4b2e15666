"""One's own account at a tracker: sign in, export, delete."""

import msgspec

from luckrig.protocol.ids import UserId

Cell = str | int | float | None
"""What stands in a column of a table."""


class LoginReply(msgspec.Struct, frozen=True, kw_only=True):
    """An address that signs one browser in, once, until then (Unix seconds)."""

    url: str
    expires_at: int


class AccountExport(msgspec.Struct, frozen=True, kw_only=True):
    """All that a tracker stores of a user. tables: table → rows, as column → value.

    Bytes are base64url.
    """

    user_id: UserId
    account: str
    exported_at: int
    tables: dict[str, list[dict[str, Cell]]]


class EraseRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Delete an account. user_id: the one who signs this, again, so that it's no slip."""

    user_id: UserId


class EraseReply(msgspec.Struct, frozen=True, kw_only=True):
    """table → how many rows were deleted or emptied. held: whether a legal hold kept some."""

    erased: dict[str, int]
    held: bool
