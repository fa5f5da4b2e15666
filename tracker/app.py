"""Puts the tracker together: services, pages, API, relay, and the loops that keep it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
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

from luckrig.protocol.address import forwarded_port
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.tracker.domain.reach import ReachBook
from luckrig.tracker.domain.records import Health
from luckrig.tracker.edge import Edge
from luckrig.tracker.relay.bans import BanCrier
from luckrig.tracker.relay.endpoint import NOT_LISTED, TunnelEndpoint
from luckrig.tracker.relay.front import Front
from luckrig.tracker.relay.hub import Hub
from luckrig.tracker.relay.limits import RelayLimits
from luckrig.tracker.relay.prober import TunnelProber
from luckrig.tracker.relay.route import Relay
from luckrig.tracker.routes.admin import AdminApi
from luckrig.tracker.routes.api import Api
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.contributions import ContributionApi
from luckrig.tracker.routes.exports import ExportApi
from luckrig.tracker.routes.http import error_response
from luckrig.tracker.routes.live import LiveApi
from luckrig.tracker.routes.notes import NotesApi
from luckrig.tracker.routes.operations import Operation
from luckrig.tracker.routes.people import PeopleApi
from luckrig.tracker.routes.reports import ReportApi
from luckrig.tracker.routes.signed import SignedRequests
from luckrig.tracker.routes.users import UserApi
from luckrig.tracker.service.event_bus import LocalBus
from luckrig.tracker.service.keyset import SigningKeys, TrackerKeys
from luckrig.tracker.service.ledger import Ledger
from luckrig.tracker.service.live_map import LiveMap
from luckrig.tracker.service.monitor import HealthMonitor, Prober
from luckrig.tracker.service.receipts import ReceiptService
from luckrig.tracker.service.uptime import UptimeRecorder
from luckrig.tracker.service.wishes import WishProber
from luckrig.tracker.services import Services, make_services
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.interface import Store, StoreError
from luckrig.tracker.website import Website, make_website

ROTATE_EVERY_SECONDS: Final = 3600
LEDGER_EVERY_SECONDS: Final = 60

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
    # Made below, and before the first request: crier, live, monitor, tunnels.
    services = make_services(
        settings,
        store,
        keys,
        reach or ReachBook(),
        clock=clock,
        random_bytes=random_bytes,
        on_publish=lambda: _call(monitor.wake, live.changed),
        on_bans=lambda: _call(crier.changed, live.changed),
        on_erased=lambda node_ids: hub.close(node_ids, NOT_LISTED),
        on_wish=lambda node_id: _call(
            lambda: hub.tell_revoked([node_id]), lambda: monitor.look(node_id), live.changed
        ),
        telemetry=lambda node_id: hub.telemetry(node_id),
    )
    hub = Hub(on_change=lambda node_id: monitor.look(node_id))
    crier = BanCrier(hub, services.bans, services.revocations)
    bus = LocalBus(epoch=random_bytes(4).hex())
    live = LiveMap(services.nodes.listed, bus)
    uptime = UptimeRecorder(store, scarcity_of=services.nodes.scarcity, clock=clock)

    async def on_looked(reports: Mapping[str, Health]) -> None:
        live.changed()
        await uptime.note(reports)

    monitor = HealthMonitor(
        store,
        WishProber(TunnelProber(hub, settings.public_url, prober), services.wishes),
        interval_seconds=settings.health_interval_seconds,
        on_looked=on_looked,
        clock=clock,
        rng=rng,
    )
    signed = SignedRequests(public_url=settings.public_url, clock=clock)
    networks = ClientNetworks(settings.trusted_proxies)
    hosts = _hosts(settings.public_url)
    website = make_website(
        settings,
        services,
        root_id=keys.root_id,
        signed=signed,
        networks=networks,
        hosts=hosts,
        clock=clock,
        random_bytes=random_bytes,
        version=version,
        document=lambda: api.document(),
    )
    api = Api(
        nodes=services.nodes,
        tokens=services.tokens,
        keyset=services.keyset,
        revocations=services.revocations,
        signed=signed,
        networks=networks,
        others=[
            *_operations(services, signed, networks),
            *LiveApi(bus, networks).operations,
            *website.operations,
        ],
        log=services.log,
        showcase=services.showcase,
        public_url=settings.public_url,
        version=version,
    )
    loops = [
        monitor.run,
        crier.run,
        live.run,
        website.pages.run,
        services.retention.run,
        lambda: _rotate_keys(keys.signing, clock),
        lambda: _keep_ledger(services.ledger, services.receipts),
    ]
    front = Front(
        _build(api, website, loops),
        relay=Relay(
            hub,
            RelayLimits(
                streams=settings.relay_streams_per_prefix,
                requests=settings.relay_requests_per_minute,
                clock=clock,
            ),
            networks,
            services.bans,
            host=urlsplit(settings.public_url).netloc,
        ),
        tunnels=TunnelEndpoint(
            hub,
            store,
            services.bans,
            networks,
            root_id=keys.root_id,
            public_url=settings.public_url,
            max_streams=settings.relay_streams_per_rig,
            clock=clock,
            random_bytes=random_bytes,
        ),
    )
    return Edge(front, hosts=hosts | _forwarded_hosts(settings.public_url))


def _call(*each: Callable[[], None]) -> None:
    for call in each:
        call()


def _operations(
    services: Services, signed: SignedRequests, networks: ClientNetworks
) -> list[Operation]:
    """The API, but for what concerns rigs and tokens."""
    parts = (
        AdminApi(decisions=services.decisions, desk=services.desk, signed=signed),
        ReportApi(
            reports=services.reports,
            statements=services.statements,
            signed=signed,
            networks=networks,
        ),
        PeopleApi(people=services.people, signed=signed),
        NotesApi(services.notes),
        ExportApi(services.nodes, services.scores),
        UserApi(users=services.users, signed=signed, networks=networks),
        ContributionApi(
            receipts=services.receipts,
            ledger=services.ledger,
            scores=services.scores,
            signed=signed,
        ),
    )
    return [operation for part in parts for operation in part.operations]


def _build(
    api: Api, website: Website, loops: Iterable[Callable[[], Coroutine[None, None, NoReturn]]]
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
        return website.pages.error(request, error)

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
        routes=[
            *api_routes,
            Route("/api/openapi.json", api.get_openapi),
            *website.routes,
        ],
        lifespan=lifespan,
        exception_handlers={
            LuckrigError: on_luckrig_error,
            HTTPException: on_http_error,
            Exception: on_bug,
        },
    )


def _wants_json(path: str) -> bool:
    machines = ("/health", "/transparency.json", "/feed.atom")
    return path.startswith(("/api/", "/badge/")) or path in machines


def _forwarded_hosts(public_url: str) -> set[str]:
    """Host values of a visitor who forwards a port of their own machine to a tracker without https
    (`ssh -L`): browsers lend their cryptography to pages of that machine only. Nobody can point
    these names elsewhere, so a rebound name still gets nothing."""
    port = forwarded_port(public_url)
    return set() if port is None else {f"localhost:{port}", f"127.0.0.1:{port}"}


def _hosts(public_url: str) -> set[str]:
    """Host values for this tracker: its public one, and localhost where that is loopback."""
    url = urlsplit(public_url)
    hosts = {url.netloc.lower()}
    if url.hostname in ("127.0.0.1", "localhost", "::1"):
        port = f":{url.port}" if url.port else ""
        hosts |= {f"127.0.0.1{port}", f"localhost{port}", f"[::1]{port}"}
    return hosts


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
