"""What stores in memory hold, as rows of the tables that SQLite has: for export and deletion."""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import asdict, replace
from typing import Any, Generic, Protocol, TypeVar

Row = dict[str, object]
Key = TypeVar("Key")
Record = TypeVar("Record")


class Shelf(Protocol):
    """One table."""

    def rows(self) -> Iterator[tuple[Any, Row]]:
        """(key, column → value) of every row."""
        ...

    def delete(self, key: Any) -> None:
        """Delete that row."""
        ...

    def change(self, key: Any, values: Mapping[str, object]) -> None:
        """Set some of its columns."""
        ...


class Records(Generic[Key]):
    """A dictionary of records. renamed: column → field, where they differ."""

    def __init__(
        self,
        records: Callable[[], MutableMapping[Key, Any]],
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        self._records = records
        self._fields = dict(renamed or {})
        self._columns = {field: column for column, field in self._fields.items()}

    def rows(self) -> Iterator[tuple[Key, Row]]:
        for key, record in list(self._records().items()):
            yield (
                key,
                {
                    self._columns.get(name, name): _plain(value)
                    for name, value in asdict(record).items()
                },
            )

    def delete(self, key: Key) -> None:
        del self._records()[key]

    def change(self, key: Key, values: Mapping[str, object]) -> None:
        fields: dict[str, Any] = {
            self._fields.get(column, column): value for column, value in values.items()
        }
        self._records()[key] = replace(self._records()[key], **fields)


class Fixed:
    """A table whose rows are never changed, and deleted only where `delete` is given.

    What becomes of rows is said in domain/stored_data.py. A rule there that asks for more than a
    shelf can do is a mistake of ours, so it raises instead of leaving the rows as they are.
    """

    def __init__(
        self,
        rows: Callable[[], Iterable[tuple[Any, Row]]],
        delete: Callable[[Any], object] | None = None,
    ) -> None:
        self._rows = rows
        self._delete = delete

    def rows(self) -> Iterator[tuple[Any, Row]]:
        return iter(list(self._rows()))

    def delete(self, key: Any) -> None:
        if self._delete is None:
            raise NotImplementedError("nothing is deleted from this table")
        self._delete(key)

    def change(self, key: Any, values: Mapping[str, object]) -> None:
        raise NotImplementedError("nothing is changed in this table")


def _plain(value: object) -> object:
    """As SQLite has it."""
    return int(value) if isinstance(value, bool) else value
