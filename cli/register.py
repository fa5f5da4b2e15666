"""Registers your key at a tracker that asks for more than the key itself."""

import asyncio

from luckrig.cli.options import ask_tracker
from luckrig.cli.output import note
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import RegistrationInfo
from luckrig.protocol.work import MAX_WORK_BITS, solve


def register(tracker: TrackerAddress, user_key: PrivateKey, *, invite: str | None) -> None:
    """Do what the tracker asks for. Raises LuckrigError with what only the user can do."""
    info, root_id = asyncio.run(_terms(tracker))
    work: str | None = None
    if info.work_bits > MAX_WORK_BITS:
        raise LuckrigError("registration_required", "The tracker asks for endless work.")
    if info.work_bits > 0:
        note(f"The tracker asks for {info.work_bits} bits of work for a new key; doing it…")
        # Outside of asyncio.run, so that Ctrl-C ends it at once.
        work = solve(root_id=root_id, user_id=derive_id("u1", user_key.public), bits=info.work_bits)
    asyncio.run(_register(tracker, user_key, work, invite))
    note("Your key is registered at this tracker.")


async def _terms(tracker: TrackerAddress) -> tuple[RegistrationInfo, str]:
    from luckrig.client.users import registration

    async with ask_tracker(tracker) as client:
        return await registration(client), (await client.health()).root_id


async def _register(
    tracker: TrackerAddress, user_key: PrivateKey, work: str | None, invite: str | None
) -> None:
    from luckrig.client.users import register as ask

    async with ask_tracker(tracker) as client:
        await ask(client, work=work, invite=invite, user_key=user_key)
