"""What a comparison of rigs needs: the rigs, what users measured, and others to add."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from luckrig.protocol.errors import PeerError
from luckrig.protocol.wire import NodeView, TimingView
from luckrig.tracker.domain.listing import NodeQuery
from luckrig.tracker.domain.similar import Shares, similar
from luckrig.tracker.domain.views import node_view
from luckrig.tracker.service.nodes import NodeService
from luckrig.tracker.service.scores import ScoreService

MAX_SIMILAR: Final = 6


class MeasuredRig(NamedTuple):
    """A rig and what users measured at it. is_listed: not if it is limited, and on no list."""

    node: NodeView
    timings: list[TimingView]
    is_listed: bool


class SimilarView(NamedTuple):
    """shares: None for a rig that has nothing in common, but is a start."""

    node: NodeView
    shares: Shares | None


class Comparison(NamedTuple):
    """rigs: in the order asked for. unknown: ids that nobody on this map has."""

    rigs: list[MeasuredRig]
    unknown: list[str]
    similar: list[SimilarView]


class ComparisonService:
    """Banned rigs are unknown here, as everywhere."""

    def __init__(self, nodes: NodeService, scores: ScoreService) -> None:
        self._nodes = nodes
        self._scores = scores

    async def compare(self, node_ids: Sequence[str]) -> Comparison:
        """These rigs, and some to add; where nothing was asked for, the scarcest ones.

        node_ids: of the right shape, each once, and few: each costs two looks into the store.
        """
        listed = await self._nodes.views(node_ids)
        rigs: list[MeasuredRig] = []
        unknown: list[str] = []
        for node_id in node_ids:
            try:
                node = await self._nodes.view(node_id)
            except PeerError as error:
                if error.code != "node_not_found":
                    raise
                unknown.append(node_id)
                continue
            measured = await self._scores.timings(node_id=node_id)
            rigs.append(MeasuredRig(node, measured.timings, node_id in listed))
        return Comparison(rigs, unknown, await self._similar([rig.node for rig in rigs]))

    async def _similar(self, to: Sequence[NodeView]) -> list[SimilarView]:
        if not to:
            page = await self._nodes.page(NodeQuery(limit=MAX_SIMILAR))
            return [SimilarView(node, None) for node in page.nodes]
        scarcity = await self._nodes.scarcity()
        listed = [node for node in await self._nodes.listed() if node.node_id in scarcity]
        found = similar(listed, scarcity, to, limit=MAX_SIMILAR)
        return [
            SimilarView(node_view(node, scarcity[node.node_id]), shares) for node, shares in found
        ]
