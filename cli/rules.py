"""The rule packs of a rig's owner: $LUCKRIG_HOME/rules/*.toml."""

from pathlib import Path

from luckrig.nodeproxy.filters.pack import RulePack, owner_packs
from luckrig.protocol.errors import LuckrigError


def own_packs(folder: Path) -> tuple[RulePack, ...]:
    """The owner's packs; none without a folder. They add to the shipped ones.

    Raises LuckrigError with file, rule and reason: a rig never starts with fewer rules than its
    owner wrote.
    """
    try:
        return tuple(owner_packs(folder))
    except ValueError as error:
        raise LuckrigError("invalid_request", f"{error}.") from error
