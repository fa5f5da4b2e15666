"""Tuning notes: how to get the most out of a rig, written by anybody, version by version.

Two compact JWS whose header carries the signer's key, header exactly {alg, jwk, typ}:

| document     | typ                  | signed by             | says                             |
|--------------|----------------------|-----------------------|----------------------------------|
| note         | "lr-note+jwt"        | its author            | one version of a text: see Note  |
| reproduction | "lr-reproduced+jwt"  | whoever did it        | "I got what it says"             |
"""

import re
from typing import Annotated, Final

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NodeId, derive_id
from luckrig.protocol.keys import PrivateKey, PublicKey
from luckrig.protocol.text import MAX_NOTE_CHARS, check_note
from luckrig.protocol.tokens import Opaque

NOTE_TYPE: Final = "lr-note+jwt"
REPRODUCED_TYPE: Final = "lr-reproduced+jwt"
MAX_SIGNED_NOTE_CHARS: Final = 40_000
"""4,000 characters of four bytes each, in JSON and base64url, with references and header."""
MAX_REFERENCES: Final = 8
MAX_REFERENCE_CHARS: Final = 300
MAX_VERSION: Final = 100
NOTE_SKEW_SECONDS: Final = 60

_Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Version = Annotated[int, msgspec.Meta(ge=1, le=MAX_VERSION)]

_NOTE_REFERENCE: Final = re.compile(r"note:[A-Za-z0-9_-]{16,64}@[1-9][0-9]{0,2}")
_URL_REFERENCE: Final = re.compile(
    r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~%!$&'()*+,;=:@/?#-]*)?"
)


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a note about a rig.

    note_id: chosen by its author, the same for all versions. version: 1, 2, 3, … without gaps.
    references: `note:<id>@<version>`, or an https URL.
    """

    note_id: Opaque
    version: _Version
    node_id: NodeId
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NOTE_CHARS)]
    references: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=MAX_REFERENCE_CHARS)]],
        msgspec.Meta(max_length=MAX_REFERENCES),
    ]
    iat: _Seconds


class Reproduction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody did what one version of a note says, and got what it says."""

    note_id: Opaque
    version: _Version
    iat: _Seconds


def sign_note(note: Note, *, author_key: PrivateKey) -> str:
    """The note as its author signs it."""
    return jws.sign_with_jwk(msgspec.json.encode(note), typ=NOTE_TYPE, key=author_key)


def sign_reproduction(reproduction: Reproduction, *, user_key: PrivateKey) -> str:
    """The word of somebody who did it."""
    payload = msgspec.json.encode(reproduction)
    return jws.sign_with_jwk(payload, typ=REPRODUCED_TYPE, key=user_key)


def verify_note(text: str, *, now: float) -> tuple[str, Note]:
    """(user id of the author, the note).

    Raises PeerError signature_invalid, unsafe_text for a text that deceives, invalid_request for
    an empty one and for a reference that is none.
    """
    key, note = _open(text, typ=NOTE_TYPE, kind=Note)
    _check_time(note.iat, now)
    check_note(note.text, field="text")
    if not note.text.strip():
        raise PeerError("invalid_request", "text is empty.", param="text")
    for index, reference in enumerate(note.references):
        if not (_NOTE_REFERENCE.fullmatch(reference) or _URL_REFERENCE.fullmatch(reference)):
            raise PeerError(
                "invalid_request",
                "A reference is note:<id>@<version>, or a plain https URL.",
                param=f"references[{index}]",
            )
    return derive_id("u1", key), note


def verify_reproduction(text: str, *, now: float) -> tuple[str, Reproduction]:
    """(user id of the signer, what they did). Raises PeerError signature_invalid."""
    key, reproduction = _open(text, typ=REPRODUCED_TYPE, kind=Reproduction)
    _check_time(reproduction.iat, now)
    return derive_id("u1", key), reproduction


def _open(text: str, *, typ: str, kind: type[jws.Claims]) -> tuple[PublicKey, jws.Claims]:
    try:
        return jws.open_with_jwk(text, kind, typ=typ, max_chars=MAX_SIGNED_NOTE_CHARS)
    except jws.NotSigned as error:
        raise _refused("isn't signed with the key it carries") from error
    except ValueError as error:
        raise _refused("is malformed") from error


def _check_time(iat: int, now: float) -> None:
    if iat > now + NOTE_SKEW_SECONDS:
        raise _refused("was made in the future; check the clock of the machine that made it")


def _refused(why: str) -> PeerError:
    return PeerError("signature_invalid", f"The signed note {why}.")
