"""Checks of what is on this machine: key files, settings, the engine, its models, the rig."""

import os
import shlex
import stat
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from luckrig.cli.config import BACKUP_FILE, Config, config_path, read_config
from luckrig.cli.doctor.result import CheckResult, failed, ok, skipped
from luckrig.cli.home import Home
from luckrig.cli.rig_plan import chosen, chosen_moderation
from luckrig.cli.rules import own_packs
from luckrig.client.key_files import read_key
from luckrig.nodeproxy.control import RigStatus
from luckrig.nodeproxy.engines.advice import what_to_do
from luckrig.nodeproxy.engines.detect import Examined, Found, Missed
from luckrig.nodeproxy.opening import Reason
from luckrig.nodeproxy.settings import engine_api_key, engine_context, metrics_token
from luckrig.protocol.descriptor import Offer
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey

NAMED_MODELS: Final = 3
"""How many are named; the others are counted."""

NEEDED_KEYS: Final = ("node", "user")
"""The rig's and its owner's."""

_START: Final = "Start it: luckrig node start (behind a home router: --tunnel)"
_BY_WISH: Final[frozenset[Reason]] = frozenset({"schedule", "daily_tokens", "owner_busy"})
"""Closed as the owner chose, and open again by itself: nothing to mend."""
_WHY_CLOSED: Final[dict[Reason, tuple[str, str]]] = {
    "paused": ("you paused it", "luckrig node resume"),
    "draining": ("it finishes what it has", "luckrig node resume"),
    "too_hot": ("its GPU is too hot", "Let it cool, or raise limits.max_celsius in config.toml"),
    "power": ("it draws too much power", "Wait, or raise limits.max_watts in config.toml"),
    "schedule": ("outside its opening hours", ""),
    "daily_tokens": ("today's tokens are used up", ""),
    "owner_busy": ("the GPU is busy with something else", ""),
}


class Trouble(NamedTuple):
    """found: what is wrong. fix: what to do."""

    found: str
    fix: str


