"""Which rigs are worth comparing with some: those that share a GPU or a model with them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from heapq import nsmallest
from typing import Literal, NamedTuple

from luckrig.protocol.names import gpu_key, model_key
from luckrig.protocol.wire import NodeView
from luckrig.tracker.domain.records import NodeRecord

Shares = Literal["gpu", "model", "both"]


class Similar(NamedTuple):
    """A rig, and what it has in common with those it was compared to."""

    node: NodeRecord
    shares: Shares


def similar(
    nodes: Iterable[NodeRecord],
    scarcity: Mapping[str, float],
    to: Sequence[NodeView],
    *,
    limit: int,
) -> list[Similar]:
    """At most `limit` of them: those that share both first, then the scarcer ones.

    scarcity: by node id, of every one of `nodes`. None of `to` is among them.
    """
    # A map has few names and many rigs, so each name is read once.
    gpu_of, model_of = cache(gpu_key), cache(model_key)
    gpus = {gpu_of(each.hardware.gpu) for each in to}
    models = {model_of(offer.model) for each in to for offer in each.offers}
    own = {each.id for each in to}
    found: list[Similar] = []
    for node in nodes:
        has_gpu = gpu_of(node.descriptor.hardware.gpu) in gpus
        has_model = any(model_of(offer.model) in models for offer in node.descriptor.offers)
        if node.node_id not in own and (has_gpu or has_model):
            shares: Shares = "both" if has_gpu and has_model else "gpu" if has_gpu else "model"
            found.append(Similar(node, shares))
    return nsmallest(
        limit,
        found,
        key=lambda each: (
            each.shares != "both",
            -scarcity[each.node.node_id],
            each.node.node_id,
        ),
    )
