"""The OpenAPI 3.1 document, made from the operations and their wire types."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from luckrig.protocol.errors import CODES
from luckrig.protocol.wire import ErrorReply
from luckrig.tracker.routes.operations import Operation, Parameter

_REFERENCES: Final = "#/components/schemas/{name}"
_PREFIX: Final = "/api/v1/"
_TRACKER: Final = "tracker"
"""The tag of what lies beside the versioned API."""


def openapi_document(
    operations: Sequence[Operation], *, version: str, public_url: str
) -> dict[str, Any]:
    """The whole document, ready to be encoded."""
    types = {operation.response for operation in operations}
    types |= {operation.request for operation in operations if operation.request is not None}
    ordered = sorted(types | {ErrorReply}, key=lambda type_: type_.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REFERENCES)
    schema_of = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _describe(operation, schema_of)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "luckrig tracker",
            "version": version,
            "description": "The public map of rigs, and tokens for using them. A request that "
            "acts for a user carries a DPoP proof made with that user's key: docs/PROTOCOL.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {"schemas": components},
    }


def _describe(operation: Operation, schema_of: dict[type, dict[str, Any]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [_tag(operation.path)],
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": {"200": _success(operation, schema_of[operation.response])},
    }
    if operation.request is not None:
        described["requestBody"] = _json("", schema_of[operation.request]) | {"required": True}
    by_status: dict[int, list[str]] = {}
    for code in operation.errors:
        by_status.setdefault(CODES[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        meanings = "; ".join(f"{code}: {CODES[code].meaning}" for code in codes)
        described["responses"][str(status)] = _json(meanings, schema_of[ErrorReply])
    return described


def _tag(path: str) -> str:
    """Operations on one thing belong together: /api/v1/nodes, /api/v1/nodes.csv."""
    if not path.startswith(_PREFIX):
        return _TRACKER
    return path.removeprefix(_PREFIX).partition("/")[0].partition(".")[0]


def _success(operation: Operation, schema: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    if operation.example is not None:
        content["example"] = operation.example
    media_type = operation.media_type.partition(";")[0]
    return {"description": "Done.", "content": {media_type: content}}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"content": {"application/json": {"schema": schema}}}
    return described | {"description": description} if description else described
