"""What is held now, from memory: each list, each token and each request through the relay asks."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from luckrig.tracker.domain.cases import DecisionRecord, holding

_NEVER: Final = float("inf")


class InForce:
    """The decisions that nobody has taken back, and what follows from them at a time."""

    def __init__(self, decisions: Iterable[DecisionRecord] = ()) -> None:
        self._decisions: dict[str, DecisionRecord] = {}
        self._held: Mapping[str, DecisionRecord] = MappingProxyType({})
        self._since = self._until = 0.0
        for decision in decisions:
            self.put(decision)

    def put(self, decision: DecisionRecord) -> None:
        """Store a decision, or that it was undone. After the change is on the disk."""
        if decision.action == "dismiss" or decision.undone_at is not None:
            self._decisions.pop(decision.decision_id, None)
        else:
            self._decisions[decision.decision_id] = decision
        self._until = self._since  # no time is between the two

    def at(self, now: float) -> Mapping[str, DecisionRecord]:
        """target id → the decision that holds it; worked out once until one of them ends."""
        if not self._since <= now < self._until:
            self._held = MappingProxyType(holding(self._decisions.values(), now=now))
            ends = [
                each.expires_at
                for each in self._decisions.values()
                if each.expires_at is not None and each.expires_at > now
            ]
            self._since, self._until = now, min(ends, default=_NEVER)
        return self._held
