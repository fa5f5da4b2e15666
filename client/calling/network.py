"""The Caller of the network: opened with a tracker's address and a user's key.

One call goes to at most MAX_TRIES rigs, one after the other, until the first byte of a reply comes.
What is about the request itself (a bad field, a rule that refuses it, a ban) isn't asked twice.
"""

import asyncio
import logging
import os
import random
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

from luckrig.client.calling.attempt import Answer, Attempts
from luckrig.client.calling.body import LiveBody
from luckrig.client.calling.connections import open_connections
from luckrig.client.calling.matching import Candidate, check_quant, find, find_named
from luckrig.client.calling.picking import Choice, Measure, Standing, pick
from luckrig.client.calling.receipts import ReceiptBox
from luckrig.client.calling.rig_map import RigMap
from luckrig.client.calling.rig_tokens import NoToken, RigTokens
from luckrig.client.calling.run import UNFIT, Run
from luckrig.client.calling.sealing import SealingKeys
from luckrig.client.calling.sending import Deadlines, Sender, TooManyAtOnce
from luckrig.client.calling.witness import Witness
from luckrig.client.calls import Ask, Reply
from luckrig.client.receipts import Witnessed
from luckrig.client.tracker import TrackerClient, open_tracker
from luckrig.client.transport import TrackerUnreachable
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor import Offer
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import is_node_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.receipts import Measured
from luckrig.protocol.wire import NodeView

MAX_TRIES: Final = 4
MAX_PROBLEMS: Final = 16
"""Rigs that don't seal, or should get nothing plain, are no tries: nothing was sent."""
LONGEST_WAIT_SECONDS: Final = 10.0
"""For a rig that asks for a pause, when there is no other."""
MAX_STANDINGS: Final = 4096

_OF_THE_USER: Final = frozenset(
    "banned body_too_large registration_required key_replaced proof_invalid token_missing".split()
)
"""Whichever rig is asked: the tracker, the user's own clock, or the request's length, is why."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CallSettings:
    """How calls are made. share_timings: send one's own measurements with countersignatures.

    tell_shared: gets each of those before it leaves.
    """

    share_timings: bool = False
    tell_shared: Callable[[Measured], None] | None = None
    deadlines: Deadlines = field(default_factory=Deadlines)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The outside world, so that tests have their own.

    clock: Unix seconds. monotonic: seconds. sleep: by that clock; linger: the same for background
    work. rng: draws rigs, nothing secret.
    """

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    linger: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: random.Random = field(default_factory=random.SystemRandom)