def key_trouble(path: Path, *, is_key: bool = True) -> Trouble | None:
    """What keeps a file with a key or a secret from being used; None when nothing does."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        fix = f"luckrig node start makes one; from a copy: luckrig keys import --name {path.stem} F"
        return Trouble(f"{path} is missing", fix)
    except OSError as error:
        return Trouble(f"{path}: {error.strerror}", "Look after that folder")
    quoted = shlex.quote(str(path))
    if not stat.S_ISREG(found.st_mode):
        return Trouble(f"{path} is a link or no file at all", "Put the file itself there")
    if found.st_uid != os.geteuid():
        return Trouble(f"{path} belongs to another user", f'sudo chown "$(id -un)" {quoted}')
    mode = stat.S_IMODE(found.st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Trouble(f"Mode {mode:04o}: others can reach {path}", f"chmod 600 {quoted}")
    try:
        if is_key:
            read_key(path)
    except OSError as error:
        return Trouble(f"{path}: {error.strerror}", f"chmod 600 {quoted}")
    except LuckrigError as error:
        fix = f"Put its copy back: luckrig keys import --name {path.stem} FILE"
        return Trouble(error.message.partition(". ")[0].rstrip("."), fix)
    return None


def check_keys(home: Home) -> CheckResult:
    """The home folder, and every file with a key or a secret in it."""
    name = "keys"
    if not home.path.is_dir():
        fix = "luckrig node start makes it; or set LUCKRIG_HOME to the one that you have"
        return failed(name, f"There is no folder {home.path}", fix)
    try:
        names = sorted({*home.names(), *NEEDED_KEYS})
        secrets = sorted(home.keys_folder.glob("*.secret"))
    except OSError as error:
        fix = f"chmod 700 {shlex.quote(str(home.keys_folder))}"
        return failed(name, f"{home.keys_folder}: {error.strerror}", fix)
    files = [(home.key_path(each), True) for each in names]
    files += [(path, False) for path in secrets]
    troubles = [trouble for path, is_key in files if (trouble := key_trouble(path, is_key=is_key))]
    if not troubles:
        return ok(name, f"{', '.join(names)} in {home.keys_folder}, for you alone")
    more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
    return failed(name, f"{troubles[0].found}{more}", troubles[0].fix)


def usable_key(home: Home, name: str) -> PrivateKey | None:
    """The key of that name, if it can be used as it is."""
    try:
        return home.load(name)
    except (LuckrigError, OSError):
        return None


def check_settings(home: Home, environ: Mapping[str, str]) -> tuple[CheckResult, Config | None]:
    """config.toml, the owner's rule packs and the environment; None for a config.toml that is no
    use."""
    name, path = "settings", config_path(home)
    try:
        config = read_config(path)
    except (LuckrigError, OSError) as error:
        kept = path.with_name(BACKUP_FILE)
        fix = "Correct that line" + (f", or take {kept.name} back" if kept.exists() else "")
        return failed(name, _words(error), fix), None
    try:
        packs = own_packs(home.rules_folder)
        chosen(engine_api_key, environ)
        chosen(engine_context, environ)
        chosen(metrics_token, environ)
        chosen_moderation(environ, home.path)
    except (LuckrigError, OSError) as error:
        return failed(name, _words(error), "Correct it; the rig won't start like that"), config
    said = str(path) if path.exists() else "no config.toml: defaults and flags"
    if packs:
        said += f", {len(packs)} rule pack{'s' if len(packs) > 1 else ''} of yours"
    return ok(name, said), config


def check_engine(examined: Examined | None, rig: RigStatus | None) -> CheckResult:
    """Whether the engine can be used. examined: None when no usual port has one."""
    name = "engine"
    if examined is None:
        text = "No engine at any usual port of this machine"
        fix = "Start ollama or llama-server, or try it out: luckrig node start --engine tiny"
        return failed(name, text, fix, unreachable=True)
    if isinstance(examined, Missed):
        what, _, fix = examined.why.partition(". ")
        text = f"{examined.url}: {what}"
        return failed(name, text, fix or "Give the engine's own address", unreachable=True)
    state = examined.state
    what = f"{state.kind}{f' {state.version}' if state.version else ''} at {examined.url}"
    if state.status == "ready":
        return ok(name, what)
    if state.status == "locked" and rig is not None and rig.engine == "ready":
        return ok(name, f"{what}; your rig has the key that it asks for")
    words = {"loading": "is loading a model", "locked": "asks for a key"}
    text = f"{what} {words.get(state.status, 'answers badly')}"
    fix = (what_to_do(state) or "").partition(". ")[2] or "Restart it"
    return failed(name, text, fix, unreachable=state.status == "down")


def check_models(found: Found, config: Config | None, rig: RigStatus | None) -> CheckResult:
    """What the engine has, and whether the models that the owner chose are among it."""
    name, state = "models", found.state
    if state.status == "locked" and rig is not None and rig.models:
        return ok(name, f"{len(rig.models)}: {', '.join(rig.models[:NAMED_MODELS])}")
    if not state.offers:
        return failed(name, "None to offer", what_to_do(state) or "Give the engine one")
    there = {offer.model for offer in state.offers}
    wanted = set(rig.models) if rig else set(config.rig.models or ()) if config else set[str]()
    if missing := sorted(wanted - there):
        text = f"The engine has no {', '.join(missing)} any more; it has {_named(state.offers)}"
        return failed(name, text, "Load it again, or restart the rig: luckrig node drain --stop")
    return ok(name, _named(state.offers))


def check_rig(rig: RigStatus | LuckrigError) -> CheckResult:
    """Whether a rig of this home runs, and whether it is open."""
    name = "rig"
    if isinstance(rig, LuckrigError):
        text = rig.message.partition(". ")[0].rstrip(".")
        return failed(name, text, _START)
    since = f"{rig.name} runs since {_moment(rig.started_at)}"
    if rig.engine != "ready":
        fix = "See engine above; the rig looks again every few seconds"
        return failed(name, f"{since}, but its engine is {rig.engine}", fix)
    if rig.reason is None:
        return ok(name, f"{since}, open, {rig.active} of {rig.max_active} running")
    why, fix = _WHY_CLOSED[rig.reason]
    if rig.reason in _BY_WISH:
        opens = "" if rig.opens_at is None else f"; opens {_moment(rig.opens_at)}"
        return ok(name, f"{since}, closed to others as you chose: {why}{opens}")
    return failed(name, f"{since}, but is closed: {why}", fix)


def tiny_engine() -> CheckResult:
    """The engine that comes with luckrig runs only while its rig does."""
    return skipped("engine", "tiny comes with luckrig, and starts with the rig")


def _named(offers: Sequence[Offer]) -> str:
    told = "; ".join(_describe(offer) for offer in offers[:NAMED_MODELS])
    more = len(offers) - NAMED_MODELS
    return f"{len(offers)}: {told}" + (f"; and {more} more" if more > 0 else "")


def _describe(offer: Offer) -> str:
    size = None if offer.context_length is None else f"{offer.context_length:,} tokens"
    facts = ", ".join(fact for fact in (offer.quantization, size) if fact)
    return f"{offer.model} ({facts})" if facts else offer.model


def _words(error: LuckrigError | OSError) -> str:
    text = error.message if isinstance(error, LuckrigError) else str(error)
    return text.rstrip(".")


def _moment(at: int) -> str:
    """A time on the owner's clock; without the date today."""
    moment = datetime.fromtimestamp(at).astimezone()
    is_today = moment.date() == datetime.fromtimestamp(time.time()).astimezone().date()
    return f"{moment:%H:%M}" if is_today else f"{moment:%Y-%m-%d %H:%M}"
