"""Canonical base64url (RFC 4648 §5, no padding): one byte string has exactly one spelling.

A decoder that accepts several spellings of one token lets a cache, a deny list and a verifier
disagree about whether two tokens are the same.
"""

import binascii
from typing import Final

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_+/", b"+/--")  # a plain + or / becomes what base64 lacks


def b64url_encode(data: bytes) -> str:
    """Bytes to unpadded base64url."""
    return b64url_bytes(data).decode("ascii")


def b64url_bytes(data: bytes) -> bytes:
    """The same as ASCII."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


def b64url_decode(text: str) -> bytes:
    """The bytes of canonical, unpadded base64url.

    Raises ValueError on padding, foreign characters, or bits that the last character must not set.
    """
    try:
        padded = text.encode("ascii").translate(_FROM_URL) + b"=" * (-len(text) % 4)
        data = binascii.a2b_base64(padded, strict_mode=True)
    except ValueError as error:
        raise ValueError("not base64url") from error
    if b64url_encode(data) != text:
        raise ValueError("not canonical base64url")
    return data
