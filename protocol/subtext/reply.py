"""A sealed reply: frames of one size, each sealed with the next nonce.

Payload of the first frame: NONCE_BYTES random bytes of the rig, then a sealed frame. Of all others:
a sealed frame. A sealed frame is AES-128-GCM of

| bytes | what                                    |
|-------|-----------------------------------------|
| 2     | how many bytes of items, big endian     |
| n     | that part of the items                  |
| rest  | zeros up to the frame's size            |

with the associated data `final` in the last one and none in the others: a reply that was cut short
has no last frame, and says so. Frames have the sizes of FRAME_BYTES: the small one while text
trickles in, the larger ones for the first frame, which holds the head, and while more waits than
some small ones hold. Which one depends on how much waits in all, never on where a token ends.

    key ‖ base nonce = HKDF-SHA256(secret, salt = encapsulation ‖ nonce, info = LABEL), 28 bytes
    nonce of frame i = base nonce XOR i
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from luckrig.protocol.errors import PeerError
from luckrig.protocol.subtext.codec import LAST_REPLY, REPLY, Frame, FrameKind
from luckrig.protocol.subtext.items import Item, ItemReader

LABEL: Final = b"luckrig subtext 1 reply"
NONCE_BYTES: Final = 32
FRAME_BYTES: Final = (128, 1024, 16_384)
"""Plaintext of a frame, its two bytes of length included. Eight tokens make some 70 of them."""
BACKLOG_FRAMES: Final = 4
"""A larger frame is taken once more than so many of the size below are waiting."""
_LENGTH_BYTES: Final = 2
_FINAL: Final = b"final"
_KEY_BYTES, _IV_BYTES = 16, 12
_TAG_BYTES: Final = 16


class _Keys:
    """Key and nonces of one reply. Both ends count the frames."""

    def __init__(self, secret: bytes, encapsulation: bytes, nonce: bytes) -> None:
        derive = HKDF(
            algorithm=SHA256(),
            length=_KEY_BYTES + _IV_BYTES,
            salt=encapsulation + nonce,
            info=LABEL,
        )
        derived = derive.derive(secret)
        self._aead = AESGCM(derived[:_KEY_BYTES])
        self._base = int.from_bytes(derived[_KEY_BYTES:], "big")
        self._count = 0

    def seal(self, plaintext: bytes, *, final: bool) -> bytes:
        return self._aead.encrypt(self._next_iv(), plaintext, _FINAL if final else None)

    def open(self, sealed: bytes, *, final: bool) -> bytes:
        return self._aead.decrypt(self._next_iv(), sealed, _FINAL if final else None)

    def _next_iv(self) -> bytes:
        iv = (self._base ^ self._count).to_bytes(_IV_BYTES, "big")
        self._count += 1
        return iv


class ReplySealer:
    """Cuts items into frames.

    secret, encapsulation: of the opened request. nonce: NONCE_BYTES fresh random bytes.
    """

    def __init__(self, secret: bytes, encapsulation: bytes, nonce: bytes) -> None:
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a reply's nonce has {NONCE_BYTES} bytes")
        self._keys = _Keys(secret, encapsulation, nonce)
        self._prefix = nonce
        self._waiting = bytearray()

    def add(self, items: bytes) -> None:
        """Items, or a part of some, for the frames to come."""
        self._waiting += items

    @property
    def waiting_bytes(self) -> int:
        """Of items that no frame holds yet."""
        return len(self._waiting)

    def next_frame(self) -> Frame:
        """One frame with what fits of what waits, padded; of padding alone when nothing does."""
        return self._frame(self._size(), final=False)

    def last_frames(self) -> list[Frame]:
        """All that waits, the last frame marked as such. Nothing may follow."""
        frames: list[Frame] = []
        while len(self._waiting) > (size := self._size()) - _LENGTH_BYTES:
            frames.append(self._frame(size, final=False))
        return [*frames, self._frame(self._size(), final=True)]

    def _size(self) -> int:
        is_first = bool(self._prefix)
        for size in FRAME_BYTES[is_first:-1]:
            if len(self._waiting) <= BACKLOG_FRAMES * (size - _LENGTH_BYTES):
                return size
        return FRAME_BYTES[-1]

    def _frame(self, size: int, *, final: bool) -> Frame:
        room = size - _LENGTH_BYTES
        part = bytes(self._waiting[:room])
        del self._waiting[:room]
        plaintext = len(part).to_bytes(_LENGTH_BYTES, "big") + part.ljust(room, b"\0")
        prefix, self._prefix = self._prefix, b""
        kind: FrameKind = LAST_REPLY if final else REPLY
        return Frame(kind, prefix + self._keys.seal(plaintext, final=final))


class ReplyOpener:
    """Opens a reply's frames in their order. secret, encapsulation: of the sealed request."""

    def __init__(self, secret: bytes, encapsulation: bytes) -> None:
        self._secret = secret
        self._encapsulation = encapsulation
        self._keys: _Keys | None = None
        self._items = ItemReader()
        self.is_complete = False
        """Whether the last frame was opened."""

    def feed(self, frame: Frame) -> list[Item]:
        """The items that this frame completes.

        Raises PeerError sealed_invalid for a frame that is changed, out of order, of another reply
        or after the last one; nothing of it comes out. The opener is of no use afterwards.
        """
        if self.is_complete or frame.kind not in (REPLY, LAST_REPLY):
            raise _broken()
        payload, final = frame.payload, frame.kind == LAST_REPLY
        if self._keys is None:
            nonce, payload = payload[:NONCE_BYTES], payload[NONCE_BYTES:]
            self._keys = _Keys(self._secret, self._encapsulation, nonce)
        try:
            plaintext = self._keys.open(payload, final=final)
        except (InvalidTag, ValueError) as error:
            raise _broken() from error
        items = self._items.feed(_part(plaintext))
        if final:
            if self._items.is_inside:
                raise _broken()
            self.is_complete = True
        return items

    def close(self) -> None:
        """The carrier has ended. Raises PeerError sealed_invalid unless the last frame came."""
        if not self.is_complete:
            raise PeerError(
                "sealed_invalid", "The sealed reply was cut off before its end. Ask again."
            )


def _part(plaintext: bytes) -> bytes:
    length = int.from_bytes(plaintext[:_LENGTH_BYTES], "big")
    part = plaintext[_LENGTH_BYTES : _LENGTH_BYTES + length]
    if len(plaintext) not in FRAME_BYTES or len(part) != length:
        raise _broken()
    return part


def _broken() -> PeerError:
    return PeerError(
        "sealed_invalid",
        "The sealed reply doesn't open: it was changed, reordered or mixed up on its way.",
    )
