"""An API operation as data: the router and the OpenAPI document are both made from the list."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A path or query parameter. schema: its JSON Schema."""

    name: str
    where: Literal["path", "query", "header"]
    schema: dict[str, object]
    description: str
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method on one path. errors: the codes of protocol.errors.CODES that it may answer.

    response: a wire type for JSON; str for what has another media_type. example: such an answer.
    """

    method: Literal["GET", "POST"]
    path: str
    name: str
    summary: str
    handler: Callable[[Request], Awaitable[Response]]
    response: type
    request: type | None = None
    parameters: tuple[Parameter, ...] = ()
    errors: tuple[str, ...] = ()
    media_type: str = "application/json"
    example: str | None = None
