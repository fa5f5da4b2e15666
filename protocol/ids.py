"""Ids are hashes of keys, so an id can't be taken over by anyone who lacks its key.

    id = kind ‖ base32(SHA-256(Ed25519 public key))[:32], lower case      160 bits of the hash

| kind | whose key                                            |
|------|------------------------------------------------------|
| n1   | a node (one rig)                                     |
| u1   | a user                                               |
| r1   | a tracker's root; stands in its address after the #  |
"""

import base64
import hashlib
import re
from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec

from luckrig.protocol.keys import PublicKey

Kind = Literal["n1", "u1", "r1"]

ID_CHARS: Final = 34
"""Two characters of kind and 32 of hash."""

NODE_ID_PATTERN: Final = "^n1[a-z2-7]{32}$"
USER_ID_PATTERN: Final = "^u1[a-z2-7]{32}$"
ROOT_ID_PATTERN: Final = "^r1[a-z2-7]{32}$"

NodeId = Annotated[str, msgspec.Meta(pattern=NODE_ID_PATTERN, max_length=ID_CHARS)]
UserId = Annotated[str, msgspec.Meta(pattern=USER_ID_PATTERN, max_length=ID_CHARS)]
RootId = Annotated[str, msgspec.Meta(pattern=ROOT_ID_PATTERN, max_length=ID_CHARS)]
SubjectId = Annotated[str, msgspec.Meta(pattern="^[nu]1[a-z2-7]{32}$", max_length=ID_CHARS)]
"""A node or a user: whoever can be banned."""

_NODE_ID: Final = re.compile(NODE_ID_PATTERN)
_USER_ID: Final = re.compile(USER_ID_PATTERN)


@lru_cache(maxsize=1024)  # a rig needs its own for every receipt
def derive_id(kind: Kind, key: PublicKey) -> str:
    """The id of a key. Test vectors: tests/vectors/ids.json."""
    digest = base64.b32encode(hashlib.sha256(key.raw).digest()).decode("ascii").lower()
    return kind + digest[: ID_CHARS - len(kind)]


def is_node_id(text: str) -> bool:
    """Whether the text has the shape of a node id (not whether such a node exists)."""
    return len(text) == ID_CHARS and _NODE_ID.match(text) is not None


def is_user_id(text: str) -> bool:
    """The same for a user id."""
    return len(text) == ID_CHARS and _USER_ID.match(text) is not None
