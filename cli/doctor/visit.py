"""The checks in their order: each one is made when what it needs is there."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from luckrig.cli.config import Config
from luckrig.cli.doctor import here, there
from luckrig.cli.doctor.chat import check_chat, stream_chat
from luckrig.cli.doctor.result import CheckResult, ok, skipped
from luckrig.cli.home import Home
from luckrig.cli.options import DEFAULT_TRACKER
from luckrig.client.tracker import TrackerClient, open_tracker
from luckrig.nodeproxy.control import RigStatus, ShowStatus, ask_rig
from luckrig.nodeproxy.engines.advice import what_to_do
from luckrig.nodeproxy.engines.detect import (
    CANDIDATE_PORTS,
    Examined,
    Found,
    Missed,
    examine,
    find_engines,
)
from luckrig.nodeproxy.opening import Reason
from luckrig.nodeproxy.settings import engine_api_key
from luckrig.protocol.address import TrackerAddress, parse_tracker_address
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import NodeDetail, TokenReply, TrackerHealth

ASK_RIG_SECONDS: Final = 5.0
TOKEN_SECONDS: Final = 120
_NOT_RUNNING: Final = "your rig isn't running"
_NO_KEY: Final = "your rig's key can't be used: see keys"
_NO_OWNER_EITHER: Final[frozenset[Reason]] = frozenset({"draining", "too_hot", "power"})
"""Reasons that close a rig to its owner as well."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is to be looked at, and how.

    tracker, engine: as the command line names them; None for what the rig that runs uses, or
    config.toml says. sends_prompt: whether a chat may be asked for. ports: where engines are looked
    for. clock: Unix seconds. monotonic: seconds from any origin. system: as platform.system().
    """

    home: Home
    environ: Mapping[str, str]
    tracker: TrackerAddress | None
    engine: str | None
    sends_prompt: bool
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    system: str
    ports: Sequence[int] = CANDIDATE_PORTS


class Visit:
    """results() makes the checks; what one of them finds is here for the next."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._rig: RigStatus | LuckrigError = LuckrigError("node_offline", "Not asked yet.")
        self._config: Config | None = None
        self._node_key: PrivateKey | None = None
        self._user_key: PrivateKey | None = None

    async def results(self) -> AsyncGenerator[CheckResult, None]:
        """Each check's result as soon as it is known. Raises nothing because of what is broken."""
        subject = self._subject
        self._rig = await self._ask_rig()
        yield here.check_keys(subject.home)
        self._node_key = here.usable_key(subject.home, "node")
        self._user_key = here.usable_key(subject.home, "user")
        settings, self._config = here.check_settings(subject.home, subject.environ)
        yield settings
        address = self._tracker_address()
        if address is None:
            async for result in self._without_tracker("config.toml can't be read"):
                yield result
            return
        async with open_tracker(
            address, clock=subject.clock, new_jti=lambda: secrets.token_urlsafe(16)
        ) as tracker:
            answer, clock = await self._meet(tracker)
            yield clock
            async for result in self._engine():
                yield result
            met = there.check_tracker(address, answer)
            yield met
            yield here.check_rig(self._rig)
            trusted = not isinstance(answer, LuckrigError)
            why_not = "" if trusted else "the tracker can't be asked: see above"
            async for result in self._at_tracker(tracker, why_not):
                yield result

    async def _without_tracker(self, why: str) -> AsyncGenerator[CheckResult, None]:
        yield skipped("clock", why)
        async for result in self._engine():
            yield result
        yield skipped("tracker", why)
        yield here.check_rig(self._rig)
        for name in ("tunnel", "map", "token", "chat"):
            yield skipped(name, why)

    async def _ask_rig(self) -> RigStatus | LuckrigError:
        folder = self._subject.home.run_folder
        try:
            return await asyncio.to_thread(
                ask_rig, folder, ShowStatus(), timeout_seconds=ASK_RIG_SECONDS
            )
        except LuckrigError as error:
            return error

    def _tracker_address(self) -> TrackerAddress | None:
        if self._subject.tracker is not None:
            return self._subject.tracker
        if isinstance(self._rig, RigStatus) and self._rig.tracker:
            return parse_tracker_address(self._rig.tracker)
        if self._config is None:
            return None
        return parse_tracker_address(self._config.rig.tracker or DEFAULT_TRACKER)

    async def _meet(
        self, tracker: TrackerClient
    ) -> tuple[TrackerHealth | LuckrigError, CheckResult]:
        """(what the tracker answers, the check of the clock)."""
        clock = self._subject.clock
        before = clock()
        try:
            date = await tracker.transport.date()
        except LuckrigError as error:
            return error, skipped("clock", "the tracker, whose clock counts, doesn't answer")
        # Date has whole seconds, and was written at some moment between the two.
        off = None if date is None else (before + clock()) / 2 - (date + 0.5)
        result = there.check_clock(off, system=self._subject.system)
        try:
            return await tracker.health(), result
        except LuckrigError as error:
            return error, result

    # The engine

    async def _engine(self) -> AsyncGenerator[CheckResult, None]:
        rig = self._rig if isinstance(self._rig, RigStatus) else None
        choice = self._engine_choice(rig)
        if choice is None:
            yield skipped("engine", "config.toml can't be read")
            yield skipped("models", "config.toml can't be read")
            return
        if choice == "tiny":
            yield here.tiny_engine()
            yield skipped("models", "tiny's own starts with the rig")
            return
        examined = await self._examine(choice)
        result = here.check_engine(examined, rig)
        yield result
        if isinstance(examined, Found) and result.outcome == "ok":
            yield here.check_models(examined, self._config, rig)
        else:
            yield skipped("models", "the engine can't be asked")

    def _engine_choice(self, rig: RigStatus | None) -> str | None:
        if self._subject.engine is not None:
            return self._subject.engine
        if rig is not None and rig.engine_url:
            return rig.engine_url
        return None if self._config is None else self._config.rig.engine or "auto"

    async def _examine(self, choice: str) -> Examined | None:
        key = self._engine_key()
        if choice != "auto":
            return await examine(choice, api_key=key)
        search = await find_engines(self._subject.ports, api_key=key)
        usable = [found for found in search.found if what_to_do(found.state) is None]
        speaking: list[Missed] = [missed for missed in search.missed if not missed.is_silent]
        choices: list[Examined] = [*usable, *search.found, *speaking]
        return choices[0] if choices else None

    def _engine_key(self) -> str | None:
        try:
            return engine_api_key(self._subject.environ)
        except ValueError:
            return None  # which the settings' check has told

    # The tracker

    async def _at_tracker(
        self, tracker: TrackerClient, why_not: str
    ) -> AsyncGenerator[CheckResult, None]:
        """From the tunnel on. why_not: why the tracker can't be asked, empty when it can."""
        rig = self._rig
        why_not = _NOT_RUNNING if isinstance(rig, LuckrigError) else why_not
        if isinstance(rig, LuckrigError) or (why_not and rig.tunnel is None):
            for name in ("tunnel", "map", "token", "chat"):
                yield skipped(name, why_not)
            return
        detail = None if why_not else await self._detail(tracker)
        if rig.tunnel is not None:
            way = there.check_tunnel(rig.tunnel, system=self._subject.system)
        elif isinstance(detail, NodeDetail):
            way = there.check_reach(detail.reach, rig.base_url)
        else:
            way = skipped("endpoint", _NO_KEY if self._node_key is None else "see map")
        yield way
        why = why_not or ("" if self._node_key else _NO_KEY)
        if way.outcome == "failed" and not why:
            why = f"clients can't come in: see {way.check}"
        if why or detail is None:
            for name in ("map", "token", "chat"):
                yield skipped(name, why)
            return
        listed = there.check_map(detail, rig)
        yield listed
        async for result in self._as_client(tracker, rig, detail, listed):
            yield result

    async def _detail(self, tracker: TrackerClient) -> NodeDetail | LuckrigError:
        if self._node_key is None:
            return LuckrigError("invalid_request", "The rig's key can't be used")
        try:
            return await tracker.node(derive_id("n1", self._node_key.public))
        except LuckrigError as error:
            return error

    async def _as_client(
        self,
        tracker: TrackerClient,
        rig: RigStatus,
        detail: NodeDetail | LuckrigError,
        listed: CheckResult,
    ) -> AsyncGenerator[CheckResult, None]:
        why = ""
        if isinstance(detail, LuckrigError) or self._user_key is None:
            why = (
                "your rig isn't on the map"
                if self._user_key
                else "your key can't be used: see keys"
            )
        elif detail.node.status in ("unavailable", "unknown"):
            why = f"the tracker shows your rig as {detail.node.status}"
        if why or isinstance(detail, LuckrigError) or self._user_key is None:
            yield skipped("token", why)
            yield skipped("chat", "there is no token")
            return
        try:
            token = await tracker.token(
                detail.node.id, user_key=self._user_key, ttl_seconds=TOKEN_SECONDS
            )
        except LuckrigError as error:
            yield there.token_failed(error)
            yield skipped("chat", "there is no token")
            return
        yield ok("token", f"for {token.base_url}")
        yield await self._chat(rig, detail, token)

    async def _chat(self, rig: RigStatus, detail: NodeDetail, token: TokenReply) -> CheckResult:
        """Your own request at your own rig: it passes a pause, and counts for nobody."""
        offers = [offer for offer in detail.node.offers if offer.model in token.models]
        chats = [o.model for o in offers if not o.capabilities or "chat" in o.capabilities]
        why = ""
        if not self._subject.sends_prompt:
            why = "you said --no-prompt"
        elif rig.reason in _NO_OWNER_EITHER:
            why = "your rig is closed, to you as well"
        elif not chats:
            why = "none of its models chats"
        elif token.base_url != detail.node.base_url:
            # Else a tracker could have the request sent wherever it likes.
            why = "the tracker's token leads to an address that the rig didn't sign"
        if why:
            return skipped("chat", why)
        try:
            streamed = await stream_chat(token, chats[0], monotonic=self._subject.monotonic)
        except LuckrigError as error:
            return check_chat(chats[0], error)
        return check_chat(chats[0], streamed)
