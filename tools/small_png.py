"""Pictures of pages as small PNG files: at most 256 colours, which is what pages have.

A browser decodes them, so that no picture library is needed: only numpy, which the tests bring.
"""

import base64
import zlib
from struct import pack
from typing import Final

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page as Tab

Pixels = NDArray[np.uint8]
"""Rows, columns, and red, green and blue."""

_COLOURS: Final = 256
_DECODE: Final = """async (encoded) => {
  const bytes = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes]));
  const canvas = new OffscreenCanvas(image.width, image.height);
  const brush = canvas.getContext("2d");
  brush.drawImage(image, 0, 0);
  const { data } = brush.getImageData(0, 0, image.width, image.height);
  const parts = [];
  for (let at = 0; at < data.length; at += 32768) {
    parts.push(String.fromCharCode(...data.subarray(at, at + 32768)));
  }
  return [image.height, image.width, btoa(parts.join(""))];
}"""


def decode(tab: Tab, png: bytes) -> Pixels:
    """The picture's pixels. tab: any; its page isn't touched."""
    height, width, data = tab.evaluate(_DECODE, base64.b64encode(png).decode())
    flat = np.frombuffer(base64.b64decode(data), np.uint8)
    return flat.reshape(height, width, 4)[:, :, :3]


def encode(pixels: Pixels) -> bytes:
    """A PNG with a palette. Rare colours, all of them edges of letters, become their nearest."""
    height, width = pixels.shape[:2]
    numbers = pixels.reshape(-1, 3).astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    found, where, often = np.unique(numbers, return_inverse=True, return_counts=True)
    kept = np.sort(found[np.argsort(-often, kind="stable")[:_COLOURS]])
    palette, colours = _parts(kept), _parts(found)
    nearest = np.array(
        [np.argmin(((palette - each) ** 2).sum(axis=1)) for each in colours], np.uint8
    )
    rows = nearest[where.reshape(height, width)]
    lines = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette.astype(np.uint8).tobytes()),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def beside(left: Pixels, right: Pixels) -> Pixels:
    """Two pictures in one row, the shorter one continued in its last colour."""
    height = max(len(left), len(right))
    return np.hstack([_grown(each, height) for each in (left, right)])


def below(upper: Pixels, lower: Pixels) -> Pixels:
    """Two pictures of the same width in one column."""
    return np.vstack([upper, lower])


def _grown(pixels: Pixels, height: int) -> Pixels:
    return np.pad(pixels, ((0, height - len(pixels)), (0, 0), (0, 0)), mode="edge")


def _parts(numbers: NDArray[np.uint32]) -> NDArray[np.int32]:
    return np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=1).astype(np.int32)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))
