"""Canonical base64url (RFC 4648 §5, no padding): one byte string has exactly one spelling.

A decoder that accepts several spellings of one token lets a cache, a deny list and a verifier
disagree about whether two tokens are the same.
"""

import base64
import binascii


def b64url_encode(data: bytes) -> str:
    """Bytes to unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """The bytes of canonical, unpadded base64url.

    Raises ValueError on padding, foreign characters, or bits that the last character must not set.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64url") from error
    if b64url_encode(data) != text:
        raise ValueError("not canonical base64url")
    return data
