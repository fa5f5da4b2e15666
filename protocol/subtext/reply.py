"""A sealed reply: frames of few sizes, each sealed with the next nonce.

Payload of the first frame: NONCE_BYTES random bytes of the rig, then a sealed frame. Of all others:
a sealed frame. A sealed frame is AES-128-GCM of

| bytes | what                                    |
|-------|-----------------------------------------|
| 2     | how many bytes of items, big endian     |
| n     | that part of the items                  |
| rest  | zeros up to the frame's size            |

with the associated data `final` in the last one and none in the others: a reply that was cut short
has no last frame, and says so. Frames have the sizes of FRAME_BYTES. A sealer may choose any; ours
chooses so that sizes say as little as may be of what is in the frames:

| frame                                   | size                                                   |
|-----------------------------------------|--------------------------------------------------------|
| first, with the head                    | 1024                                                   |
| others                                  | 128; from the moment on at which more than 4 such      |
|                                         | frames wait, 256 until the end, and so on up to 512    |
| while more than 4 of 512 or 1024 wait   | 1024 or 16384, for as long as they do                  |
| the end                                 | 1024, an even number of them, after any of 16384       |

So a stream whose text keeps up shows one size only, whatever its tokens are, and one whose text
doesn't changes its size twice at most, not whenever some tokens were long.

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
FRAME_BYTES: Final = (128, 256, 512, 1024, 16_384)
"""Plaintext of a frame, its two bytes of length included. Eight tokens make some 75 of them."""
BACKLOG_FRAMES: Final = 4
"""A larger frame is taken once more than so many of the size below are waiting."""
LAST_FRAMES: Final = 2
"""The end, with usage and receipt, has some 1,400 bytes: a multiple of so many frames."""
_STEADY_BYTES, _MIDDLE_BYTES, _LARGE_BYTES = FRAME_BYTES[:3], FRAME_BYTES[3], FRAME_BYTES[4]
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
        self._steady = FRAME_BYTES[0]

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

    def wide_frames(self) -> list[Frame]:
        """All that waits, in frames that aren't small; none when nothing does.

        For what no reader should get bit by bit, such as a head or an event unlike the one before.
        """
        frames: list[Frame] = []
        while self._waiting:
            frames.append(self._frame(self._size(is_wide=True), final=False))
        return frames

    def last_frames(self) -> list[Frame]:
        """All that waits, the last frame marked as such. Nothing may follow."""
        frames: list[Frame] = []
        while self._waits_more_than(_MIDDLE_BYTES):
            frames.append(self._frame(_LARGE_BYTES, final=False))
        count = -(-len(self._waiting) // (_MIDDLE_BYTES - _LENGTH_BYTES)) or 1
        count += -count % LAST_FRAMES
        frames += [self._frame(_MIDDLE_BYTES, final=False) for _ in range(count - 1)]
        return [*frames, self._frame(_MIDDLE_BYTES, final=True)]

    def _size(self, *, is_wide: bool = False) -> int:
        if self._waits_more_than(_MIDDLE_BYTES):
            return _LARGE_BYTES
        if is_wide or self._prefix or self._waits_more_than(_STEADY_BYTES[-1]):
            return _MIDDLE_BYTES
        # Sizes that went back again would tell, each time, that there were long tokens.
        self._steady = next(
            size
            for size in _STEADY_BYTES
            if size >= self._steady and not self._waits_more_than(size)
        )
        return self._steady

    def _waits_more_than(self, size: int) -> bool:
        """Whether more is waiting than BACKLOG_FRAMES of that size hold."""
        return len(self._waiting) > BACKLOG_FRAMES * (size - _LENGTH_BYTES)

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
        self._is_broken = False
        self.is_complete = False
        """Whether the last frame was opened."""

    def feed(self, frame: Frame) -> list[Item]:
        """The items that this frame completes.

        Raises PeerError sealed_invalid for a frame that is changed, out of order, of another reply
        or after the last one; nothing of it comes out, and no frame opens after it.
        """
        if self._is_broken or self.is_complete:
            raise _broken()
        self._is_broken = True  # until this one is known to be good: no hole is ever read over
        final = frame.kind == LAST_REPLY
        items = self._items.feed(_part(self._open(frame, final=final)))
        if final and not self._items.is_whole:
            raise _broken()
        self.is_complete, self._is_broken = final, False
        return items

    def _open(self, frame: Frame, *, final: bool) -> bytes:
        payload = frame.payload
        if frame.kind not in (REPLY, LAST_REPLY):
            raise _broken()
        if self._keys is None:
            nonce, payload = payload[:NONCE_BYTES], payload[NONCE_BYTES:]
            self._keys = _Keys(self._secret, self._encapsulation, nonce)
        if len(payload) - _TAG_BYTES not in FRAME_BYTES:
            raise _broken()
        try:
            return self._keys.open(payload, final=final)
        except InvalidTag as error:
            raise _broken() from error

    def close(self) -> None:
        """The carrier has ended. Raises PeerError sealed_invalid unless the last frame came."""
        if not self.is_complete:
            raise PeerError(
                "sealed_invalid", "The sealed reply was cut off before its end. Ask again."
            )


def _part(plaintext: bytes) -> bytes:
    length = int.from_bytes(plaintext[:_LENGTH_BYTES], "big")
    end = _LENGTH_BYTES + length
    if end > len(plaintext) or plaintext[end:].strip(b"\0"):
        raise _broken()
    return plaintext[_LENGTH_BYTES:end]


def _broken() -> PeerError:
    return PeerError(
        "sealed_invalid",
        "The sealed reply doesn't open: it was changed, reordered or mixed up on its way.",
    )
