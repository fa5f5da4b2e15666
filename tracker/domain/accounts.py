"""The names under which users stand in the ledger.

Anybody may read the ledger, so it holds no user ids: a rig knows its users by pseudonyms that
differ from rig to rig, and the ledger mustn't join them up again. An account's name is a keyed hash
of its first user id and stays the same when the key changes. It has the shape of a user id.

What it doesn't hide: a rig's owner can tell their user's ledger name from day and size of a receipt
that only the two of them know, and then see on which other rigs' days that name stands.
"""

import base64
import hashlib
import hmac
from typing import Final

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.ids import ID_CHARS

_LABEL: Final = b"luckrig ledger account v1|"
_REQUEST_LABEL: Final = b"luckrig ledger request v1|"
_REQUEST_BYTES: Final = 18


def ledger_account(user_id: str, *, secret: bytes) -> str:
    """The account name of a user whose first id this is. secret: the tracker's, 32 bytes."""
    digest = hmac.digest(secret, _LABEL + user_id.encode("ascii"), hashlib.sha256)
    return "u1" + base64.b32encode(digest).decode("ascii").lower()[: ID_CHARS - 2]


def hidden_request(node_id: str, request_id: str, *, secret: bytes) -> str:
    """A request's id as it stands in the ledger: a rig can't look its own requests up there."""
    text = f"{node_id}|{request_id}".encode("ascii")
    digest = hmac.digest(secret, _REQUEST_LABEL + text, hashlib.sha256)
    return b64url_encode(digest[:_REQUEST_BYTES])
