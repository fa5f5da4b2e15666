"""A request's body as something to ask a rig. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from luckrig.client.calls import Ask
from luckrig.client.sidecar.guard import Headers
from luckrig.client.wanted import read_wanted
from luckrig.protocol.errors import PeerError
from luckrig.protocol.strictjson import decode

_OWN: Final = b"luckrig-"
_SUBTEXT: Final = "luckrig-subtext"


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """What holds where a request doesn't say otherwise.

    subtext: seal. model: for every request, whatever model it names; None for the one it names.
    """

    subtext: bool = False
    model: str | None = None


def read_ask(path: str, body: bytes, headers: Headers, defaults: Defaults) -> Ask:
    """What is asked, without its `luckrig` object. Raises PeerError on what isn't a request.

    Only what picks the rig is looked at: the rest is for the rig, which reads it strictly.
    """
    fields = decode(body, dict[str, Any])
    extra = fields.pop("luckrig", None)
    model = defaults.model or fields.get("model")
    if not isinstance(model, str):
        raise PeerError(
            "invalid_request", "`model`: name a model, or luckrig/auto for any.", param="model"
        )
    told = own_headers(headers)
    if defaults.subtext and not _decides(extra):
        told.setdefault(_SUBTEXT, "true")  # the object goes before the headers
    return Ask(path=path, body=fields, wanted=read_wanted(model, extra, told))


def own_headers(headers: Headers) -> dict[str, str]:
    """The request's headers that are for luckrig. Raises PeerError where one is there twice."""
    found: dict[str, str] = {}
    for name, value in headers:
        if not name.startswith(_OWN):
            continue
        text = name.decode("latin-1")
        if text in found:
            raise PeerError("invalid_request", f"The header {text} is given twice.", param=text)
        found[text] = value.decode("latin-1")
    return found


def _decides(extra: object) -> bool:
    """Whether a `luckrig` object says how to travel."""
    if not isinstance(extra, dict):
        return False
    return cast("Mapping[str, Any]", extra).get("subtext") is not None
