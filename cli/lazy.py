"""Groups of commands that import what they run, and nothing else."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click


class DefaultGroup(click.Group):
    """Runs one of its commands where none is named. default: its name."""

    def __init__(self, *args: Any, default: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Part of click's interface."""
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = [self._default, *args]
        return super().parse_args(ctx, args)


class LazyCommand(NamedTuple):
    """A command that is imported when it runs. target: module:attribute. help: one line."""

    target: str
    help: str


class LazyGroup(click.Group):
    """Imports a command's module only when it runs, so that --help answers at once.

    table: name -> command, in the order in which --help lists them.
    """

    def __init__(self, *args: Any, table: Mapping[str, LazyCommand], **options: Any) -> None:
        super().__init__(*args, **options)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command. Raises ImportError or AttributeError when the table is wrong."""
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name].target.partition(":")
        loaded: click.Command = getattr(import_module(module), attribute)
        return loaded

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with suggestions from the table."""
        name = args[0]
        if name not in self._table and not name.startswith("-"):
            raise click.NoSuchCommand(name, possibilities=list(self._table), ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's own help lines: click would import every module for theirs."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self._table.items()])
