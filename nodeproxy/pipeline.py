"""The pipeline: which requests exist, and the steps each goes through, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.steps.answer import AnswerCall
from luckrig.nodeproxy.steps.step import Step, no_such_route
from luckrig.protocol.endpoint_proof import PROOF_PATH
from luckrig.protocol.errors import PeerError
from luckrig.protocol.subtext.keyring import SEALING_PATH


@dataclass(frozen=True)
class Route:
    """One allowed request. endpoint: the name its steps know it by.

    for_pages: whether pages of the rig's tracker may use it from another origin.
    """

    endpoint: str
    steps: Sequence[Step]
    for_pages: bool = False


@dataclass(frozen=True)
class Stages:
    """All steps, built once with what they need. moderate: None without a moderation service."""

    authenticate: Step
    ask_owner: Step
    read: Step
    hold_to_limits: Step
    obey_rules: Step
    moderate: Step | None
    wait_for_turn: Step
    ask_owner_again: Step
    generate: Step
    embed: Step
    list_models: Step
    answer_health: Step
    show_metrics: Step
    show_ticket: Step
    leave_queue: Step
    prove_endpoint: Step
    show_sealing: Step

    @property
    def generation(self) -> Sequence[Step]:
        """What every request for text goes through. The cheap refusals come first; nothing that
        a rule refuses takes a place in the queue; nothing reaches the engine without a turn."""
        return (*self._before_the_engine, self.generate)

    @property
    def embedding(self) -> Sequence[Step]:
        """The same for vectors."""
        return (*self._before_the_engine, self.embed)

    @property
    def carrying(self) -> Sequence[Step]:
        """The same for a chat: inside it may be any of them, which `read` finds out."""
        return (*self._before_the_engine, AnswerCall(self.generate, self.embed))

    @property
    def _before_the_engine(self) -> Sequence[Step]:
        return (
            self.authenticate,
            self.ask_owner,
            self.read,
            self.hold_to_limits,
            self.obey_rules,
            *([] if self.moderate is None else [self.moderate]),
            self.wait_for_turn,
            self.ask_owner_again,
        )


TICKETS: Final = "/luckrig/queue/"
"""Followed by a ticket's id. That and a proof's nonce are all that isn't fixed in a path."""
METRICS: Final = "/metrics"
"""Not even its methods are told to whoever may not read it."""


class Pipeline:
    """The allowlist of exactly (path, method), and the header lines of every answer."""

    def __init__(self, stages: Stages, *, rig_headers: bytes) -> None:
        self.rig_headers = rig_headers
        generation = stages.generation
        self._routes: Mapping[str, Mapping[str, Route]] = {
            "/v1/chat/completions": {"POST": Route("chat", stages.carrying, for_pages=True)},
            "/v1/completions": {"POST": Route("completion", generation)},
            "/v1/responses": {"POST": Route("responses", generation)},
            "/v1/embeddings": {"POST": Route("embeddings", stages.embedding)},
            "/v1/models": {
                "GET": Route("models", (stages.authenticate, stages.list_models), for_pages=True)
            },
            "/health": {"GET": Route("health", (stages.answer_health,))},
            SEALING_PATH: {"GET": Route("sealing", (stages.show_sealing,), for_pages=True)},
            METRICS: {"GET": Route("metrics", (stages.show_metrics,))},
        }
        self._ticket_routes: Mapping[str, Route] = {
            "GET": Route("ticket", (stages.show_ticket,), for_pages=True),
            "DELETE": Route("ticket", (stages.leave_queue,), for_pages=True),
        }
        self._proof_routes: Mapping[str, Route] = {
            "GET": Route("proof", (stages.prove_endpoint,)),
        }

    def route(self, method: str, path: str) -> Route:
        """The route of a request; the path counts as it was sent, before any decoding.

        Raises PeerError not_found or method_not_allowed: nothing else reaches a step.
        """
        methods = self._methods(path)
        if methods is None:
            raise no_such_route()
        route = methods.get(method)
        if route is None and path == METRICS:
            raise no_such_route()
        if route is None:
            raise PeerError("method_not_allowed", f"This route takes {' or '.join(methods)}.")
        return route

    def methods_for_pages(self, path: str) -> list[str]:
        """What a page of the rig's tracker may use at a path, from another origin."""
        methods = self._methods(path) or {}
        return [method for method, route in methods.items() if route.for_pages]

    def _methods(self, path: str) -> Mapping[str, Route] | None:
        for prefix, methods in ((TICKETS, self._ticket_routes), (PROOF_PATH, self._proof_routes)):
            if path.startswith(prefix) and "/" not in path[len(prefix) :]:
                return methods
        return self._routes.get(path)
