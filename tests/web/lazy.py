"""Values that are made when they are asked for.

Every worker imports every file of tests: what a file makes at its import is made in each of them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

Source = TypeVar("Source")
Value = TypeVar("Value")


class Lazy(Mapping[str, Value], Generic[Source, Value]):
    """Each of the sources made into what tests look at, once, when first asked for."""

    def __init__(self, make: Callable[[Source], Value], sources: Mapping[str, Source]) -> None:
        self._make, self._sources = make, sources
        self._made: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._made:
            self._made[name] = self._make(self._sources[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)
