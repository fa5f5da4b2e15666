"""How often a tracker knocks at a door that nobody has proven to be theirs.

Anybody may publish a thousand descriptors that name one victim. Each would be probed a few times a
minute; together they may not be. Who has proven their endpoint asked to be probed and costs none
of this, so that a flood of false ones takes no good rig off the map.

| what is counted                                | a minute |
|------------------------------------------------|----------|
| one IP address                                 | 12       |
| its network, /24 or /48                        | 120      |
| names under one domain (its last two labels)   | 60       |
"""

import ipaddress
from collections import deque
from collections.abc import Iterable
from typing import Final

WINDOW_SECONDS: Final = 60.0
PER_ADDRESS: Final = 12
PER_NETWORK: Final = 120
PER_DOMAIN: Final = 60

Cost = tuple[str, int]
"""(what is knocked at, how often in a window at most)."""


def name_costs(host: str) -> list[Cost]:
    """What it costs to look a name up: the domain's DNS servers are somebody's too."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return [(".".join(host.lower().rstrip(".").split(".")[-2:]), PER_DOMAIN)]
    return []


def address_costs(address: str) -> list[Cost]:
    """What it costs to connect to an IP address. Raises ValueError for what isn't one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    network = ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False)
    return [(str(ip), PER_ADDRESS), (str(network), PER_NETWORK)]


class ProbeBudget:
    """Counts knocks over a sliding window. Holds no more than what one window saw."""

    def __init__(self) -> None:
        self._knocks: dict[str, deque[float]] = {}
        self._swept_at = 0.0

    def __len__(self) -> int:
        return len(self._knocks)

    def take(self, costs: Iterable[Cost], *, now: float) -> bool:
        """Whether all of these may be knocked at once more; if so, it counts. now: seconds."""
        self._sweep(now)
        costs = list(costs)
        for what, limit in costs:
            times = self._knocks.get(what, ())
            if sum(at > now - WINDOW_SECONDS for at in times) >= limit:
                return False
        for what, limit in costs:
            self._knocks.setdefault(what, deque(maxlen=limit)).append(now)
        return True

    def _sweep(self, now: float) -> None:
        if abs(now - self._swept_at) < WINDOW_SECONDS:
            return
        self._swept_at = now
        self._knocks = {
            what: times
            for what, times in self._knocks.items()
            if now - WINDOW_SECONDS < times[-1] <= now  # a clock that went back forgives
        }
