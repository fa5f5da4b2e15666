"""Keeps a rig connected to its tracker, and says how that goes."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, NoReturn

from luckrig.nodeproxy.server.limits import ServerLimits
from luckrig.nodeproxy.tunnel.backoff import Backoff
from luckrig.nodeproxy.tunnel.session import Application, Session, Socket
from luckrig.nodeproxy.tunnel.socket import Unreachable, open_websocket
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.telemetry import Telemetry
from luckrig.protocol.tunnel.ends import Left, NodeEnd, Readied
from luckrig.protocol.tunnel.frames import VERSION, GoAway, Hello, Violation
from luckrig.protocol.tunnel.proof import Challenge, make_tunnel_proof

HANDSHAKE_SECONDS: Final = 10.0

Phase = Literal["connecting", "up", "waiting", "refused", "clock_off", "replaced", "stopped"]
"""connecting: the first try, or one after a wait. waiting: lost, or not reached; it comes back by
itself. refused: the tracker, or what answers in its place, said no. clock_off: this machine's clock
is wrong. replaced: another process with this key has the place. All but stopped go on trying."""

_PHASES: Final[dict[str, Phase]] = {
    "clock_off": "clock_off",
    "replaced": "replaced",
    "place_taken": "replaced",
    "silent": "waiting",
    "stopping": "waiting",
    "try_later": "waiting",
    "unreachable": "waiting",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TunnelState:
    """phase: see Phase. reason: a word, of GOAWAY or our own. message: for the rig's owner."""

    phase: Phase
    reason: str = ""
    message: str = ""


class _Failed(Exception):
    """A try came to nothing."""

    def __init__(self, why: GoAway) -> None:
        super().__init__(why.reason)
        self.why = why


@dataclass(frozen=True, kw_only=True)
class TunnelPlan:
    """What a tunnel needs. origin, root_id: the tracker's, as the owner gave them.

    clock: Unix seconds. sleep: seconds. monotonic: seconds from any origin.
    """

    origin: str
    root_id: str
    node_key: PrivateKey
    app: Application
    limits: ServerLimits
    telemetry: Callable[[], Telemetry]
    on_revoked: Callable[[], None]
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    rng: Random
    open_socket: Callable[[str], Awaitable[Socket]] = open_websocket


class TunnelClient:
    """run() connects again and again; `state` says what it is at.

    retry_at: while it waits before the next try, when that is, by the plan's monotonic; else None.
    """

    def __init__(self, plan: TunnelPlan) -> None:
        self._plan = plan
        self._backoff = Backoff(plan.rng)
        self._takes_over = True
        self._session: Session | None = None
        self._changed = asyncio.Event()
        self.state = TunnelState("connecting")
        self.retry_at: float | None = None

    async def settled(self) -> TunnelState:
        """The state, once the first try has ended, well or not."""
        return await self.until(lambda state: state.phase != "connecting")

    async def until(self, test: Callable[[TunnelState], bool]) -> TunnelState:
        """Wait for a state."""
        while not test(self.state):
            self._changed.clear()
            await self._changed.wait()
        return self.state

    async def run(self) -> NoReturn:
        """Stay connected until cancelled."""
        while True:
            began = self._plan.monotonic()
            try:
                why = await self._connect_once()
                self._backoff.lasted(self._plan.monotonic() - began)
            except _Failed as failed:
                why = failed.why
            self._note(why)
            at_least = 0.0 if why is None else float(why.retry_seconds or 0)
            seconds = self._backoff.next_seconds(at_least=at_least)
            self.retry_at = self._plan.monotonic() + seconds
            await self._plan.sleep(seconds)
            self.retry_at = None

    async def stop(self) -> None:
        """Say goodbye, and let running answers end. Call it before run() is cancelled."""
        if self._session is not None:
            await self._session.leave()
        self._set(TunnelState("stopped"))

    async def _connect_once(self) -> GoAway | None:
        """One connection from its beginning to its end. Raises _Failed."""
        try:
            socket = await self._plan.open_socket(self._plan.origin)
        except Unreachable as error:
            reason = "no_tunnel" if error.is_refusal else "unreachable"
            raise _Failed(GoAway(reason=reason, message=str(error))) from error
        end = NodeEnd()
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await self._prove(socket, end)
        except TimeoutError as error:
            raise _Failed(GoAway(reason="silent", message="The tracker fell silent.")) from error
        except OSError as error:
            why = GoAway(reason="unreachable", message="The tracker closed the connection.")
            raise _Failed(why) from error
        except Violation as fault:
            raise _Failed(GoAway(reason="protocol_error", message=str(fault))) from fault
        finally:
            if not end.is_up:
                await socket.close()
        return await self._serve(socket, end)

    async def _prove(self, socket: Socket, end: NodeEnd) -> None:
        hello = end.receive(await socket.receive())
        if isinstance(hello, Left):
            raise _Failed(hello.why)
        if not isinstance(hello, Hello):
            raise Violation("the first frame is HELLO")
        plan = self._plan
        if hello.version != VERSION:
            text = f"The tracker speaks version {hello.version} of the tunnel, this rig {VERSION}."
            raise _Failed(GoAway(reason="version", message=text))
        if hello.root_id != plan.root_id:
            text = (
                f"The tracker at {plan.origin} has the key {hello.root_id}, not {plan.root_id} as "
                "in the address that this rig was given. Ask its operator which one is right."
            )
            raise _Failed(GoAway(reason="wrong_tracker", message=text))
        challenge = Challenge(root_id=plan.root_id, origin=plan.origin, nonce=hello.nonce)
        proof = make_tunnel_proof(
            challenge, key=plan.node_key, now=plan.clock(), takes_over=self._takes_over
        )
        await socket.send(end.proof(proof))
        answer = end.receive(await socket.receive())
        if isinstance(answer, Left):
            raise _Failed(answer.why)
        if not isinstance(answer, Readied):
            raise Violation("PROOF is answered by READY")

    async def _serve(self, socket: Socket, end: NodeEnd) -> GoAway | None:
        plan = self._plan
        self._session = Session(
            socket,
            end,
            plan.app,
            plan.limits,
            plan.telemetry,
            on_revoked=plan.on_revoked,
        )
        self._takes_over = True
        self._set(TunnelState("up"))
        try:
            return await self._session.run()
        finally:
            self._session = None

    def _note(self, why: GoAway | None) -> None:
        """The connection is over, or wasn't made: say so, once for each change."""
        if why is None:
            self._set(TunnelState("waiting", "lost", "The connection to the tracker was lost."))
            return
        if why.reason in ("replaced", "place_taken"):
            # Two processes that took the place from each other in turns would serve nobody.
            self._takes_over = False
        phase = _PHASES.get(why.reason, "refused")
        self._set(TunnelState(phase, why.reason, printable(why.message)))

    def _set(self, state: TunnelState) -> None:
        if self.state.phase == "stopped":
            return
        if state != self.state:
            level = logging.INFO if state.phase in ("up", "stopped") else logging.WARNING
            _log.log(level, "tunnel %s %s: %s", state.phase, state.reason, state.message)
        self.state = state
        self._changed.set()


@asynccontextmanager
async def connected(client: TunnelClient) -> AsyncGenerator[None, None]:
    """Keep the tunnel while the block runs; it ends politely."""
    task = asyncio.create_task(client.run())
    try:
        yield
    finally:
        await client.stop()
        task.cancel()
        await asyncio.wait((task,))


def printable(text: str) -> str:
    """What the tracker said, fit for a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