class Network:
    """Implements client.calls.Caller. open_network() makes one."""

    def __init__(
        self,
        attempts: Attempts,
        tracker: TrackerClient,
        rig_map: RigMap,
        receipts: ReceiptBox,
        settings: CallSettings,
        world: Surroundings,
    ) -> None:
        self._attempts = attempts
        self.tracker = tracker
        self._map = rig_map
        self._receipts = receipts
        self._settings = settings
        self._world = world
        self._standings: dict[str, Standing] = {}

    async def rigs(self) -> list[NodeView]:
        """The map, at most some seconds old. Raises LuckrigError."""
        return await self._map.rigs()

    async def rig(self, node: str) -> NodeView:
        """One rig, as it signed itself. node: an id, the beginning of one, or its exact name."""
        if is_node_id(node):
            return await self._map.look_up(node)
        [found] = find_named(await self._map.rigs(), node)
        return await self._map.look_up(found.id)

    async def call(self, ask: Ask) -> Reply:
        """The first rig's reply whose first byte came; calls.Caller says what it raises."""
        check_quant(ask.wanted.quant)
        run = Run(ask)
        while run.tries < MAX_TRIES and len(run.problems) < MAX_PROBLEMS:
            try:
                choice = await self._next(run)
            except LuckrigError:
                if not run.problems:
                    raise
                break  # the map changed meanwhile; what the rigs said that were asked tells more
            if choice is None:
                break
            reply = await self._try(run, choice)
            if reply is not None:
                return reply
        raise run.failure()

    async def _next(self, run: Run) -> Choice | None:
        """Who to ask, after waiting for a rig that asked for it; None when nobody is left."""
        choices = [
            Choice(each, self._standing(each.rig), self._map.shared(each.rig, each.offer))
            for each in await self._candidates(run.ask)
            if each.rig.id not in run.tried
            and not (run.needs_token and not self._attempts.tokens.has(each.rig.id))
        ]
        now = self._world.monotonic()
        if rested := [each for each in choices if each.standing.rests_until <= now]:
            return pick(rested, self._world.rng)
        if not choices:
            return None
        # Nobody else is there. What only failed lately may be asked again, what asked for a rest is
        # left in peace.
        soonest = min(choices, key=lambda each: each.standing.rests_until)
        if soonest.standing.asked:
            seconds = soonest.standing.rests_until - now
            if run.waited or seconds > LONGEST_WAIT_SECONDS:
                run.resting(soonest, seconds)
                return None
            run.waited = True
            await self._world.sleep(seconds)
        return soonest

    async def _candidates(self, ask: Ask) -> list[Candidate]:
        rigs, wanted = await self._map.rigs(), ask.wanted
        if wanted.node is not None and is_node_id(wanted.node):
            if all(rig.id != wanted.node for rig in rigs):
                # Some are on no list, and still there for those who know their id.
                rigs = [*rigs, await self._map.look_up(wanted.node)]
        return find(rigs, wanted, path=ask.path, speed=self._speed)

    async def _try(self, run: Run, choice: Choice) -> Reply | None:
        """The reply of that rig; None when it gives none, which the run remembers."""
        standing = choice.standing
        standing.running += 1
        try:
            candidate = await self._as_signed(choice.candidate, run.ask)
            model = candidate.offer.model
            answer = await self._attempts.make(run.ask, candidate.rig, model)
        except LuckrigError as error:
            standing.running -= 1
            self._note(run, choice, error)
            return None
        except BaseException:
            standing.running -= 1
            raise
        standing.worked()
        return self._reply(run, candidate, answer, standing)

    async def _as_signed(self, candidate: Candidate, ask: Ask) -> Candidate:
        """The same with all that the rig signed; it may offer other models by now."""
        rig = await self._map.verified(candidate.rig)
        wanted = replace(ask.wanted, node=rig.id)
        return find([rig], wanted, path=ask.path, speed=self._speed)[0]

    def _note(self, run: Run, choice: Choice, error: LuckrigError) -> None:
        """Remember why a rig gave no reply. Raises what no other rig can mend."""
        rig = choice.candidate.rig
        _log.info("rig %s gave no reply: %s", rig.id, error.code)
        if error.code in _OF_THE_USER or isinstance(error, TooManyAtOnce):
            raise error
        if isinstance(error, (NoToken, TrackerUnreachable)):
            run.needs_token = True
        elif error.code != UNFIT:
            choice.standing.failed(self._world.monotonic(), error.retry_after_seconds)
            if error.code in ("signature_invalid", "model_not_found", "node_not_found"):
                self._map.distrust(rig.id)
        run.failed(choice, error)

    def _reply(self, run: Run, candidate: Candidate, answer: Answer, standing: Standing) -> Reply:
        ask, incoming = run.ask, answer.incoming
        is_stream = incoming.is_events
        witness = Witness(
            is_stream=is_stream, monotonic=self._world.monotonic, sent_at=answer.sent_at
        )

        def on_end(whole: bool) -> None:
            standing.running -= 1
            if whole and incoming.status == 200:
                self._learn(witness, standing, candidate.offer.model, answer.token)

        body = LiveBody(incoming, answer.first, witness=witness, path=ask.path, on_end=on_end)
        return Reply(
            status=incoming.status,
            headers=incoming.headers,
            rig=candidate.rig,
            model=candidate.offer.model,
            subtext=ask.wanted.subtext,
            is_stream=is_stream,
            pieces=body,
            close=body.aclose,
            tries=len(run.problems) + 1,
            sent_at=answer.sent_at,
        )

    def _learn(self, witness: Witness, standing: Standing, model: str, token: str) -> None:
        if (measure := witness.measure) is not None:
            standing.measured(model, measure)
        if witness.receipt is not None:
            measured = witness.measured if self._settings.share_timings else None
            if measured is not None and self._settings.tell_shared is not None:
                self._settings.tell_shared(measured)
            seen = Witnessed(token=token, output_bytes=witness.output_bytes, measured=measured)
            self._receipts.put(witness.receipt, seen)

    def _speed(self, rig: NodeView, offer: Offer) -> float | None:
        standing = self._standings.get(rig.id)
        own = None if standing is None else standing.own.get(offer.model)
        measure: Measure | None = own or self._map.shared(rig, offer)
        return None if measure is None else measure.tokens_per_second

    def _standing(self, rig: NodeView) -> Standing:
        standing = self._standings.get(rig.id)
        if standing is None:
            if len(self._standings) >= MAX_STANDINGS:
                self._standings = {
                    key: each for key, each in self._standings.items() if each.running
                }
            standing = self._standings[rig.id] = Standing()
        return standing


@asynccontextmanager
async def open_network(
    address: TrackerAddress,
    user_key: PrivateKey,
    *,
    settings: CallSettings | None = None,
    world: Surroundings | None = None,
) -> AsyncGenerator[Network]:
    """A Caller with connections and background work of its own, which end with the block."""
    settings, world = settings or CallSettings(), world or Surroundings()
    async with (
        open_tracker(address, clock=world.clock, new_jti=_new_jti) as tracker,
        open_connections() as pool,
    ):
        sender = Sender(pool, settings.deadlines)
        rig_map = RigMap(tracker, monotonic=world.monotonic)
        receipts = ReceiptBox(tracker, user_key, clock=world.clock, sleep=world.linger)
        attempts = Attempts(
            sender=sender,
            tokens=RigTokens(tracker, user_key, clock=world.clock),
            keys=SealingKeys(sender, clock=world.clock),
            user_key=user_key,
            clock=world.clock,
            monotonic=world.monotonic,
            new_jti=_new_jti,
            random_bytes=os.urandom,
        )
        task = asyncio.create_task(receipts.run())
        try:
            yield Network(attempts, tracker, rig_map, receipts, settings, world)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await rig_map.close()
            await receipts.close()


def _new_jti() -> str:
    return secrets.token_urlsafe(16)
