"""Puts the tracker together. The one module of it that names concrete parts and starts loops."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import Final, NoReturn
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.tracker.domain.reach import ReachBook
from luckrig.tracker.edge import Edge
from luckrig.tracker.relay.bans import BanCrier
from luckrig.tracker.relay.endpoint import TunnelEndpoint
from luckrig.tracker.relay.front import Front
from luckrig.tracker.relay.hub import Hub
from luckrig.tracker.relay.limits import RelayLimits
from luckrig.tracker.relay.prober import TunnelProber
from luckrig.tracker.relay.route import Relay
from luckrig.tracker.routes.admin import AdminApi
from luckrig.tracker.routes.api import Api
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.contributions import ContributionApi
from luckrig.tracker.routes.http import error_response
from luckrig.tracker.routes.notes import NotesApi
from luckrig.tracker.routes.pages import Pages
from luckrig.tracker.routes.signed import SignedRequests
from luckrig.tracker.routes.users import UserApi
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.keyset import KeysetService, SigningKeys, TrackerKeys
from luckrig.tracker.service.ledger import Ledger
from luckrig.tracker.service.log import LogService
from luckrig.tracker.service.monitor import HealthMonitor, Prober
from luckrig.tracker.service.nodes import NodeService
from luckrig.tracker.service.notes import NoteService
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.service.receipts import ReceiptService
from luckrig.tracker.service.revocations import RevocationService
from luckrig.tracker.service.scores import ScoreService
from luckrig.tracker.service.showcase import ShowcaseService
from luckrig.tracker.service.tokens import Allowance, TokenService
from luckrig.tracker.service.uptime import UptimeRecorder
from luckrig.tracker.service.users import RegistrationRules, UserService
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.interface import Store, StoreError
from luckrig.web.assets import static_files
from luckrig.web.render import make_renderer

RECEIPTS_KEPT_SECONDS: Final = 90 * 86_400
"""Receipts and shared timings; what counted is in the ledger for good."""
PRUNE_EVERY_SECONDS: Final = 3600
ROTATE_EVERY_SECONDS: Final = 3600
LEDGER_EVERY_SECONDS: Final = 60
TOKENS_KEPT_SECONDS: Final = 86_400
"""How long expired tokens are kept: a rig that couldn't reach its tracker has a day to hand in
receipts."""

_log = logging.getLogger(__name__)


def create_app(
    settings: TrackerSettings,
    store: Store,
    keys: TrackerKeys,
    prober: Prober,
    *,
    clock: Callable[[], float],
    random_bytes: Callable[[int], bytes],
    rng: Random,
    version: str,
    reach: ReachBook | None = None,
) -> ASGIApp:
    """The tracker as an ASGI application. Its lifespan watches health; the store stays open.

    clock: Unix seconds. random_bytes: secret ones, for token ids. rng: for jitter only. reach: what
    the prober finds out about endpoints, if it does.
    """
    revocations = RevocationService(store, keys, clock=clock)
    operators = Operators(settings.operators)

    def on_bans() -> None:
        revocations.forget()
        crier.changed()  # made below, and before the first request

    bans = BanService(store, operators=operators, clock=clock, on_change=on_bans)
    users = UserService(
        store,
        keys,
        bans,
        operators,
        rules=RegistrationRules(
            mode=settings.registration,
            work_bits=settings.registration_work,
            per_day=settings.registrations_per_day_prefix,
        ),
        clock=clock,
        random_bytes=random_bytes,
        on_change=on_bans,
    )
    nodes = NodeService(
        store,
        bans,
        check_owner=users.check,
        public_url=settings.public_url,
        allow_private_endpoints=settings.allow_private_endpoints,
        clock=clock,
        on_publish=lambda: monitor.wake(),  # made below, and before the first request
        reach=reach or ReachBook(),
    )
    hub = Hub(on_change=lambda node_id: monitor.look(node_id))
    crier = BanCrier(hub, bans, revocations)
    monitor = HealthMonitor(
        store,
        TunnelProber(hub, settings.public_url, prober),
        interval_seconds=settings.health_interval_seconds,
        on_looked=UptimeRecorder(store, scarcity_of=nodes.scarcity, clock=clock).note,
        clock=clock,
        rng=rng,
    )
    ledger = Ledger(store, keys, account_of=users.account_of, promote=users.promote, clock=clock)
    notes = NoteService(store, bans, ledger, clock=clock)
    receipts = ReceiptService(
        store, bans, ledger, author_of=notes.author_of, secret=keys.pairwise, clock=clock
    )
    scores = ScoreService(store, ledger, operators, tier_of=users.tier_of, clock=clock)
    tokens = TokenService(
        store,
        keys,
        bans,
        users,
        allowances={
            "limited": Allowance(limits=settings.limited, tokens_per_hour=settings.tokens_per_hour),
            "contributor": Allowance(
                limits=settings.contributor,
                tokens_per_hour=settings.tokens_per_hour_contributor,
            ),
        },
        ttl_seconds=settings.token_ttl_seconds,
        tokens_per_hour_prefix=settings.tokens_per_hour_prefix,
        is_about=notes.is_about,
        clock=clock,
        random_bytes=random_bytes,
    )
    signed = SignedRequests(public_url=settings.public_url, clock=clock)
    networks = ClientNetworks(settings.trusted_proxies)
    api = Api(
        nodes=nodes,
        tokens=tokens,
        keyset=KeysetService(keys, clock=clock),
        revocations=revocations,
        signed=signed,
        networks=networks,
        others=[
            *AdminApi(bans=bans, signed=signed).operations,
            *NotesApi(notes).operations,
            *UserApi(users=users, signed=signed, networks=networks).operations,
            *ContributionApi(
                receipts=receipts, ledger=ledger, scores=scores, signed=signed
            ).operations,
        ],
        log=LogService(store, keys, clock=clock),
        showcase=ShowcaseService(store, nodes, bans),
        public_url=settings.public_url,
        version=version,
    )
    files = static_files()
    pages = Pages(
        nodes=nodes,
        renderer=make_renderer(files),
        files=files,
        address=str(TrackerAddress(settings.public_url, keys.root_id)),
        version=version,
        clock=clock,
    )
    loops = [
        monitor.run,
        crier.run,
        lambda: _prune(store, clock),
        lambda: _rotate_keys(keys.signing, clock),
        lambda: _keep_ledger(ledger, receipts),
    ]
    front = Front(
        _build(api, pages, loops),
        relay=Relay(
            hub,
            RelayLimits(
                streams=settings.relay_streams_per_prefix,
                requests=settings.relay_requests_per_minute,
                clock=clock,
            ),
            networks,
            host=urlsplit(settings.public_url).netloc,
        ),
        tunnels=TunnelEndpoint(
            hub,
            store,
            bans,
            root_id=keys.root_id,
            public_url=settings.public_url,
            max_streams=settings.relay_streams_per_rig,
            clock=clock,
            random_bytes=random_bytes,
        ),
    )
    return Edge(front, hosts=_hosts(settings.public_url))


def _build(
    api: Api, pages: Pages, loops: Iterable[Callable[[], Coroutine[None, None, NoReturn]]]
) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop()) for loop in loops]
            yield
            for task in tasks:
                task.cancel()

    def answer(request: Request, error: LuckrigError) -> Response:
        if _wants_json(request.url.path):
            return error_response(error)
        return pages.error(error, request_id=request.state.request_id)

    async def on_luckrig_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, LuckrigError)  # noqa: S101 -- starlette's handler type is wide
        return answer(request, error)

    async def on_http_error(request: Request, error: Exception) -> Response:
        wrong_method = isinstance(error, HTTPException) and error.status_code == 405
        code = "method_not_allowed" if wrong_method else "not_found"
        return answer(request, PeerError(code, "There is nothing at this address."))

    async def on_bug(request: Request, error: Exception) -> Response:
        request_id: str = request.state.request_id
        _log.error("%s failed: %s", request_id, type(error).__qualname__)
        text = f"Internal error. Its number is {request_id}."
        return answer(request, LuckrigError("internal_error", text))

    api_routes = [
        Route(operation.path, operation.handler, methods=[operation.method])
        for operation in api.operations
    ]
    return Starlette(
        routes=[*api_routes, Route("/api/openapi.json", api.get_openapi), *pages.routes()],
        lifespan=lifespan,
        exception_handlers={
            LuckrigError: on_luckrig_error,
            HTTPException: on_http_error,
            Exception: on_bug,
        },
    )


def _wants_json(path: str) -> bool:
    return path.startswith("/api/") or path == "/health"


def _hosts(public_url: str) -> set[str]:
    """Host values for this tracker: its public one, and localhost where that is loopback."""
    url = urlsplit(public_url)
    hosts = {url.netloc.lower()}
    if url.hostname in ("127.0.0.1", "localhost", "::1"):
        port = f":{url.port}" if url.port else ""
        hosts |= {f"127.0.0.1{port}", f"localhost{port}", f"[::1]{port}"}
    return hosts


async def _prune(store: Store, clock: Callable[[], float]) -> NoReturn:
    while True:
        now = int(clock())
        try:
            await store.prune_tokens(now=now - TOKENS_KEPT_SECONDS)
            await store.users.prune(now=now)
            await store.contributions.prune(before=now - RECEIPTS_KEPT_SECONDS)
        except StoreError as error:
            _log.error("what is too old was not deleted: %s", error)
        await asyncio.sleep(PRUNE_EVERY_SECONDS)


async def _keep_ledger(ledger: Ledger, receipts: ReceiptService) -> NoReturn:
    while True:
        try:
            await ledger.close_days()
            while await receipts.settle():
                pass
        except StoreError as error:
            _log.error("the ledger isn't up to date: %s", error)
        await asyncio.sleep(LEDGER_EVERY_SECONDS)


async def _rotate_keys(keys: SigningKeys, clock: Callable[[], float]) -> NoReturn:
    while True:
        try:
            if await asyncio.to_thread(keys.rotate, now=clock()):
                _log.info("the next signing key was made and is in the keyset")
        except (LuckrigError, OSError) as error:
            # The old key goes on signing, so this can wait for an operator.
            _log.error("no new signing key: %s", error)
        await asyncio.sleep(ROTATE_EVERY_SECONDS)
