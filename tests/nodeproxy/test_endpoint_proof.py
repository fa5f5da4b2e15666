"""A rig proves its endpoint to whoever asks, and signs nothing else."""

import time

import pytest

from luckrig.nodeproxy.steps.prove import PROOFS_PER_SECOND, Allowance
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.endpoint_proof import verify_endpoint_proof
from luckrig.protocol.errors import PeerError
from luckrig.protocol.notes import verify_note
from luckrig.protocol.proofs import verify_proof
from luckrig.protocol.receipts import verify_receipt
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.rigs import NODE_ID, ROOT_ID, Rig, running_rig

NONCE = b64url_encode(bytes(range(32)))


async def proof_of(rig: Rig, nonce: str = NONCE, **headers: str) -> str:
    response = await rig.http.get(f"/luckrig/proof/{nonce}", headers=headers)
    assert response.status_code == 200
    return str(response.json()["proof"])


def check(text: str, endpoint: str, nonce: str = NONCE) -> None:
    verify_endpoint_proof(
        text, node_id=NODE_ID, endpoint=endpoint, root_id=ROOT_ID, nonce=nonce, now=time.time()
    )


async def test_a_rig_proves_that_it_answers_at_its_endpoint(rig: Rig) -> None:
    check(await proof_of(rig), rig.origin)


async def test_the_proof_is_of_the_endpoint_that_was_asked(engine: FakeOpenAi) -> None:
    """One behind a proxy that rewrites Host is of the first."""
    names = frozenset({"https://rig.example", "https://b.example:8443", "http://inside"})
    endpoints = ("https://Rig.example", "https://b.example:8443")
    async with running_rig(engine.url, origins=names, endpoints=endpoints) as rig:
        for host, proven in (
            ("rig.example", endpoints[0]),
            ("b.example:8443", endpoints[1]),
            ("inside", endpoints[0]),
        ):
            check(await proof_of(rig, host=host), proven)


async def test_a_rig_without_endpoints_proves_nothing(engine: FakeOpenAi) -> None:
    async with running_rig(engine.url, endpoints=()) as rig:
        assert (await rig.http.get(f"/luckrig/proof/{NONCE}")).status_code == 404


@pytest.mark.parametrize(
    "nonce",
    ["", "A" * 42, "A" * 44, "A" * 42 + "B", "A" * 42 + "%3D", "..%2f..%2fhealth", f"{NONCE}/",
     f"x/{NONCE}", "eyJhbGciOiJFZDI1NTE5In0.e30", "A" * 2000],
)  # fmt: skip
async def test_what_is_no_nonce_is_not_signed(nonce: str, rig: Rig) -> None:
    assert (await rig.http.get(f"/luckrig/proof/{nonce}")).status_code == 404


async def test_other_methods_and_hosts_are_refused(rig: Rig) -> None:
    for method in ("POST", "PUT", "DELETE"):
        response = await rig.http.request(method, f"/luckrig/proof/{NONCE}")
        assert response.status_code == 405
    evil = await rig.http.get(f"/luckrig/proof/{NONCE}", headers={"host": "evil.example"})
    assert evil.status_code == 400


async def test_a_proof_passes_for_no_other_document(rig: Rig) -> None:
    """It is a signature that strangers may have made at will, so this is what makes it harmless."""
    proof, now = await proof_of(rig), time.time()
    with pytest.raises(PeerError):
        verify_receipt(proof, now=now)
    with pytest.raises(PeerError):
        verify_note(proof, now=now)
    with pytest.raises(PeerError):
        verify_proof(proof, method="GET", urls=[rig.origin], now=now)


async def test_no_engine_and_no_turn_is_needed(rig: Rig, engine: FakeOpenAi) -> None:
    for _ in range(20):
        await proof_of(rig)
    assert engine.requests == []
    assert rig.node.queue.active == 0


def test_a_flood_of_questions_is_bounded() -> None:
    now = [0.0]
    allowance = Allowance(PROOFS_PER_SECOND, lambda: now[0])
    taken = 0
    for _ in range(10_000):  # ten seconds, a thousand questions in each
        taken += allowance.take()
        now[0] += 0.001
    assert taken <= 11 * PROOFS_PER_SECOND
    now[0] += 3600
    assert sum(allowance.take() for _ in range(1000)) == PROOFS_PER_SECOND
