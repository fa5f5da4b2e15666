"""A tracker that is down stops nobody who has a token: ten minutes of it, simulated."""

import time

import httpx2
import pytest

from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.tokens import Confirmation
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.rigs import Rig, StandInTracker, make_token, running_rig

USER = PrivateKey(b"user" * 8)
DOWN_SECONDS = 600
STEP_SECONDS = 3
"""As often as a rig asks for its list of banned users."""


class MovedClock:
    """The machine's clock, moved on by a test. Only what the rig calls time."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        """Unix seconds."""
        return time.time() + self.ahead


async def everything_fails(rig: Rig) -> None:
    """Each loop of the rig asks the tracker once, and gets nothing."""
    for ask in (rig.node.follower.refresh, rig.node.revocations.refresh, rig.node.sender.flush):
        with pytest.raises(LuckrigError):
            await ask()


async def test_live_tokens_are_served_while_the_tracker_is_down(engine: FakeOpenAi) -> None:
    """Bearers of 15 minutes and bound tokens of an hour, at every step; nothing that expired."""
    clock, tracker = MovedClock(), StandInTracker()
    async with running_rig(engine.url, tracker=tracker, clock=clock.time) as rig:
        now = int(time.time())
        bearer = make_token(exp=now + 900)
        short = make_token(exp=now + 30)
        bound = make_token(exp=now + 3600, cnf=Confirmation(jkt=USER.public.thumbprint))
        tracker.away = True
        served = 0
        for step in range(0, DOWN_SECONDS, STEP_SECONDS):
            clock.ahead = step
            answers = [
                await rig.chat("Hello", token=bearer),
                await ask_bound(rig, bound, clock.time(), step),
            ]
            assert [answer.status_code for answer in answers] == [200, 200], answers[-1].text
            served += len(answers)
            await everything_fails(rig)
            if step > 30:
                late = await rig.chat("Hello", token=short)
                assert late.json()["error"]["code"] == "token_expired"
        assert served == 2 * DOWN_SECONDS // STEP_SECONDS
        clock.ahead = 901
        late = await rig.chat("Hello", token=bearer)
        assert late.json()["error"]["code"] == "token_expired"
        tracker.away = False
        await rig.node.sender.flush()
        assert len(tracker.handed_in) == len(set(tracker.handed_in)) >= served


async def ask_bound(rig: Rig, token: str, now: float, number: int) -> httpx2.Response:
    """A request with a bound token and its proof."""
    body = b'{"model":"stand-in","messages":[{"role":"user","content":"Hello"}]}'
    proof = make_proof(
        key=USER,
        method="POST",
        url=f"{rig.origin}/v1/chat/completions",
        body=body,
        now=now,
        jti=f"proof-number-{number:08}",
        access_token=token,
    )
    headers = {
        "authorization": f"DPoP {token}",
        "content-type": "application/json",
        "dpop": proof,
    }
    return await rig.http.post("/v1/chat/completions", content=body, headers=headers)
