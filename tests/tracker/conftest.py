"""What several files of tests about the tracker begin with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from luckrig.tracker.store.interface import Store
from luckrig.tracker.store.memory import MemoryStore
from luckrig.tracker.store.sqlite import open_store


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Each kind of store in turn."""
    store = MemoryStore() if request.param == "memory" else await open_store(tmp_path / "t.db")
    yield store
    await store.aclose()
