"""/api : the OpenAPI document as a page to read, so that both always say the same."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from luckrig.web.pages import Site

_SCHEMA: Final = "#/components/schemas/"
_BOUNDS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "like {}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Part of a type's name. link: the id of the shape that it names, if it names one."""

    text: str
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter, or a field of a shape. where: path, query or header, for parameters."""

    name: str
    kind: Sequence[Piece]
    required: bool
    about: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What comes back with a status. about: the meaning, or each error code with its own."""

    status: str
    media_type: str
    kind: Sequence[Piece]
    about: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation. curl: how to try it, where no signed proof or body is needed."""

    name: str
    method: str
    path: str
    summary: str
    parameters: Sequence[Field]
    request: Sequence[Piece]
    answers: Sequence[Answer]
    curl: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An object that requests or answers are made of."""

    name: str
    about: str
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPage:
    """The page. groups: operations by what they are about, in the document's order."""

    template: ClassVar[str] = "api.html"

    site: Site
    groups: Mapping[str, Sequence[Call]]
    shapes: Sequence[Shape]


def make_api_page(document: Mapping[str, Any], *, site: Site) -> ApiPage:
    """document: as routes/openapi.py makes it."""
    server: str = document["servers"][0]["url"]
    groups: dict[str, list[Call]] = defaultdict(list)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups[operation["tags"][0]].append(_call(method, path, operation, server))
    schemas: Mapping[str, Mapping[str, Any]] = document["components"]["schemas"]
    shapes = [_shape(name, schema) for name, schema in sorted(schemas.items())]
    return ApiPage(site=site, groups=groups, shapes=shapes)


def _call(method: str, path: str, operation: Mapping[str, Any], server: str) -> Call:
    parameters = [
        Field(
            name=each["name"],
            kind=list(_kind(each["schema"])),
            required=each["required"],
            about=each["description"],
            where=each["in"],
        )
        for each in operation["parameters"]
    ]
    body: Mapping[str, Any] = operation.get("requestBody", {})
    is_plain = method == "get" and not any(field.required for field in parameters)
    return Call(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        parameters=parameters,
        request=[piece for _, schema, _ in _contents(body) for piece in _kind(schema)],
        answers=[_answer(status, each) for status, each in operation["responses"].items()],
        curl=f"curl -N '{server}{path}'" if is_plain else "",
    )


def _answer(status: str, answer: Mapping[str, Any]) -> Answer:
    ((media_type, schema, example),) = _contents(answer)
    return Answer(
        status=status,
        media_type=media_type,
        kind=list(_kind(schema)),
        about=answer["description"],
        example=example,
    )


def _contents(part: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for media_type, content in part.get("content", {}).items():
        yield media_type, content["schema"], content.get("example", "")


def _shape(name: str, schema: Mapping[str, Any]) -> Shape:
    required: Sequence[str] = schema.get("required", ())
    fields = [
        Field(name=field, kind=list(_kind(kind)), required=field in required)
        for field, kind in schema.get("properties", {}).items()
    ]
    return Shape(name=name, about=schema.get("description", ""), fields=fields)


def _kind(schema: Mapping[str, Any]) -> Iterator[Piece]:
    """A schema in words: `array of NodeView`, `string, at most 120 characters, or null`."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(_SCHEMA)
        yield Piece(text=name, link=f"shape-{name}")
    elif "anyOf" in schema:
        for number, each in enumerate(schema["anyOf"]):
            if number:
                yield Piece(text=" or ")
            yield from _kind(each)
    elif "enum" in schema:
        yield Piece(
            text=" | ".join("null" if each is None else str(each) for each in schema["enum"])
        )
    elif schema.get("type") == "array":
        yield Piece(text="array of ")
        yield from _kind(schema.get("items") or {})
    elif schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        yield Piece(text="object of ")
        yield from _kind(schema["additionalProperties"])
    else:
        yield Piece(text=str(schema.get("type", "any JSON")))
    bounds = [f", {text.format(schema[key])}" for key, text in _BOUNDS.items() if key in schema]
    if bounds:
        yield Piece(text="".join(bounds))
