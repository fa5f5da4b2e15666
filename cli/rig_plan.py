"""Everything that decides how a rig runs: its owner's choices, and what the environment adds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from luckrig.cli.config import Config
from luckrig.cli.home import Home
from luckrig.cli.options import ListenAddressType, parse_text
from luckrig.cli.rules import own_packs
from luckrig.nodeproxy.filters.pack import RulePack
from luckrig.nodeproxy.hours import local_zone_name
from luckrig.nodeproxy.opening import Wishes
from luckrig.nodeproxy.settings import (
    ModerationSettings,
    SubtextPace,
    engine_api_key,
    engine_context,
    metrics_token,
    moderation_settings,
    subtext_pace,
)
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey

DEFAULT_NAME: Final = "A rig"
DEFAULT_LISTEN: Final = "127.0.0.1:8788"
DEFAULT_QUEUE: Final = 32
STATE_FILE: Final = "state.json"

Setting = TypeVar("Setting")


@dataclass(frozen=True, kw_only=True)
class RigPlan:
    """Everything that decides how a rig runs.

    engine_url: its engine. engine_context: the context length that ollama shall load models with,
    None for its own choice. listen: (host, port) of the node proxy, port 0 for a free one; None: no
    port, a tunnel to the tracker. endpoint: where clients reach it, if not where it listens.
    max_active: None for as many as the engine can run at once. moderation: the service that checks
    texts, if there is one. rules: the owner's packs. metrics_token: lets its bearer read /metrics
    from afar. models: the only ones to offer, None for all. wishes: when the owner wants requests.
    state_path: where the owner's pause outlives a restart. subtext: how sealed streams leave.
    """

    engine_url: str
    engine_key: str | None
    name: str
    note: str
    listen: tuple[str, int] | None
    endpoint: str | None
    max_active: int | None
    max_queue: int
    node_key: PrivateKey
    owner_key: PrivateKey
    moderation: ModerationSettings | None = None
    engine_context: int | None = None
    rules: tuple[RulePack, ...] = ()
    metrics_token: str | None = field(default=None, repr=False)
    models: frozenset[str] | None = None
    wishes: Wishes = field(default_factory=Wishes)
    state_path: Path | None = None
    subtext: SubtextPace = field(default_factory=SubtextPace)


def plan_rig(
    config: Config, home: Home, environ: Mapping[str, str], *, engine_url: str, folder: Path
) -> RigPlan:
    """The plan of a rig that does what its owner chose. folder: where it keeps its state.

    Raises LuckrigError on what can't be: a rig never starts with less checking than was asked for.
    """
    rig, limits = config.rig, config.limits
    listen = parse_text(ListenAddressType(), rig.listen or DEFAULT_LISTEN)
    return RigPlan(
        engine_url=engine_url,
        engine_key=engine_api_key(environ),
        engine_context=chosen(engine_context, environ),
        name=rig.name or DEFAULT_NAME,
        note=rig.note or "",
        listen=None if rig.tunnel else (listen.host, listen.port),
        endpoint=rig.endpoint,
        max_active=limits.max_active,
        max_queue=DEFAULT_QUEUE if limits.max_queue is None else limits.max_queue,
        node_key=home.load_or_create("node"),
        owner_key=home.load_or_create("user"),
        moderation=chosen_moderation(environ, home.path),
        rules=own_packs(home.rules_folder),
        metrics_token=chosen(metrics_token, environ),
        models=None if rig.models is None else frozenset(rig.models),
        wishes=config.wishes(local_zone_name(environ)),
        state_path=folder / STATE_FILE,
        subtext=chosen(subtext_pace, environ),
    )


def chosen(read: Callable[[Mapping[str, str]], Setting], environ: Mapping[str, str]) -> Setting:
    """A setting of the environment. Raises LuckrigError on a wrong value."""
    try:
        return read(environ)
    except ValueError as error:
        raise LuckrigError("invalid_request", f"{error}.") from error


def chosen_moderation(environ: Mapping[str, str], folder: Path) -> ModerationSettings | None:
    """The moderation service of the environment, with its flags under the rig's folder."""
    return chosen(lambda env: moderation_settings(env, folder=folder / "moderation"), environ)
