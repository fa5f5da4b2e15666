"""The network for one command: your key, what the tracker asks of it, turns, and their replays."""

import os
import secrets
import string
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from luckrig.cli.chat.turn import Moments, Turn
from luckrig.cli.home import Home
from luckrig.cli.key_registration import register_if_needed
from luckrig.cli.output import note, safe_line
from luckrig.cli.token import load_user_key
from luckrig.client.calling.network import CallSettings, Network, open_network
from luckrig.client.calls import Ask
from luckrig.client.history.replay import Replay
from luckrig.client.history.store import History
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.receipts import Measured
from luckrig.protocol.wire import NodeView

_SALT: Final = string.ascii_lowercase + string.digits
_SALT_CHARS: Final = 6


class Session:
    """Asks rigs in the user's name. Make one with open_session()."""

    def __init__(
        self,
        network: Network,
        *,
        origin: str,
        history: History | None,
        moments: Moments,
    ) -> None:
        """origin: the tracker's. history: None to keep no replays."""
        self._network = network
        self._origin = origin
        self._history = history
        self.moments = moments
        self.measured: list[Measured] = []
        """What was shared since somebody took them away from here."""

    async def rigs(self) -> list[NodeView]:
        """The map."""
        return await self._network.rigs()

    def turn(self, ask: Ask) -> Turn:
        """One request."""
        return Turn(self._network, ask, tracker=self._origin, moments=self.moments)

    def keep(self, replay: Replay | None) -> str | None:
        """Write a replay; its id, None where there is none. What keeps it from the disk is said."""
        if replay is None or self._history is None:
            return None
        try:
            self._history.write(replay, now=self.moments.clock())
        except (LuckrigError, OSError, ValueError) as error:
            why = error.message if isinstance(error, LuckrigError) else str(error)
            note(safe_line(f"No replay was kept: {why}"))
            return None
        return replay.replay_id


@asynccontextmanager
async def open_session(
    tracker: TrackerAddress,
    *,
    invite: str | None,
    keeps_replays: bool,
    share_timing: bool = False,
) -> AsyncGenerator[Session, None]:
    """A session with the key of this machine's user, which is made on first use."""
    home = Home.from_env(os.environ)
    user_key = load_user_key(home)
    measured: list[Measured] = []
    settings = CallSettings(share_timings=share_timing, tell_shared=measured.append)
    async with open_network(tracker, user_key, settings=settings) as network:
        await register_if_needed(network.tracker, user_key, invite=invite)
        session = Session(
            network,
            origin=tracker.origin,
            history=History(home.history_folder) if keeps_replays else None,
            moments=Moments(
                clock=time.time,
                monotonic=time.monotonic,
                new_salt=lambda: "".join(secrets.choice(_SALT) for _ in range(_SALT_CHARS)),
            ),
        )
        session.measured = measured
        yield session
