"""The vendor's data: it grows and changes by the clock, whether or not anyone can reach it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush

from watchkeeper.sandbox.clock import MILLISECOND, iso, whole_ms
from watchkeeper.sandbox.config import Arrivals, Config
from watchkeeper.sandbox.making import MAKING, Making, fraction
from watchkeeper.sandbox.records import Fields, Record, record
from watchkeeper.sandbox.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Stream:
    """Events at an even pace. `nth` counts them, so that each one can be drawn from the seed."""

    resource: str
    creates: bool
    rate_per_s: float
    last: datetime
    nth: int = 0

    @property
    def due(self) -> datetime:
        return self.last + timedelta(seconds=1 / self.rate_per_s)

    def is_due(self, now: datetime) -> bool:
        return self.rate_per_s > 0 and self.due <= now


def streams(
    moves: tuple[tuple[str, bool, float], ...], now: datetime, before: tuple[Stream, ...] = ()
) -> list[Stream]:
    counts = [s.nth for s in before] or [0] * len(moves)
    return [Stream(*move, now, nth) for move, nth in zip(moves, counts, strict=True)]


class World:
    """`records` is the truth; `shelves` is what lists can see of it so far.

    `still_since`: the resources whose lists show nothing later than that.
    """

    def __init__(self, config: Config, start: datetime, making: Making = MAKING) -> None:
        self.config = config
        self.making = making
        self.records: dict[str, dict[int, Record]] = {name: {} for name in making.names}
        self.shelves = {name: Shelf() for name in making.names}
        self.arrivals = config.arrivals
        self.still_since: dict[str, datetime] = {}
        self._streams = streams(making.moves(config.arrivals), start)
        self._withheld: list[tuple[str, Record]] = []
        self._hidden: list[tuple[datetime, int, str, Record]] = []
        self._writes = 0
        self._counts = dict(config.records)
        self._ids: dict[str, list[int]] = {name: [] for name in making.names}
        for name, count in config.records.items():
            self._found(name, count, start - timedelta(seconds=config.history_s))
        self._stamp = whole_ms(start)

    def advance(self, now: datetime) -> None:
        """Do all that was due by `now`, in order, each at its own time."""
        while due := [s for s in self._streams if s.is_due(now)]:
            self._happen(min(due, key=lambda s: s.due))
        withheld, self._withheld = self._withheld, []
        for resource, version in withheld:
            self._show(resource, version, now)
        while self._hidden and self._hidden[0][0] <= now:
            shown_at, _, resource, version = heappop(self._hidden)
            self._show(resource, version, shown_at)

    def set_arrivals(self, arrivals: Arrivals, now: datetime) -> None:
        self.advance(now)
        self.arrivals = arrivals
        self._streams = streams(self.making.moves(arrivals), now, tuple(self._streams))

    def create(self, resource: str, given: Fields, extra: Fields, at: datetime) -> Record:
        known = self._ids[resource]
        stamp = self._next_stamp(at)
        made = self.making.make(resource, self.config.seed, len(known) + 1, self._counts)
        shown = self.making.shown(resource, {**made, **given}, iso(stamp), iso(stamp))
        return self._write(
            resource, record(made["id"], iso(stamp), iso(stamp), shown, extra), stamp
        )

    def change(
        self, resource: str, number: int, given: Fields, extra: Fields, at: datetime
    ) -> Record:
        old, stamp = self.records[resource][number], self._next_stamp(at)
        shown = self.making.shown(resource, {**old.fields, **given}, old.created_at, iso(stamp))
        kept: Mapping[str, object] = {**old.extra, **extra}
        return self._write(resource, record(number, old.created_at, iso(stamp), shown, kept), stamp)

    def _happen(self, stream: Stream) -> None:
        at, nth, seed = stream.due, stream.nth + 1, self.config.seed
        place = self._streams.index(stream)
        self._streams[place] = Stream(stream.resource, stream.creates, stream.rate_per_s, at, nth)
        if stream.creates:
            self.create(stream.resource, {}, {}, at)
        elif known := self._ids[stream.resource]:
            number = known[int(fraction(seed, "which", stream.resource, nth) * len(known))]
            given = self.making.drift(stream.resource, seed, nth, iso(at))
            self.change(stream.resource, number, given, {}, at)

    def _next_stamp(self, at: datetime) -> datetime:
        """Each write has a millisecond of its own, later than every write before it."""
        self._stamp = max(whole_ms(at), self._stamp + MILLISECOND)
        return self._stamp

    def _write(self, resource: str, version: Record, stamp: datetime) -> Record:
        if version.id not in self.records[resource]:
            self._ids[resource].append(version.id)
        self.records[resource][version.id] = version
        self._writes += 1
        shown_at = stamp + timedelta(seconds=self._lag_s(resource, version))
        if shown_at == stamp:
            self._show(resource, version, stamp)
        else:
            heappush(self._hidden, (shown_at, self._writes, resource, version))
        return version

    def _show(self, resource: str, version: Record, at: datetime) -> None:
        if resource in self.still_since and at > self.still_since[resource]:
            self._withheld.append((resource, version))
        else:
            self.shelves[resource].put(version)

    def _lag_s(self, resource: str, version: Record) -> float:
        lag_s = self.config.list_lag_s
        if not self.config.list_lag_jitter:
            return lag_s
        return lag_s * fraction(self.config.seed, "lag", resource, version.id, version.updated_at)

    def _found(self, resource: str, count: int, start: datetime) -> None:
        """The initial records: spread over the history, each touched once since, all visible."""
        step = timedelta(seconds=self.config.history_s / max(count, 1))
        for n in range(1, count + 1):
            created = whole_ms(start + step * (n - 1))
            touched = created + step * fraction(self.config.seed, "touched", resource, n) * 0.9
            fields = self.making.make(resource, self.config.seed, n, self._counts)
            stamps = iso(created), iso(touched)
            shown = self.making.shown(resource, fields, *stamps)
            version = record(fields["id"], *stamps, shown, {})
            self.records[resource][version.id] = version
            self._ids[resource].append(version.id)
            self.shelves[resource].put(version)
