"""Registers your key at a tracker that asks for more than the key itself."""

import asyncio
from typing import TYPE_CHECKING

from luckrig.cli.loop import plain_ctrl_c
from luckrig.cli.options import ask_tracker
from luckrig.cli.output import note
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import RegistrationInfo
from luckrig.protocol.work import MAX_WORK_BITS, solve

if TYPE_CHECKING:
    from luckrig.client.tracker import TrackerClient


def register(tracker: TrackerAddress, user_key: PrivateKey, *, invite: str | None) -> None:
    """Do what the tracker asks for. Raises LuckrigError with what only the user can do."""

    async def main() -> None:
        async with ask_tracker(tracker) as client:
            await register_at(client, user_key, invite=invite)

    asyncio.run(main())


async def register_at(client: "TrackerClient", user_key: PrivateKey, *, invite: str | None) -> None:
    """The same with a client at hand. Blocks the loop while it does the work that is asked for."""
    from luckrig.client.users import register as ask
    from luckrig.client.users import registration

    info, root_id = await registration(client), (await client.health()).root_id
    async with plain_ctrl_c():
        work = _work(info, root_id, user_key)
    await ask(client, work=work, invite=invite, user_key=user_key)
    note("Your key is registered at this tracker.")


async def register_if_needed(
    client: "TrackerClient", user_key: PrivateKey, *, invite: str | None
) -> None:
    """The same, unless the tracker takes any key, or knows this one already."""
    from luckrig.client.users import register as ask
    from luckrig.client.users import registration

    info = await registration(client)
    if info.mode == "open" and info.work_bits <= 0:
        return
    try:
        await ask(client, work=None, invite=None, user_key=user_key)
    except LuckrigError as error:
        if error.code != "registration_required":
            raise
        await register_at(client, user_key, invite=invite)


def _work(info: RegistrationInfo, root_id: str, user_key: PrivateKey) -> str | None:
    if info.work_bits > MAX_WORK_BITS:
        raise LuckrigError("registration_required", "The tracker asks for endless work.")
    if info.work_bits <= 0:
        return None
    note(f"The tracker asks for {info.work_bits} bits of work for a new key; doing it…")
    return solve(root_id=root_id, user_id=derive_id("u1", user_key.public), bits=info.work_bits)
