"""The vendor's data: it grows and changes by the clock, whether or not anyone can reach it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush

from watchkeeper.sandbox import making
from watchkeeper.sandbox.clock import MILLISECOND, iso, whole_ms
from watchkeeper.sandbox.config import Arrivals, Config
from watchkeeper.sandbox.making import fraction
from watchkeeper.sandbox.records import Fields, Record, record
from watchkeeper.sandbox.resources import RESOURCES
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


def streams(arrivals: Arrivals, now: datetime, before: tuple[Stream, ...] = ()) -> list[Stream]:
    rates = (
        ("workorders", True, arrivals.created_per_s),
        ("workorders", False, arrivals.changed_per_s),
        ("assets", False, arrivals.assets_changed_per_s),
    )
    counts = [s.nth for s in before] or [0] * len(rates)
    return [Stream(*rate, now, nth) for rate, nth in zip(rates, counts, strict=True)]


class World:
    """`records` is the truth; `shelves` is what lists can see of it so far."""

    def __init__(self, config: Config, start: datetime) -> None:
        self.config = config
        self.records: dict[str, dict[int, Record]] = {name: {} for name in RESOURCES}
        self.shelves = {name: Shelf() for name in RESOURCES}
        self.arrivals = config.arrivals
        self._streams = streams(config.arrivals, start)
        self._hidden: list[tuple[datetime, int, str, Record]] = []
        self._writes = 0
        self._counts = dict(config.records)
        self._ids: dict[str, list[int]] = {name: [] for name in RESOURCES}
        for name, count in config.records.items():
            self._found(name, count, start - timedelta(seconds=config.history_s))
        self._stamp = whole_ms(start)

    def advance(self, now: datetime) -> None:
        """Do all that was due by `now`, in order, each at its own time."""
        while due := [s for s in self._streams if s.is_due(now)]:
            self._happen(min(due, key=lambda s: s.due))
        while self._hidden and self._hidden[0][0] <= now:
            _, _, resource, version = heappop(self._hidden)
            self.shelves[resource].put(version)

    def set_arrivals(self, arrivals: Arrivals, now: datetime) -> None:
        self.advance(now)
        self.arrivals = arrivals
        self._streams = streams(arrivals, now, tuple(self._streams))

    def create(self, resource: str, given: Fields, extra: Fields, at: datetime) -> Record:
        known = self._ids[resource]
        stamp = self._next_stamp(at)
        fields = {**making.make(resource, self.config.seed, len(known) + 1, self._counts), **given}
        shown = making.shown(resource, fields, iso(stamp), iso(stamp))
        return self._write(resource, record(iso(stamp), iso(stamp), shown, extra), stamp)

    def change(
        self, resource: str, number: int, given: Fields, extra: Fields, at: datetime
    ) -> Record:
        old, stamp = self.records[resource][number], self._next_stamp(at)
        shown = making.shown(resource, {**old.fields, **given}, old.created_at, iso(stamp))
        kept: Mapping[str, object] = {**old.extra, **extra}
        return self._write(resource, record(old.created_at, iso(stamp), shown, kept), stamp)

    def _happen(self, stream: Stream) -> None:
        at, nth, seed = stream.due, stream.nth + 1, self.config.seed
        place = self._streams.index(stream)
        self._streams[place] = Stream(stream.resource, stream.creates, stream.rate_per_s, at, nth)
        if stream.creates:
            self.create(stream.resource, {}, {}, at)
        elif known := self._ids[stream.resource]:
            number = known[int(fraction(seed, "which", stream.resource, nth) * len(known))]
            given = making.drift(stream.resource, seed, nth, iso(at))
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
            self.shelves[resource].put(version)
        else:
            heappush(self._hidden, (shown_at, self._writes, resource, version))
        return version

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
            fields = making.make(resource, self.config.seed, n, self._counts)
            stamps = iso(created), iso(touched)
            version = record(*stamps, making.shown(resource, fields, *stamps), {})
            self.records[resource][version.id] = version
            self._ids[resource].append(version.id)
            self.shelves[resource].put(version)
