"""`python -m bench.tokens`: tokens issued and verified per second, on one core."""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

import httpx2
import msgspec
from rich.console import Console
from rich.table import Table

from bench.rig import NODE_ID, ROOT_ID, SIGNING_KEY, make_token
from luckrig.nodeproxy.tokens import TokenVerifier
from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.wire import TokenRequest
from luckrig.tracker.app import create_app
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.service.revocations import RevocationService
from luckrig.tracker.service.tokens import Allowance, TokenService
from luckrig.tracker.service.users import RegistrationRules, UserService
from luckrig.tracker.service.wishes import WishService
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.sqlite import open_store
from tests.tracker.factories import NOW, make_health, make_node, seeded
from tests.tracker.trackers import KEYS, URL, Clock, FakeProber

CALLERS: Final = 64
TOKENS: Final = 4000
REQUESTS: Final = 2000
MANY: Final = 1_000_000
REQUEST: Final = TokenRequest(node_id=make_node(1).node_id)
USERS: Final = [PrivateKey(number.to_bytes(32)) for number in range(1, CALLERS + 1)]


def main() -> None:
    """Print the table."""
    table = Table("what", "per second")
    with tempfile.TemporaryDirectory() as folder:
        issued = asyncio.run(_service(Path(folder) / "service.db"))
        answered = asyncio.run(_http(Path(folder) / "http.db"))
    table.add_row(f"tokens issued, {CALLERS} callers, file store", f"{issued:,.0f}")
    table.add_row("the same through the HTTP app, proofs included", f"{answered:,.0f}")
    for name, rate in _verified():
        table.add_row(name, f"{rate:,.0f}")
    Console().print(table)


async def _service(path: Path) -> float:
    store = await open_store(path)
    node = make_node(1)
    await store.put_descriptor(node.descriptor, node.signed, now=NOW)
    clock, operators = Clock(), Operators(frozenset())
    bans = BanService(store, clock=clock)
    users = UserService(
        store,
        KEYS,
        bans,
        operators,
        rules=RegistrationRules(mode="open", work_bits=0, per_day=MANY),
        clock=clock,
        random_bytes=os.urandom,
        on_change=lambda: None,
    )
    allowance = Allowance(limits=TrackerSettings(public_url=URL).limited, tokens_per_hour=MANY)
    wishes = WishService(store, clock=clock, on_wish=lambda _: None)
    service = TokenService(
        store,
        KEYS,
        bans,
        users,
        allowances={"limited": allowance, "contributor": allowance},
        ttl_seconds=900,
        tokens_per_hour_prefix=MANY,
        is_about=_never,
        revoked=RevocationService(store, KEYS, wishes, clock=clock).lists,
        clock=clock,
        random_bytes=os.urandom,
    )

    async def issue(number: int) -> None:
        user = USERS[number % CALLERS].public
        await service.issue(REQUEST, user, prefix="203.0.113.0/24")

    try:
        return await _rate(issue, TOKENS)
    finally:
        await store.aclose()


async def _never(note_id: str, node_id: str) -> bool:
    del note_id, node_id
    return False


async def _http(path: Path) -> float:
    store = await open_store(path)
    node = make_node(1)
    await store.put_descriptor(node.descriptor, node.signed, now=NOW)
    await store.put_health({node.node_id: make_health()})
    app = create_app(
        TrackerSettings(public_url=URL, tokens_per_hour=MANY),
        store,
        KEYS,
        FakeProber(),
        clock=Clock(),
        random_bytes=os.urandom,
        rng=seeded(1),
        version="0",
    )
    body = msgspec.json.encode(REQUEST)
    proofs = [
        make_proof(
            key=USERS[number % CALLERS],
            method="POST",
            url=f"{URL}/api/v1/tokens",
            body=body,
            now=NOW,
            jti=f"proof-{number:016}",
        )
        for number in range(REQUESTS + CALLERS)
    ]
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=URL) as http:

        async def ask(number: int) -> None:
            headers = {"content-type": "application/json", "DPoP": proofs[number]}
            answer = await http.post("/api/v1/tokens", content=body, headers=headers)
            answer.raise_for_status()

        try:
            return await _rate(ask, REQUESTS)
        finally:
            await store.aclose()


async def _rate(work: Callable[[int], Awaitable[None]], total: int) -> float:
    """Calls per second of CALLERS callers; the first call of each isn't counted."""
    numbers = count()

    async def caller(calls: int) -> None:
        for _ in range(calls):
            await work(next(numbers))

    await asyncio.gather(*(caller(1) for _ in range(CALLERS)))
    began = time.perf_counter()
    await asyncio.gather(*(caller(total // CALLERS) for _ in range(CALLERS)))
    return total // CALLERS * CALLERS / (time.perf_counter() - began)


def _verified() -> Iterator[tuple[str, float]]:
    tokens = [make_token(number, now=NOW) for number in range(TOKENS)]
    verifier = TokenVerifier(issuer=ROOT_ID, node_id=NODE_ID, clock=lambda: NOW)
    verifier.replace_keys({SIGNING_KEY.public.thumbprint: SIGNING_KEY.public}, expires_at=NOW + 60)
    for name in ("tokens verified, each for the first time", "tokens verified, remembered"):
        began = time.perf_counter()
        for token in tokens:
            verifier.verify(token)
        yield name, len(tokens) / (time.perf_counter() - began)
    yield "bare Ed25519 verification, for comparison", _bare(tokens[0])


def _bare(token: str) -> float:
    """What the library does per second with the same bytes: nobody verifies faster with it."""
    message, _, encoded = token.rpartition(".")
    signature, signed = b64url_decode(encoded), message.encode()
    began = time.perf_counter()
    for _ in range(TOKENS):
        if not SIGNING_KEY.public.verifies(signature, signed):
            raise AssertionError
    return TOKENS / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
