"""The tiny model that ships with luckrig: where it is, and what it was made for."""

from pathlib import Path
from typing import Final

TINY_MODEL: Final = Path(__file__).with_name("tiny.gguf")
TINY_CONTEXT: Final = 2048
"""Tokens for each request. Its tokens are single characters, so this is a page of text."""
