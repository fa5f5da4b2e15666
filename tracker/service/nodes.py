"""Publishing and listing rigs."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final

import msgspec

from luckrig.protocol.descriptor import verify_descriptor
from luckrig.protocol.errors import PeerError
from luckrig.protocol.surface import relay_endpoint
from luckrig.protocol.wire import NodeDetail, NodePage, NodeView, PublishReply
from luckrig.tracker.domain.audit import audit
from luckrig.tracker.domain.endpoints import check_listable
from luckrig.tracker.domain.listing import NodeQuery, matching, select
from luckrig.tracker.domain.reach import ReachBook
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.scarcity import ScarcityIndex
from luckrig.tracker.domain.timings import summarise
from luckrig.tracker.domain.views import node_view
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.owners import rigs_of
from luckrig.tracker.service.scores import TIMINGS_SECONDS
from luckrig.tracker.store.interface import Store

SCARCITY_AGE_SECONDS: Final = 2.0
"""Counting 10,000 rigs takes 150 ms, ten times as long as listing them."""


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
        self._index = ScarcityIndex()
        self._scarcity: tuple[float, dict[str, float]] = (-1.0, {})

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
        nodes = await self.listed()
        scarcity = self._scarcities(nodes)
        chosen, total, following = select(nodes, scarcity, query)
        views = [node_view(node, scarcity[node.descriptor.node_id]) for node in chosen]
        return NodePage(nodes=views, total=total, next=following)

    async def export(self, query: NodeQuery) -> tuple[int, Iterator[NodeView]]:
        """How many rigs the query asks for, and all of them, made one by one as they are taken."""
        nodes = await self.listed()
        scarcity = self._scarcities(nodes)
        found = matching(nodes, scarcity, query)
        return len(found), (node_view(node, scarcity[node.node_id]) for node in found)

    async def all_views(self) -> list[NodeView]:
        """Every rig, unsorted: what the map's counts and filter choices are made from."""
        nodes = await self.listed()
        scarcity = self._scarcities(nodes)
        return [node_view(node, scarcity[node.descriptor.node_id]) for node in nodes]

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

    async def counts(self) -> tuple[int, int]:
        """(listed rigs, rigs that answer now)."""
        nodes = await self.listed()
        return len(nodes), sum(node.health.status in ("available", "busy") for node in nodes)

    async def listed(self) -> list[NodeRecord]:
        """Every rig on the map, in no particular order."""
        nodes, unlisted = await self._store.nodes(), await self._bans.unlisted_nodes()
        return [node for node in nodes if node.node_id not in unlisted] if unlisted else nodes

    async def of_owner(self, user_id: str) -> list[NodeRecord]:
        """The rigs that somebody put here with any of their keys, listed or not, by name."""
        own = await rigs_of(self._store, await self._store.users.all_ids(user_id))
        return sorted(own, key=lambda node: (node.descriptor.name, node.node_id))

    async def scarcity(self) -> Mapping[str, float]:
        """The scarcity of every rig on the map, by node id."""
        return self._scarcities(await self.listed())

    async def _open(self, node_id: str) -> NodeRecord:
        node = await self._store.node(node_id)
        if node is None or node_id in await self._bans.closed_nodes():
            raise PeerError("node_not_found", "No rig with that id is on this tracker's map.")
        return node

    async def _view(self, node: NodeRecord) -> NodeView:
        scarcity = self._scarcities(await self.listed())
        return node_view(node, scarcity.get(node.node_id, 0.0))  # a limited rig is on no list

    def _scarcities(self, nodes: list[NodeRecord]) -> dict[str, float]:
        """Scarcity of these nodes, counted anew when a rig came or went or a while has passed."""
        counted_at, scarcity = self._scarcity
        now = self._clock()
        if now - counted_at >= SCARCITY_AGE_SECONDS or not _is_about(scarcity, nodes):
            self._index.follow(nodes)
            scarcity = self._index.scarcities()
            self._scarcity = (now, scarcity)
        return scarcity


def _is_about(scarcity: dict[str, float], nodes: list[NodeRecord]) -> bool:
    return len(scarcity) == len(nodes) and all(node.node_id in scarcity for node in nodes)
