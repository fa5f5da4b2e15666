"""The entry point `luckrig`: the table of commands, and what becomes of every error.

| exit code | meaning                                                                  |
|-----------|--------------------------------------------------------------------------|
| 0         | done; also when the reader of a pipe has read enough (`luckrig … | head`) |
| 1         | refused or failed: one line `error: …` on stderr says why                |
| 2         | the command line is wrong                                                |
| 3         | the tracker or the engine can't be reached                               |
| 130       | interrupted with Ctrl-C                                                  |

With --json an error is printed as {"error": {…}} on stdout, in the shape of the HTTP API. Nobody
gets to see a traceback unless LUCKRIG_DEBUG=1 asks for it.
"""

import io
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

import click
from click.exceptions import Exit, NoArgsIsHelpError
from click.shell_completion import shell_complete

from luckrig.cli.lazy import LazyCommand, LazyGroup
from luckrig.cli.output import note, print_json
from luckrig.protocol.errors import LuckrigError, error_body

FAILED: Final = 1
WRONG_USAGE: Final = 2
UNREACHABLE: Final = 3
INTERRUPTED: Final = 130

_UNREACHABLE_CODES: Final = {"tracker_unreachable", "engine_unavailable"}

_EPILOG: Final = """\b
Exit codes:
  0    done
  1    refused or failed; stderr says why
  2    the command line is wrong
  3    the tracker or the engine can't be reached
  130  interrupted

\b
Environment:
  LUCKRIG_HOME     your keys and files, ~/.luckrig
  LUCKRIG_TRACKER  the tracker to ask
  LUCKRIG_DEBUG=1  show where an error comes from
  NO_COLOR=1       no colours
"""


COMMANDS: Final[Mapping[str, LazyCommand]] = {
    "demo": LazyCommand(
        "luckrig.cli.demo:demo", "Try it all on this machine: tracker, rig and a tiny model."
    ),
    "register": LazyCommand(
        "luckrig.cli.register:command", "Put this machine's engine on the map, live."
    ),
    "nodes": LazyCommand("luckrig.cli.nodes:command", "List the rigs on the map, rarest first."),
    "token": LazyCommand("luckrig.cli.token:command", "Get a token for one rig."),
    "connect": LazyCommand(
        "luckrig.cli.connect:command", "Let any OpenAI app here use the whole network."
    ),
    "chat": LazyCommand("luckrig.cli.chat.command:command", "Talk to a rig, or pipe it a text."),
    "race": LazyCommand(
        "luckrig.cli.race.command:command", "Send one prompt to several rigs, side by side."
    ),
    "node": LazyCommand("luckrig.cli.node:node", "Put your own rig on the map."),
    "doctor": LazyCommand(
        "luckrig.cli.doctor.command:doctor", "Find out what keeps your rig from working."
    ),
    "tracker": LazyCommand("luckrig.cli.tracker:tracker", "Run a tracker."),
    "notes": LazyCommand("luckrig.cli.notes:command", "Read and write tuning notes about rigs."),
    "filter": LazyCommand(
        "luckrig.cli.filter:command", "See which rule a text breaks, on this machine."
    ),
    "replay": LazyCommand(
        "luckrig.cli.replay.command:command", "Play back and compare what rigs answered."
    ),
    "score": LazyCommand("luckrig.cli.score:command", "Show what you contributed, and why."),
    "report": LazyCommand(
        "luckrig.cli.report.command:command", "Report a rig, a note, a user or a reply."
    ),
    "status": LazyCommand("luckrig.cli.status:status", "Show who you are, and what was decided."),
    "appeal": LazyCommand("luckrig.cli.status:appeal", "Appeal a decision about you."),
    "login": LazyCommand("luckrig.cli.login:command", "Sign a browser in with your key."),
    "account": LazyCommand("luckrig.cli.account:command", "Export or delete your own data."),
    "admin": LazyCommand("luckrig.cli.admin.command:command", "Decide, as a tracker's operator."),
    "log": LazyCommand(
        "luckrig.cli.log:command", "Check that the tracker didn't rewrite what it listed."
    ),
    "keys": LazyCommand("luckrig.cli.keys:command", "Make, show, save and restore your keys."),
}


def _print_version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    # Imported here: it brings the e-mail package along and would take a third of --help's time.
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"luckrig {version('luckrig')}")
    except PackageNotFoundError:
        click.echo("luckrig, run from its source folder")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and exit.",
)
def luckrig() -> None:
    """A public map of people's own LLM rigs: pick that exact rig, use it through an
    OpenAI-compatible API.

    New here? `luckrig demo` shows everything on this machine, in seconds.
    """


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character shows "?" instead of ending the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:], os.environ))


def run(args: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command line, print what it failed with, and return the exit code."""
    try:
        code = _invoke(args, environ)
        sys.stdout.flush()
    except Exit as request:
        return request.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return 0
    except click.ClickException as error:
        return _report_usage(error)
    except Exception as error:
        if environ.get("LUCKRIG_DEBUG"):
            note("".join(traceback.format_exception(error)).rstrip())
        return _report(_public(error), as_json=_wants_json(args))
    return code


def _invoke(args: Sequence[str], environ: Mapping[str, str]) -> int:
    """Not luckrig.main(): that turns Ctrl-C and closed pipes into its own messages."""
    completion = environ.get("_LUCKRIG_COMPLETE")
    if completion:
        return shell_complete(luckrig, {}, "luckrig", "_LUCKRIG_COMPLETE", completion)
    with luckrig.make_context("luckrig", list(args)) as context:
        luckrig.invoke(context)
    return 0


def _public(error: Exception) -> LuckrigError:
    """The error as the user may see it."""
    for found in _leaves(error):
        if isinstance(found, LuckrigError):
            return found
    hint = "LUCKRIG_DEBUG=1 shows where it comes from."
    if isinstance(error, OSError):
        return LuckrigError("internal_error", f"{error}. {hint}")
    return LuckrigError(
        "internal_error", f"This is a bug in luckrig ({type(error).__name__}). {hint}"
    )


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside a task group's error, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(part)
    else:
        yield error


def _report(error: LuckrigError, *, as_json: bool) -> int:
    if as_json:
        print_json(error_body(error))
        sys.stdout.flush()
    else:
        note(f"error: {' '.join(error.message.split())}")
    return UNREACHABLE if error.code in _UNREACHABLE_CODES else FAILED


def _report_usage(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, NoArgsIsHelpError):
        note(error.format_message())
        return error.exit_code
    if context is not None:
        note(context.get_usage())
    note(f"error: {error.format_message()}")
    if context is not None:
        note(f"Try '{context.command_path} -h' for help.")
    return error.exit_code


def _wants_json(args: Sequence[str]) -> bool:
    """Whether --json was given. Looked up here because an error may come before click's parsing
    ends; nothing else on the command line is spelled like it."""
    options = list(args)
    return "--json" in (options[: options.index("--")] if "--" in options else options)


def _discard_stdout() -> None:
    """Let the interpreter's last flush go nowhere: whoever read stdout has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    main()
