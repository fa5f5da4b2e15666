"""A stand-in engine, a node proxy in front of it, and a moderation service for its owner."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fake_engines.moderation import FakeModeration
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.rigs import Rig, running_rig


@pytest.fixture
async def engine() -> AsyncIterator[FakeOpenAi]:
    """A stand-in that answers at once, unless a test sets its pace."""
    async with FakeOpenAi() as running:
        yield running


@pytest.fixture
def rig_settings() -> dict[str, Any]:
    """Fields of NodeSettings, for `rig`: modules override this, and seldom `rig` itself."""
    return {}


@pytest.fixture
async def rig(engine: FakeOpenAi, rig_settings: dict[str, Any]) -> AsyncIterator[Rig]:
    """A node proxy in front of the engine."""
    async with running_rig(engine.url, **rig_settings) as running:
        engine.requests.clear()  # the survey
        yield running


@pytest.fixture
async def service() -> AsyncIterator[FakeModeration]:
    """A moderation service that flags one word."""
    async with FakeModeration(flagged={"awful": "hate"}) as running:
        yield running
