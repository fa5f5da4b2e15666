"""What an owner can say about their rig on the command line, over what config.toml says."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

import click
import msgspec

from luckrig.cli.config import Config
from luckrig.cli.options import engine_option, is_given, listen_option
from luckrig.cli.rig_plan import DEFAULT_LISTEN, DEFAULT_NAME, DEFAULT_QUEUE

Command = TypeVar("Command", bound=Callable[..., Any])

_SECTIONS: Final[dict[str, dict[str, str]]] = {
    "rig": {
        "name": "name",
        "note_text": "note",
        "engine": "engine",
        "models": "models",
        "tracker": "tracker",
        "listen": "listen",
        "endpoint": "endpoint",
        "tunnel": "tunnel",
    },
    "schedule": {"hours": "open", "timezone": "timezone"},
    "limits": {
        "max_active": "max_active",
        "max_queue": "max_queue",
        "tokens_per_day": "tokens_per_day",
        "max_celsius": "max_celsius",
        "max_watts": "max_watts",
    },
    "idle": {"idle_only": "only"},
}
"""Section of the config, then argument -> key."""

_OPTIONS: Final = (
    engine_option,
    click.option("--name", default=DEFAULT_NAME, show_default=True, help="What the map calls it."),
    click.option("--note", "note_text", default="", help="Tuning notes, for everybody to read."),
    click.option(
        "--model",
        "models",
        multiple=True,
        metavar="NAME",
        help="Offer this model only; repeatable.",
    ),
    listen_option(DEFAULT_LISTEN),
    click.option(
        "--endpoint", metavar="URL", help="Where clients reach it, if not where it listens."
    ),
    click.option(
        "--open",
        "hours",
        multiple=True,
        metavar="HOURS",
        help='When it takes requests, like "weekdays 22:00-07:00"; repeatable.  [default: always]',
    ),
    click.option(
        "--timezone", metavar="ZONE", help="Whose clock that is.  [default: this machine's]"
    ),
    click.option(
        "--idle-only/--not-idle-only",
        default=False,
        help="Take nothing while you use the GPU yourself.",
    ),
    click.option(
        "--max-active",
        type=click.IntRange(1, 1024),
        help="Requests at the engine at once.  [default: what the engine can run in parallel]",
    ),
    click.option(
        "--max-queue",
        type=click.IntRange(0, 1024),
        default=DEFAULT_QUEUE,
        show_default=True,
        help="Requests waiting for their turn.",
    ),
    click.option("--tokens-per-day", type=click.IntRange(1, 10**12), help="For others than you."),
    click.option("--max-celsius", type=click.FloatRange(20, 120), help="Hotter, it takes a rest."),
    click.option("--max-watts", type=click.FloatRange(1, 100_000), help="The same for power."),
)


def rig_options(command: Command) -> Command:
    """All of them; with_options() reads what was given."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def with_options(config: Config, options: Mapping[str, Any]) -> Config:
    """The config with what was given on the command line or in the environment.

    Part of the running command. An argument that the command doesn't have isn't given.
    """
    changed: dict[str, Any] = {}
    for section, keys in _SECTIONS.items():
        given = {
            key: _plain(options[name])
            for name, key in keys.items()
            if name in options and is_given(name)
        }
        changed[section] = msgspec.structs.replace(getattr(config, section), **given)
    return Config(**changed)


def _plain(value: Any) -> Any:
    """An argument as the config holds it: a list, a number, or the text it was."""
    if isinstance(value, tuple):
        return [*cast("tuple[str, ...]", value)]
    return value if isinstance(value, bool | int | float) else str(value).rstrip("/")
