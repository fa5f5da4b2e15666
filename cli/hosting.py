"""Runs a tracker from the command line's home folder."""

import os
import random
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from luckrig.cli.home import Home
from luckrig.cli.serve import serving
from luckrig.protocol.address import TrackerAddress
from luckrig.tracker.app import create_app
from luckrig.tracker.probe import HttpProber, make_probe_client, resolve_host
from luckrig.tracker.service.keyset import TrackerKeys
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.sqlite import open_store


@asynccontextmanager
async def running_tracker(
    home: Home, settings: TrackerSettings, sock: socket.socket
) -> AsyncGenerator[TrackerAddress, None]:
    """Open the store and the keys under home and serve the tracker while the block runs."""
    keys = TrackerKeys(
        root=home.load_or_create("tracker-root"),
        signing=home.load_or_create("tracker-signing"),
        pairwise=home.load_or_create_secret("tracker-pairwise"),
    )
    folder = home.path / "tracker"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = await open_store(folder / "tracker.db")
    try:
        async with make_probe_client() as http:
            prober = HttpProber(
                http=http,
                resolve=resolve_host,
                timeout_seconds=settings.health_timeout_seconds,
                allow_private=settings.allow_private_endpoints,
            )
            app = create_app(
                settings,
                store,
                keys,
                prober,
                clock=time.time,
                random_bytes=os.urandom,
                rng=random.Random(),  # noqa: S311 -- jitter, not a secret
                version=version("luckrig"),
            )
            async with serving(app, sock):
                yield TrackerAddress(settings.public_url, keys.root_id)
    finally:
        await store.aclose()
