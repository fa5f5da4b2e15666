"""What a user wants of a rig: read from a model's name, the `luckrig` object and headers. Pure.

| model                | means                                         |
|----------------------|-----------------------------------------------|
| `qwen3:8b`           | any rig that serves it                        |
| `qwen3:8b@n1abc…`    | that rig: id, beginning of the id, exact name |
| `luckrig/auto`       | any model of any rig                          |
| `luckrig/auto@n1abc` | any model of that rig                         |

The `luckrig` object of a request (`extra_body` of an OpenAI client) and the headers say the rest:

| field        | header             | value                                                      |
|--------------|--------------------|------------------------------------------------------------|
| `gpu`        | `luckrig-gpu`      | a GPU in any common spelling                               |
| `quant`      | `luckrig-quant`    | `Q4_K_M`, exactly that; `>=Q5`, that many bits or more     |
| `ctx`        | `luckrig-ctx`      | tokens of context that it needs, 1 to 10^9                 |
| `min_tps`    | `luckrig-min-tps`  | tokens per second, 0 to 10^6                               |
| `capability` |                    | chat, completion, embedding, tools, vision                 |
| `subtext`    | `luckrig-subtext`  | sealed or not at all; as header true, 1, false or 0        |
| `node`       | `luckrig-node`     | what may stand after the model's `@`                       |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple, NoReturn

import msgspec

from luckrig.protocol import strictjson
from luckrig.protocol.descriptor import Capability
from luckrig.protocol.errors import PeerError

AUTO: Final = "luckrig/auto"
"""The model's name that leaves the choice of model to luckrig."""
OWN_NAMES: Final = "luckrig/"
"""No rig's model may be asked for by a name that begins like that."""
MIN_PREFIX_CHARS: Final = 4
"""Of a node id: `n1ab`."""
MAX_MODEL_CHARS: Final = 256
MAX_NODE_CHARS: Final = 40
"""A rig's name has at most so many characters, an id has 34."""
AT_LEAST: Final = ">="

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Node = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NODE_CHARS)]
_Tokens = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
_Speed = Annotated[float, msgspec.Meta(ge=0, le=10**6)]
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a rig must have. Nothing set: any rig.

    model: None for any. node: an id, the beginning of one with MIN_PREFIX_CHARS or more, or an
    exact name; None for any. gpu: in any spelling. quant: exact, or `>=` and a name whose bits it
    needs. ctx: tokens, 0 for any. min_tps: tokens per second, 0 for any. subtext: sealed or not at
    all.
    """

    model: str | None = None
    node: str | None = None
    gpu: str | None = None
    quant: str | None = None
    ctx: int = 0
    min_tps: float = 0.0
    capability: Capability | None = None
    subtext: bool = False


class _Extra(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `luckrig` object. None is as good as absent."""

    gpu: _Text | None = None
    quant: _Text | None = None
    ctx: _Tokens | None = None
    min_tps: _Speed | None = None
    capability: Capability | None = None
    subtext: bool | None = None
    node: _Node | None = None


def read_wanted(model: str, extra: object, headers: Mapping[str, str]) -> Wanted:
    """What a request asks of a rig.

    model: the request's. extra: its `luckrig` as decoded JSON, None where it has none. headers:
    lower-case names; extra goes before them. Raises PeerError invalid_request, with `param` such as
    `model`, `luckrig.gpu` or `luckrig-ctx`.
    """
    named = _read_model(model)
    told, said = _read_headers(headers), _read_extra(extra)
    node = told.node if said.node is None else said.node
    if named.node is not None:
        if said.node not in (None, named.node):
            _refuse("luckrig.node", "The model's name and `luckrig.node` name two rigs.")
        node = named.node
    if node is not None and not node.strip():
        _refuse("luckrig.node", "A rig has an id or a name.")
    quant = told.quant if said.quant is None else said.quant
    return Wanted(
        model=named.model,
        node=node,
        gpu=told.gpu if said.gpu is None else said.gpu,
        quant=quant,
        ctx=said.ctx or told.ctx or 0,
        min_tps=(told.min_tps if said.min_tps is None else said.min_tps) or 0.0,
        capability=said.capability,
        subtext=bool(told.subtext if said.subtext is None else said.subtext),
    )


class _Named(NamedTuple):
    model: str | None
    node: str | None


def _read_model(text: str) -> _Named:
    """A rig's name may hold no @, a model's may: the last one counts."""
    if not text or len(text) > MAX_MODEL_CHARS + 1 + MAX_NODE_CHARS:
        _refuse("model", f"A model's name has 1 to {MAX_MODEL_CHARS} characters.")
    model, mark, node = text.rpartition("@")
    if not mark:
        model, node = text, ""
    if (mark and not node.strip()) or len(node) > MAX_NODE_CHARS:
        _refuse("model", "After the @ stands a rig's id, the beginning of one, or its name.")
    if not model or len(model) > MAX_MODEL_CHARS:
        _refuse("model", f"A model's name has 1 to {MAX_MODEL_CHARS} characters.")
    if model.startswith(OWN_NAMES) and model != AUTO:
        _refuse("model", f"luckrig's own model is {AUTO}; sealing is `luckrig.subtext`.")
    return _Named(None if model == AUTO else model, node or None)


def _read_extra(extra: object) -> _Extra:
    if extra is None:
        return _Extra()
    try:
        return strictjson.decode(msgspec.json.encode(extra), _Extra)
    except PeerError as error:
        if error.param is None:
            _refuse("luckrig", "`luckrig` is an object.")
        message = f"In `luckrig`: {error.message}"
        raise PeerError("invalid_request", message, param=f"luckrig.{error.param}") from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise PeerError("invalid_request", "`luckrig` is no JSON.", param="luckrig") from error


def _read_headers(headers: Mapping[str, str]) -> _Extra:
    """The same from headers, which are texts."""
    found: dict[str, object] = {}
    for field in ("gpu", "quant", "ctx", "min_tps", "subtext", "node"):
        name = f"luckrig-{field.replace('_', '-')}"
        text = headers.get(name, "").strip()
        if not text:
            continue
        value = _FLAGS.get(text.lower()) if field == "subtext" else text
        try:
            # Not strict: a header's number is a text.
            read = msgspec.convert({field: value}, _Extra, strict=field == "subtext")
        except msgspec.ValidationError:
            read = _Extra()
        found[field] = getattr(read, field)
        if found[field] is None:
            _refuse(name, f"The header {name} has a value that it can't have.")
    return msgspec.convert(found, _Extra)


def _refuse(param: str, message: str) -> NoReturn:
    raise PeerError("invalid_request", message, param=param)
