"""What became of one call so far: who was asked, what each said, and what that means in the end."""

from typing import Final

from luckrig.client.calling.picking import Choice
from luckrig.client.calls import Ask
from luckrig.client.transport import one_line
from luckrig.protocol.errors import LuckrigError

UNFIT: Final = "unsupported_parameter"
"""A rig that doesn't seal, or has no https. Raised here only; a rig's own is about the request."""


class Run:
    """One call's tries so far. needs_token: only rigs whose token is at hand may be asked."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.tried: set[str] = set()
        self.problems: list[tuple[str, LuckrigError]] = []
        self.tries = 0
        self.waited = False
        self.needs_token = False

    def failed(self, choice: Choice, error: LuckrigError) -> None:
        """A rig gave no reply. The one that was named is asked once more, when it wants to be."""
        asks_to_wait = error.retry_after_seconds is not None and not self.needs_token
        if not (self.ask.wanted.node is not None and asks_to_wait and not self.waited):
            self.tried.add(choice.candidate.rig.id)
        self.tries += error.code != UNFIT
        self.problems.append((choice.candidate.rig.name, error))

    def resting(self, choice: Choice, seconds: float) -> None:
        """The last rig asked for a rest that is too long to wait for."""
        if not self.problems:
            name = choice.candidate.rig.name
            error = LuckrigError(
                "node_offline",
                "The rig asked for a pause. Try again then.",
                retry_after_seconds=max(1, round(seconds)),
            )
            self.problems.append((name, error))

    def failure(self) -> LuckrigError:
        """What is raised when nobody answered: the one error, or the last with all of them."""
        if not self.problems:
            return LuckrigError("node_offline", "No rig can be asked now.")
        _, last = self.problems[-1]
        if len(self.problems) == 1:
            return last
        told = "; ".join(f"{one_line(name)}: {error.message}" for name, error in self.problems)
        pauses = [error.retry_after_seconds for _, error in self.problems]
        return LuckrigError(
            last.code,
            f"No rig answered. {told}",
            param=last.param,
            retry_after_seconds=min((each for each in pauses if each is not None), default=None),
        )
