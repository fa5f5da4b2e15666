"""Runs a tracker from the command line's home folder."""

import os
import random
import re
import secrets
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from luckrig.cli.home import Home
from luckrig.cli.serve import serving
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.keys import KEY_BYTES, PrivateKey
from luckrig.tracker.app import create_app
from luckrig.tracker.domain.reach import ReachBook
from luckrig.tracker.probe import HttpProber, SystemResolver, make_probe_client
from luckrig.tracker.service.keyset import SigningKeys, TrackerKeys
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.sqlite import open_store

_SIGNING: Final = re.compile(r"tracker-signing(?:-(?P<start>[0-9]{1,12}))?")


def load_signing_keys(home: Home, *, now: float) -> SigningKeys:
    """The tracker's signing keys, a first one made now if there is none.

    Their names say when they start to sign: tracker-signing-<Unix seconds>. One without a time is
    older than rotation, so its successor is due at once.
    """

    def make(start: int) -> PrivateKey:
        return home.create(_name_of(start), PrivateKey(secrets.token_bytes(KEY_BYTES)))

    found = [match for name in home.names() if (match := _SIGNING.fullmatch(name))]
    keys = {int(match["start"] or 0): home.load(match.string) for match in found}
    return SigningKeys(keys or {int(now): make(int(now))}, make=make)


def _name_of(start: int) -> str:
    return f"tracker-signing-{start}"


@asynccontextmanager
async def running_tracker(
    home: Home, settings: TrackerSettings, sock: socket.socket
) -> AsyncGenerator[TrackerAddress, None]:
    """Open the store and the keys under home and serve the tracker while the block runs."""
    keys = TrackerKeys(
        root=home.load_or_create("tracker-root"),
        signing=load_signing_keys(home, now=time.time()),
        pairwise=home.load_or_create_secret("tracker-pairwise"),
    )
    folder = home.path / "tracker"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = await open_store(folder / "tracker.db")
    resolver, reach = SystemResolver(), ReachBook()
    try:
        async with make_probe_client() as http:
            prober = HttpProber(
                http=http,
                resolve=resolver,
                reach=reach,
                root_id=keys.root_id,
                timeout_seconds=settings.health_timeout_seconds,
                allow_private=settings.allow_private_endpoints,
                clock=time.time,
                random_bytes=os.urandom,
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
                reach=reach,
            )
            async with serving(app, sock):
                yield TrackerAddress(settings.public_url, keys.root_id)
    finally:
        resolver.close()
        await store.aclose()
