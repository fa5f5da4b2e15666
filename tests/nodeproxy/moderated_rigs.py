"""Rigs whose owner set a moderation service."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from luckrig.nodeproxy.settings import ModerationSettings
from tests.fake_engines.moderation import FakeModeration
from tests.nodeproxy.rigs import Rig, running_rig

KEY = "sk-sentinel-key-4711"


@asynccontextmanager
async def moderated_rig(
    engine_url: str, service: FakeModeration, folder: Path, **moderation: Any
) -> AsyncGenerator[Rig, None]:
    """A node proxy that asks the service. moderation: fields of ModerationSettings."""
    settings = ModerationSettings(
        origin=service.url, path="/v1/moderations", folder=folder, key=KEY, **moderation
    )
    async with running_rig(engine_url, max_active=4, moderation=settings) as rig:
        yield rig


def flags_in(folder: Path) -> list[dict[str, Any]]:
    """The lines of the flags file."""
    path = folder / "flags.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
