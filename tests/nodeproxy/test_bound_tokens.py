"""Bound tokens at a rig: nothing without the key, and each proof for one request only."""

import time
from itertools import count
from typing import Any

import httpx2
import pytest

from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.tokens import Confirmation
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.rigs import Rig, make_token
from tests.nodeproxy.sealed import CHAT, carried, opened, seal, sealing_key

USER = PrivateKey(b"the user's own key, 32 bytes ...")
THIEF = PrivateKey(b"the thief's own key, 32 bytes ..")
BODY = b'{"model":"stand-in","messages":[{"role":"user","content":"Hello"}]}'

_numbers = count()


@pytest.fixture
def rig(rig: Rig) -> Rig:
    """Its token is bound to the user's key."""
    rig.token = make_token(cnf=Confirmation(jkt=USER.public.thumbprint))
    return rig


def prove(rig: Rig, *, age_seconds: float = 0, **changes: Any) -> str:
    """A proof of USER for a chat with BODY, made some time ago, with changes."""
    made: dict[str, Any] = {
        "key": USER,
        "method": "POST",
        "url": f"{rig.origin}/v1/chat/completions",
        "body": BODY,
        "now": time.time() - age_seconds,
        "jti": f"proof-of-a-test-{next(_numbers):06}",
        "access_token": rig.token,
    }
    return make_proof(**(made | changes))


async def ask(
    rig: Rig, *proofs: str, token: str = "", scheme: str = "DPoP", body: bytes = BODY
) -> httpx2.Response:
    """One chat with a token and any number of proofs."""
    headers = [
        ("authorization", f"{scheme} {token or rig.token}"),
        ("content-type", "application/json"),
        *(("dpop", proof) for proof in proofs),
    ]
    return await rig.http.post("/v1/chat/completions", content=body, headers=headers)


def code_of(response: httpx2.Response) -> str:
    """The error's code, or "" for none."""
    return str(response.json().get("error", {}).get("code", ""))


async def test_token_works_with_the_key_it_is_bound_to(rig: Rig) -> None:
    for _ in range(2):
        assert (await ask(rig, prove(rig))).status_code == 200
    url = f"{rig.origin}/v1/models"
    headers = {
        "authorization": f"DPoP {rig.token}",
        "dpop": prove(rig, method="GET", url=url, body=b""),
    }
    assert (await rig.http.get("/v1/models", headers=headers)).status_code == 200


async def test_stolen_token_is_worth_nothing(rig: Rig, engine: FakeOpenAi) -> None:
    """Without a proof, as a bearer, with the thief's own proof, with a proof seen on the way."""
    seen = prove(rig)
    assert (await ask(rig, seen)).status_code == 200
    engine.requests.clear()
    assert code_of(await ask(rig)) == "proof_invalid"
    assert code_of(await ask(rig, scheme="Bearer")) == "token_invalid"
    assert code_of(await ask(rig, prove(rig), scheme="Bearer")) == "token_invalid"
    assert code_of(await ask(rig, prove(rig, key=THIEF))) == "proof_invalid"
    assert code_of(await ask(rig, seen)) == "proof_invalid"
    assert engine.requests == []


@pytest.mark.parametrize(
    "changes",
    [
        {"body": BODY.replace(b"Hello", b"Other")},
        {"method": "GET"},
        {"url": "https://another-rig.example/v1/chat/completions"},
        {"access_token": make_token()},
        {"access_token": None},
        {"age_seconds": 62},
        {"age_seconds": -90},
    ],
)
async def test_proof_of_anything_else_is_refused(
    changes: dict[str, Any], rig: Rig, engine: FakeOpenAi
) -> None:
    response = await ask(rig, prove(rig, **changes))
    assert (response.status_code, code_of(response)) == (401, "proof_invalid")
    assert engine.requests == []


async def test_body_altered_on_the_way_is_refused(rig: Rig, engine: FakeOpenAi) -> None:
    response = await ask(rig, prove(rig), body=BODY.replace(b"Hello", b"Howdy"))
    assert (response.status_code, code_of(response)) == (401, "proof_invalid")
    assert engine.requests == []


async def test_two_proofs_are_two_opinions(rig: Rig) -> None:
    assert code_of(await ask(rig, prove(rig), prove(rig))) == "invalid_request"


async def test_bearer_token_needs_no_proof_and_takes_none(rig: Rig) -> None:
    bearer = make_token()
    assert (await ask(rig, token=bearer, scheme="Bearer")).status_code == 200
    proof = prove(rig, access_token=bearer)
    assert code_of(await ask(rig, proof, token=bearer)) == "token_invalid"


async def test_proof_of_a_sealed_request_covers_what_carries_it(
    rig: Rig, engine: FakeOpenAi
) -> None:
    sealed = seal(CHAT, BODY, key=await sealing_key(rig), token=rig.token)
    body = carried(sealed, stream=False)
    response = await ask(rig, prove(rig, body=body), body=body)
    assert opened(response, sealed).head.status == 200
    again = carried(seal(CHAT, BODY, key=await sealing_key(rig), token=rig.token), stream=False)
    assert code_of(await ask(rig, prove(rig, body=BODY), body=again)) == "proof_invalid"
    assert len([each for each in engine.requests if each.method == "POST"]) == 1
