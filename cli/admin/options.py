"""Options and arguments that several commands of operators share."""

import ipaddress
import os
from typing import NamedTuple, get_args

import click

from luckrig.cli.asking import ask, need
from luckrig.cli.home import Home
from luckrig.cli.options import Command
from luckrig.cli.report.subject import subject_of
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.reports import MAX_REASON_CHARS, Ground, TargetKind, check_target


class Target(NamedTuple):
    """What a decision acts on."""

    kind: TargetKind
    id: str


def operator_key() -> PrivateKey:
    """Never made on the fly: a new key is no operator's."""
    return Home.from_env(os.environ).load("user")


def target_of(text: str) -> Target:
    """The target of that id, by its shape. Raises LuckrigError for anything else."""
    if _is_network(text):
        return Target("network", check_target("network", text))
    found = subject_of(text)
    if found is None or found.kind == "reply":
        raise LuckrigError(
            "invalid_request",
            "Give a whole id: of a user (u1…), a rig (n1…), a note; or a network, 203.0.113.0/24.",
            param="target_id",
        )
    return Target(found.kind, found.id)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def reason_option(command: Command) -> Command:
    """--reason, as the argument `reason: str`; a terminal is asked for it."""
    return _reason(command, "For the affected one to read")


def private_reason_option(command: Command) -> Command:
    """The same for what the affected one isn't shown: a hold must warn nobody off."""
    return _reason(command, "For operators only")


def _reason(command: Command, readers: str) -> Command:
    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
        if ctx.resilient_parsing:
            return ""
        text = need(value, "--reason", lambda: ask("Reason", max_chars=MAX_REASON_CHARS))
        if not 1 <= len(text.strip()) <= MAX_REASON_CHARS:
            raise click.UsageError(f"--reason takes 1 to {MAX_REASON_CHARS} characters.", ctx)
        return text.strip()

    return click.option(
        "--reason",
        callback=read,
        metavar="TEXT",
        help=f"{readers}; at most {MAX_REASON_CHARS} characters.",
    )(command)


def ground_options(command: Command) -> Command:
    """--ground and --rule, as the arguments `ground: Ground` and `rule: str`."""
    with_rule = click.option(
        "--rule", default="", metavar="TEXT", help="Which law, or which of the terms."
    )(command)
    return click.option(
        "--ground",
        type=click.Choice(get_args(Ground)),
        default="terms",
        show_default=True,
        help="Whether the law asks for it, or the tracker's terms.",
    )(with_rule)
