"""Publishing and listing rigs."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from luckrig.protocol.descriptor import verify_descriptor
from luckrig.protocol.errors import PeerError
from luckrig.protocol.surface import relay_endpoint
from luckrig.protocol.wire import NodeDetail, NodePage, NodeView, PublishReply
from luckrig.tracker.domain.audit import audit
from luckrig.tracker.domain.endpoints import check_listable
from luckrig.tracker.domain.ledger import SECONDS_PER_DAY
from luckrig.tracker.domain.likeness import Likeness, likeness_of
from luckrig.tracker.domain.listing import NodeQuery, Row, Selection, offer_tests, page_of
from luckrig.tracker.domain.map_index import ANSWERING, Scarce, Summary
from luckrig.tracker.domain.reach import ReachBook
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.timings import summarise
from luckrig.tracker.domain.views import node_view
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.listed_map import ListedMap
from luckrig.tracker.service.owners import rigs_of
from luckrig.tracker.service.scores import TIMINGS_SECONDS
from luckrig.tracker.store.interface import LIVE_DAYS_KEPT, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class LikedRig:
    """The rig that others are to be like. name, gpu: as its owner wrote them."""

    node_id: str
    name: str
    gpu: str | None
    likeness: Likeness


@dataclass(frozen=True, slots=True, kw_only=True)
class MapView:
    """What the page of the map shows, all of one moment.

    page: a page of the list. plotted: the first rigs of the whole list. liked: None where the query
    asks for no likeness, or for one with a rig that isn't listed.
    """

    page: NodePage
    plotted: list[NodeView]
    summary: Summary
    scarce: list[Scarce]
    liked: LikedRig | None


class NodeService:
    """The map. Banned rigs aren't on it.

    check_owner: refuses owners whose key was replaced. on_publish: called after a rig was listed,
    so that its health is looked at soon. reach: what the prober found out.
    """

    def __init__(
        self,
        store: Store,
        bans: BanService,
        *,
        check_owner: Callable[[str], Awaitable[None]],
        public_url: str,
        allow_private_endpoints: bool,
        clock: Callable[[], float],
        on_publish: Callable[[], None],
        reach: ReachBook,
    ) -> None:
        self._store = store
        self._bans = bans
        self._check_owner = check_owner
        self._public_url = public_url
        self._allow_private_endpoints = allow_private_endpoints
        self._clock = clock
        self._on_publish = on_publish
        self._reach = reach
        self._map = ListedMap(store, bans, clock=clock)

    async def publish(self, body: bytes, *, prefix: str | None) -> PublishReply:
        """List a rig, or list its newer descriptor.

        body: signed descriptor, hostile. prefix: the network it came from. Raises PeerError as
        verify_descriptor and Store.put_descriptor do, invalid_request for an endpoint that this
        tracker won't list, and banned, key_replaced.
        """
        descriptor = verify_descriptor(body)
        await self._bans.check_network(prefix)
        await self._bans.check(descriptor.node_id)
        await self._bans.check(descriptor.owner_id)
        await self._check_owner(descriptor.owner_id)
        check_listable(
            descriptor.endpoints,
            allow_private=self._allow_private_endpoints,
            relayed=relay_endpoint(self._public_url, descriptor.node_id),
        )
        record = await self._store.put_descriptor(descriptor, body, now=int(self._clock()))
        self._on_publish()
        return PublishReply(
            node_id=descriptor.node_id,
            seq=record.descriptor.seq,
            page=f"{self._public_url}/nodes/{descriptor.node_id}",
        )

    async def page(self, query: NodeQuery) -> NodePage:
        """One page of the list. Raises PeerError on a cursor that isn't ours."""
        index = await self._map.index()
        return _page(index.select(query), query)

    async def generation(self) -> int:
        """A number that is another one when a rig came, went, or changed what it says of itself."""
        return (await self._map.index()).generation

    async def map(self, query: NodeQuery, *, plotted: int) -> MapView:
        """One page of the list, and all that the map's page says around it.

        plotted: how many rigs of the list, from its beginning, are drawn. Raises PeerError as page.
        """
        index = await self._map.index()
        found = index.matching(query)
        liked = None if query.like is None else index.row(query.like)
        return MapView(
            page=_page(page_of(found, query), query),
            plotted=_views(found[:plotted], query),
            summary=index.summary(),
            scarce=index.scarce(),
            liked=None if liked is None else _liked(liked),
        )

    async def export(self, query: NodeQuery) -> tuple[int, Iterator[NodeView]]:
        """How many rigs the query asks for, and all of them, made one by one as they are taken."""
        index = await self._map.index()
        tests = offer_tests(query)
        # Rows change in place; what is taken later is of this moment all the same.
        found = [(row.node, row.scarcity, row.measured(tests)) for row in index.matching(query)]
        return len(found), (node_view(*each) for each in found)

    async def views(self, node_ids: Collection[str]) -> dict[str, NodeView]:
        """Those of these rigs that are on the map, by id."""
        index = await self._map.index()
        rows = [row for row in map(index.row, node_ids) if row is not None]
        return {row.node.node_id: node_view(row.node, row.scarcity) for row in rows}

    async def detail(self, node_id: str) -> NodeDetail:
        """One rig with its signed descriptor. Raises PeerError node_not_found."""
        node = await self._open(node_id)
        since = int(self._clock()) - TIMINGS_SECONDS
        shared = await self._store.contributions.timings(node_id=node_id, since=since)
        return NodeDetail(
            node=await self._view(node),
            descriptor=msgspec.Raw(node.signed),
            reach=self._reach.view(node),
            audit=audit(node.descriptor, summarise(shared)),
        )

    async def view(self, node_id: str) -> NodeView:
        """One rig. Raises PeerError node_not_found."""
        return await self._view(await self._open(node_id))

    async def live_days(self, node_id: str) -> Mapping[int, int]:
        """In how many hours of each of the last LIVE_DAYS_KEPT days a rig answered; today's too.

        Days since 1970; those without an answer are left out.
        """
        since = int(self._clock()) // SECONDS_PER_DAY - LIVE_DAYS_KEPT + 1
        return await self._store.contributions.live_days(node_id, since=since)

    async def counts(self) -> tuple[int, int]:
        """(listed rigs, rigs that answer now)."""
        nodes = await self.listed()
        return len(nodes), sum(node.health.status in ANSWERING for node in nodes)

    async def listed(self) -> list[NodeRecord]:
        """Every rig on the map, in no particular order."""
        return await self._map.nodes()

    async def of_owner(self, user_id: str) -> list[NodeRecord]:
        """The rigs that somebody put here with any of their keys, listed or not, by name."""
        own = await rigs_of(self._store, await self._store.users.all_ids(user_id))
        return sorted(own, key=lambda node: (node.descriptor.name, node.node_id))

    async def scarcity(self) -> Mapping[str, float]:
        """The scarcity of every rig on the map, by node id."""
        return (await self._map.index()).scarcities()

    async def _open(self, node_id: str) -> NodeRecord:
        node = await self._store.node(node_id)
        if node is None or node_id in await self._bans.closed_nodes():
            raise PeerError("node_not_found", "No rig with that id is on this tracker's map.")
        return node

    async def _view(self, node: NodeRecord) -> NodeView:
        row = (await self._map.index()).row(node.node_id)
        if row is None:  # a limited rig is on no list
            return node_view(node, 0.0)
        return node_view(node, row.scarcity, row.measured())


def _page(selection: Selection, query: NodeQuery) -> NodePage:
    return NodePage(
        nodes=_views(selection.rows, query), total=selection.total, next=selection.next_cursor
    )


def _views(rows: Sequence[Row], query: NodeQuery) -> list[NodeView]:
    tests = offer_tests(query)
    return [node_view(row.node, row.scarcity, row.measured(tests)) for row in rows]


def _liked(row: Row) -> LikedRig:
    descriptor = row.node.descriptor
    return LikedRig(
        node_id=descriptor.node_id,
        name=descriptor.name,
        gpu=descriptor.hardware.gpu,
        likeness=likeness_of(row.traits),
    )
