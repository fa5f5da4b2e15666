"""What a step is, and what a path gets that leads to none."""

from typing import Protocol

from luckrig.nodeproxy.exchange import Exchange
from luckrig.protocol.errors import PeerError


class Step(Protocol):
    """Looks at an exchange, fills in its part, or refuses by raising LuckrigError.

    Whatever a step holds for the exchange it gives back through Exchange.on_close.
    """

    async def __call__(self, exchange: Exchange) -> None:
        """Do this step."""
        ...


def no_such_route() -> PeerError:
    """The answer to every path that isn't there for whoever asks."""
    return PeerError(
        "not_found",
        "No such route. This rig has /v1/models, /v1/chat/completions, /v1/completions, "
        "/v1/responses, /v1/embeddings.",
    )
