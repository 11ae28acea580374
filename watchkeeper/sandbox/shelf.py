"""The records that lists can see now, kept in the orders that lists are asked for."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from watchkeeper.sandbox.records import Record

Key = tuple[str, int]
KEPT_ORDERS = ("id", "createdAt", "updatedAt")
BEFORE_ALL: Key = ("", -1)


def key_of(record: Record, sort: str) -> Key:
    match sort:
        case "id":
            return ("", record.id)
        case "createdAt":
            return (record.created_at, record.id)
        case "updatedAt":
            return (record.updated_at, record.id)
        case _:
            return (record.sort_value(sort), record.id)


class Shelf:
    """An index, so that a page costs what it carries and not what the collection holds."""

    def __init__(self) -> None:
        self.by_id: dict[int, Record] = {}
        self._orders: dict[str, list[Key]] = {sort: [] for sort in KEPT_ORDERS}

    def put(self, record: Record) -> None:
        """Versions may come out of order when each lags by its own time: the newest stays."""
        old = self.by_id.get(record.id)
        if old is not None and old.updated_at >= record.updated_at:
            return
        self.by_id[record.id] = record
        for sort, order in self._orders.items():
            if old is not None:
                del order[bisect_left(order, key_of(old, sort))]
            insort(order, key_of(record, sort))

    def walk(
        self, sort: str, descending: bool = False, after: Key | None = None
    ) -> Iterator[Record]:
        """From just past `after` (ascending: upwards) to the end."""
        order = self._order(sort)
        if descending:
            stop = len(order) if after is None else bisect_left(order, after)
            places = range(stop - 1, -1, -1)
        else:
            places = range(0 if after is None else bisect_right(order, after), len(order))
        return (self.by_id[order[place][1]] for place in places)

    def _order(self, sort: str) -> list[Key]:
        if sort in self._orders:
            return self._orders[sort]
        return sorted(key_of(record, sort) for record in self.by_id.values())
