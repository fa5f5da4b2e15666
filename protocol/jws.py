"""JSON Web Signatures with one algorithm: `Ed25519` (RFC 9864), hard-coded.

Every historic JWS hole (alg=none, HS256 with a public key, jku, crit, kid tricks) needs a verifier
that lets the message choose. This one lets it choose nothing: the header must hold exactly the
fields that the caller's type names, and only one algorithm exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Generic, TypeVar, cast

import msgspec

from luckrig.protocol.encoding import b64url_bytes, b64url_decode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.keys import SIGNATURE_BYTES, Jwk, PrivateKey, PublicKey
from luckrig.protocol.strictjson import decode

ALGORITHM: Final = "Ed25519"
_MAX_REMEMBERED_CHARS: Final = 512


class KidHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names a key of a keyset that the verifier already holds. kid: RFC 7638 thumbprint."""

    alg: str
    kid: str
    typ: str


class JwkHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Carries the key itself, for signers whose id is the hash of their key."""

    alg: str
    jwk: Jwk
    typ: str


Header = TypeVar("Header", KidHeader, JwkHeader)
Claims = TypeVar("Claims")


@dataclass(frozen=True, slots=True)
class Jws(Generic[Header]):
    """A parsed signature that nobody has checked yet."""

    header: Header
    payload: bytes
    signature: bytes
    signed: bytes
    """What the signature covers: `protected ‖ "." ‖ payload`, both base64url."""

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether the key made this signature."""
        return key.verifies(self.signature, self.signed)


def sign_with_kid(payload: bytes, *, typ: str, key: PrivateKey) -> str:
    """A compact JWS whose header names the key by its thumbprint."""
    return _compact(_kid_header(typ, key.public), payload, key)


def sign_with_jwk(payload: bytes, *, typ: str, key: PrivateKey) -> str:
    """A compact JWS whose header carries the key."""
    return JwkSigner(typ=typ, key=key).sign(payload)


class JwkSigner:
    """Makes many of them: the header is made once."""

    def __init__(self, *, typ: str, key: PrivateKey) -> None:
        self._header = _jwk_header(typ, key.public)
        self._key = key

    def sign(self, payload: bytes) -> str:
        """A compact JWS whose header carries the key."""
        return _compact(self._header, payload, self._key)


def parse_parts(
    protected: str, payload: str, signature: str, *, header_type: type[Header], typ: str
) -> Jws[Header]:
    """Decode a JWS that comes in its three parts; the signature is still to be checked.

    Raises ValueError on anything but canonical base64url, a header with exactly the fields of
    header_type, our algorithm and the expected `typ`.
    """
    header = _read_header(protected, header_type)
    if header.alg != ALGORITHM or header.typ != typ:
        raise ValueError("wrong algorithm or type")
    raw_signature = b64url_decode(signature)
    if len(raw_signature) != SIGNATURE_BYTES:
        raise ValueError("wrong signature length")
    signed = f"{protected}.{payload}".encode("ascii")
    return Jws(header, b64url_decode(payload), raw_signature, signed)


def _parse(text: str, *, header_type: type[Header], typ: str, max_chars: int) -> Jws[Header]:
    """The same for a compact JWS. Raises ValueError, too, when it is too long or isn't one."""
    if len(text) > max_chars or text.count(".") != 2:
        raise ValueError("not a compact JWS")
    protected, payload, signature = text.split(".")
    return parse_parts(protected, payload, signature, header_type=header_type, typ=typ)


class NotSigned(ValueError):
    """No key that counts made the signature."""


def open_with_kid(
    text: str,
    claims_type: type[Claims],
    *,
    typ: str,
    max_chars: int,
    keys: Mapping[str, PublicKey],
) -> Claims:
    """The claims of a compact JWS, signed with one of these keys. keys: by their kid.

    Raises NotSigned, or ValueError for what is malformed.
    """
    parsed = _parse(text, header_type=KidHeader, typ=typ, max_chars=max_chars)
    key = keys.get(parsed.header.kid)
    if key is None or not parsed.is_signed_by(key):
        raise NotSigned
    return _decode_claims(parsed, claims_type)


def open_with_jwk(
    text: str, claims_type: type[Claims], *, typ: str, max_chars: int
) -> tuple[PublicKey, Claims]:
    """The claims of a compact JWS, and the key that it carries and is signed with.

    Whose key that is, is for the caller to ask. Raises as open_with_kid does.
    """
    parsed = _parse(text, header_type=JwkHeader, typ=typ, max_chars=max_chars)
    key = PublicKey.from_jwk(parsed.header.jwk)
    if not parsed.is_signed_by(key):
        raise NotSigned
    return key, _decode_claims(parsed, claims_type)


def _decode_claims(parsed: Jws[Header], claims_type: type[Claims]) -> Claims:
    """The payload as typed claims. Call it after the signature was checked.

    Raises ValueError on anything that isn't strict JSON of that type.
    """
    try:
        return decode(parsed.payload, claims_type)
    except PeerError as error:
        raise ValueError("bad claims") from error


def _read_header(protected: str, header_type: type[Header]) -> Header:
    if len(protected) > _MAX_REMEMBERED_CHARS:
        return _decode_header(protected, header_type)
    # A cast, for lru_cache forgets that the answer's type is the argument's.
    return cast(Header, _remembered_header(protected, header_type))


def _decode_header(protected: str, header_type: type[Header]) -> Header:
    try:
        return decode(b64url_decode(protected), header_type)
    except PeerError as error:
        raise ValueError("bad JWS header") from error


# The thousand tokens of one tracker have one header. Only good ones are remembered.
_remembered_header = lru_cache(maxsize=256)(_decode_header)


# One signer signs many: a rig its receipts, a tracker its tokens.
@lru_cache(maxsize=64)
def _kid_header(typ: str, key: PublicKey) -> bytes:
    header = KidHeader(alg=ALGORITHM, kid=key.thumbprint, typ=typ)
    return b64url_bytes(msgspec.json.encode(header))


@lru_cache(maxsize=64)
def _jwk_header(typ: str, key: PublicKey) -> bytes:
    header = JwkHeader(alg=ALGORITHM, jwk=key.jwk, typ=typ)
    return b64url_bytes(msgspec.json.encode(header))


def _compact(header: bytes, payload: bytes, key: PrivateKey) -> str:
    signed = b"%b.%b" % (header, b64url_bytes(payload))
    return (b"%b.%b" % (signed, b64url_bytes(key.sign(signed)))).decode("ascii")
