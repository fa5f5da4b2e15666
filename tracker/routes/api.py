"""The JSON API under /api/v1, and /health."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from luckrig.protocol.descriptor import MAX_DESCRIPTOR_BYTES, SignedDescriptor
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NODE_ID_PATTERN, is_node_id
from luckrig.protocol.strictjson import decode
from luckrig.protocol.wire import (
    KeysetReply,
    LogPage,
    NodeDetail,
    NodePage,
    PublishReply,
    RevocationsReply,
    ShowcaseReply,
    TokenReply,
    TokenRequest,
    TrackerHealth,
)
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.http import BODY_ERRORS, cacheable_json, json_response, read_json_body
from luckrig.tracker.routes.openapi import openapi_document
from luckrig.tracker.routes.operations import Operation, Parameter
from luckrig.tracker.routes.query import (
    LIST_PARAMETERS,
    LOG_PARAMETERS,
    ListQuery,
    LogQuery,
    parse_query,
)
from luckrig.tracker.routes.signed import PROOF, SignedRequests
from luckrig.tracker.service.keyset import KeysetService
from luckrig.tracker.service.log import LogService
from luckrig.tracker.service.nodes import NodeService
from luckrig.tracker.service.revocations import RevocationService
from luckrig.tracker.service.showcase import ShowcaseService
from luckrig.tracker.service.tokens import TokenService

_NODE_ID: Final = Parameter(
    name="node_id",
    where="path",
    schema={"type": "string", "pattern": NODE_ID_PATTERN},
    description="The rig's id.",
    required=True,
)


class Api:
    """The handlers of the API; `operations` is the list of all of them and of the `others`."""

    def __init__(
        self,
        *,
        nodes: NodeService,
        tokens: TokenService,
        keyset: KeysetService,
        revocations: RevocationService,
        signed: SignedRequests,
        networks: ClientNetworks,
        others: Sequence[Operation],
        log: LogService,
        showcase: ShowcaseService,
        public_url: str,
        version: str,
    ) -> None:
        self._nodes = nodes
        self._tokens = tokens
        self._keyset = keyset
        self._revocations = revocations
        self._signed = signed
        self._networks = networks
        self._log = log
        self._showcase = showcase
        self._public_url = public_url
        self._version = version
        self.operations = (*self._list_operations(), *others)

    def document(self) -> dict[str, Any]:
        """The OpenAPI document of this API."""
        return openapi_document(self.operations, version=self._version, public_url=self._public_url)

    async def list_nodes(self, request: Request) -> Response:
        """GET /api/v1/nodes."""
        query = parse_query(request.query_params.multi_items(), ListQuery)
        return cacheable_json(request, await self._nodes.page(query.selection()))

    async def get_node(self, request: Request) -> Response:
        """GET /api/v1/nodes/{node_id}."""
        return cacheable_json(request, await self._nodes.detail(_node_id(request)))

    async def publish_node(self, request: Request) -> Response:
        """POST /api/v1/nodes."""
        body = await read_json_body(request, max_bytes=MAX_DESCRIPTOR_BYTES)
        prefix = self._networks.prefix(request)
        return json_response(await self._nodes.publish(body, prefix=prefix))

    async def issue_token(self, request: Request) -> Response:
        """POST /api/v1/tokens."""
        signed = await self._signed.read(request)
        wanted = decode(signed.body, TokenRequest)
        prefix = self._networks.prefix(request)
        return json_response(await self._tokens.issue(wanted, signed.key, prefix=prefix))

    async def get_keyset(self, request: Request) -> Response:
        """GET /api/v1/keyset."""
        return cacheable_json(request, self._keyset.current())

    async def get_revocations(self, request: Request) -> Response:
        """GET /api/v1/revocations/{node_id}."""
        return cacheable_json(request, await self._revocations.current(_node_id(request)))

    async def get_log(self, request: Request) -> Response:
        """GET /api/v1/log."""
        query = parse_query(request.query_params.multi_items(), LogQuery)
        page = await self._log.page(after=query.after, limit=query.limit)
        return cacheable_json(request, page)

    async def get_showcase(self, request: Request) -> Response:
        """GET /api/v1/showcase."""
        return cacheable_json(request, await self._showcase.current())

    async def get_health(self, request: Request) -> Response:
        """GET /health."""
        listed, available = await self._nodes.counts()
        health = TrackerHealth(
            status="ok",
            version=self._version,
            root_id=self._keyset.current().root_id,
            nodes=listed,
            available=available,
        )
        return json_response(health)

    async def get_openapi(self, request: Request) -> Response:
        """GET /api/openapi.json."""
        return cacheable_json(request, self.document())

    def _list_operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="GET",
                path="/api/v1/nodes",
                name="listNodes",
                summary="The map: the rigs that were asked for, by scarcity, page by page.",
                handler=self.list_nodes,
                response=NodePage,
                parameters=LIST_PARAMETERS,
                errors=("invalid_request",),
            ),
            Operation(
                method="POST",
                path="/api/v1/nodes",
                name="publishNode",
                summary="List a rig: its descriptor, signed by its key and its owner's.",
                handler=self.publish_node,
                request=SignedDescriptor,
                response=PublishReply,
                errors=(
                    *BODY_ERRORS,
                    "unsafe_text",
                    "signature_invalid",
                    "banned",
                    "key_replaced",
                    "descriptor_conflict",
                ),
            ),
            Operation(
                method="GET",
                path="/api/v1/nodes/{node_id}",
                name="getNode",
                summary="One rig and its signed descriptor.",
                handler=self.get_node,
                response=NodeDetail,
                parameters=(_NODE_ID,),
                errors=("node_not_found",),
            ),
            Operation(
                method="POST",
                path="/api/v1/tokens",
                name="issueToken",
                summary="A short-lived token for one rig.",
                handler=self.issue_token,
                request=TokenRequest,
                response=TokenReply,
                parameters=(PROOF,),
                errors=(
                    *BODY_ERRORS,
                    "proof_invalid",
                    "banned",
                    "key_replaced",
                    "registration_required",
                    "node_not_found",
                    "node_offline",
                    "rate_limited",
                ),
            ),
            Operation(
                method="GET",
                path="/api/v1/keyset",
                name="getKeyset",
                summary="The keys that sign tokens, signed by the tracker's root.",
                handler=self.get_keyset,
                response=KeysetReply,
            ),
            Operation(
                method="GET",
                path="/api/v1/revocations/{node_id}",
                name="getRevocations",
                summary="A rig's banned users, signed; rigs follow it.",
                handler=self.get_revocations,
                response=RevocationsReply,
                parameters=(_NODE_ID,),
                errors=("node_not_found",),
            ),
            Operation(
                method="GET",
                path="/api/v1/log",
                name="getLog",
                summary="Every descriptor ever listed, as a chain of hashes with a signed head.",
                handler=self.get_log,
                response=LogPage,
                parameters=LOG_PARAMETERS,
                errors=("invalid_request",),
            ),
            Operation(
                method="GET",
                path="/api/v1/showcase",
                name="getShowcase",
                summary="Rigs that are worth a look, and why each is.",
                handler=self.get_showcase,
                response=ShowcaseReply,
            ),
            Operation(
                method="GET",
                path="/health",
                name="getHealth",
                summary="The tracker's own health.",
                handler=self.get_health,
                response=TrackerHealth,
            ),
        )


def _node_id(request: Request) -> str:
    node_id: str = request.path_params["node_id"]
    if not is_node_id(node_id):
        raise PeerError("node_not_found", "A node id is n1 and 32 characters of base32.")
    return node_id
