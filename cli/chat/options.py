"""The options that `luckrig chat` and `luckrig race` share, and the request that they make."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from luckrig.client.calls import Ask
from luckrig.client.chats import chat_ask
from luckrig.protocol.errors import LuckrigError

MAX_PROMPT_BYTES: Final = 1024 * 1024
"""A rig takes no longer request."""

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What was asked for besides a model and a prompt; None: nothing."""

    subtext: bool = False
    gpu: str | None = None
    quant: str | None = None
    ctx: int | None = None
    min_tps: float | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    def ask(self, messages: Sequence[Mapping[str, Any]], *, model: str) -> Ask:
        """A streamed request. messages: without the system's, which goes first.

        Raises PeerError invalid_request for what can't be asked of a rig.
        """
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        parameters = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return chat_ask(
            [*system, *messages],
            model=model,
            stream=True,
            wanted=self.constraints,
            parameters={name: value for name, value in parameters.items() if value is not None},
        )

    @property
    def constraints(self) -> dict[str, Any]:
        """The `luckrig` object of the request."""
        return {
            "subtext": self.subtext,
            "gpu": self.gpu,
            "quant": self.quant,
            "ctx": self.ctx,
            "min_tps": self.min_tps,
        }


_OPTIONS: Final = (
    click.option("--subtext", is_flag=True, help="Seal request and reply to the rig, or fail."),
    click.option("--gpu", metavar="NAME", help="Only rigs with this GPU, in any spelling."),
    click.option("--quant", metavar="NAME", help="Q4_K_M: exactly that. '>=Q5': so many bits."),
    click.option(
        "--ctx", type=click.IntRange(1, 10**9), metavar="TOKENS", help="At least this context."
    ),
    click.option(
        "--min-tps",
        type=click.FloatRange(0, 10**6),
        metavar="N",
        help="No rig that is known to be slower, in tokens per second.",
    ),
    click.option("--system", metavar="TEXT", help="The system message."),
    click.option("--temperature", type=click.FloatRange(0, 2), metavar="N"),
    click.option(
        "--max-tokens", type=click.IntRange(1, 10**7), metavar="N", help="Of a reply, at most."
    ),
    click.option("--no-replays", is_flag=True, help="Keep no replay in $LUCKRIG_HOME/history."),
    click.option("--invite", metavar="CODE", help="For a tracker that takes new keys with one."),
)


def request_options(command: Command) -> Command:
    """All of them, as arguments: those of Wishes, `no_replays` and `invite`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def piped_text() -> str:
    """What was piped in. Raises LuckrigError on what is no text, or too long for any rig."""
    if sys.stdin.isatty():
        return ""
    data = sys.stdin.buffer.read(MAX_PROMPT_BYTES + 1)
    if len(data) > MAX_PROMPT_BYTES:
        raise LuckrigError("body_too_large", f"More than {MAX_PROMPT_BYTES:,} bytes were piped in.")
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise LuckrigError("invalid_request", "What was piped in is no UTF-8 text.") from error
