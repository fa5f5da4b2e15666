"""Whose tracker it is: the key in its address, or the one that answered there first."""

from typing import NamedTuple

import msgspec

from luckrig.cli.config import Config
from luckrig.cli.options import DEFAULT_TRACKER, ask_tracker
from luckrig.protocol.address import TrackerAddress, parse_tracker_address
from luckrig.protocol.errors import LuckrigError


class Pinned(NamedTuple):
    """A tracker's full address. is_first_use: nobody named its key, so the one it has is taken."""

    address: TrackerAddress
    is_first_use: bool


def wanted_tracker(chosen: str | None, remembered: str | None) -> tuple[TrackerAddress, bool]:
    """(the tracker to ask, whether its key comes from memory and not from what was given now).

    An address without a key gets the one that is remembered for it. Raises LuckrigError.
    """
    try:
        asked = parse_tracker_address(chosen or remembered or DEFAULT_TRACKER)
        known = parse_tracker_address(remembered) if remembered else None
    except ValueError as error:
        raise LuckrigError("invalid_request", f"{error}.") from error
    if known is None or known.root_id is None or known.origin != asked.origin:
        return asked, False
    if asked.root_id is None:
        return known, True
    return asked, chosen is None or known.root_id == asked.root_id


async def pin(asked: TrackerAddress, *, is_remembered: bool) -> Pinned:
    """Ask the tracker who it is. Raises LuckrigError when it isn't the one it was, or is away."""
    async with ask_tracker(TrackerAddress(asked.origin, None)) as client:
        found = (await client.health()).root_id
    if asked.root_id is None:
        return Pinned(TrackerAddress(asked.origin, found), is_first_use=True)
    if asked.root_id != found:
        raise _other_key(asked.origin, asked.root_id, found, is_remembered=is_remembered)
    return Pinned(asked, is_first_use=False)


def with_tracker(config: Config, address: TrackerAddress) -> Config:
    """The config that remembers it."""
    return msgspec.structs.replace(
        config, rig=msgspec.structs.replace(config.rig, tracker=str(address))
    )


def _other_key(origin: str, old: str, new: str, *, is_remembered: bool) -> LuckrigError:
    whence = "the one remembered in config.toml" if is_remembered else "the one in its address"
    return LuckrigError(
        "signature_invalid",
        f"The tracker at {origin} has another key: {new}, not {old}, {whence}. Somebody may have"
        " put another tracker in its place. Ask its operator; if the new key is right, say so:"
        f" luckrig register '{origin}#{new}'",
    )
