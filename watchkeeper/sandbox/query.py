"""What a list request asks for, or why it is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import ceil_ms, instant, iso, whole_ms
from watchkeeper.sandbox.records import Record
from watchkeeper.sandbox.resources import PRIORITIES, STATUSES, Resource

Pairs = Sequence[tuple[str, str]]
LIMIT_MAX, LIMIT_DEFAULT = 200, 100
ENUMS = {"statuses": STATUSES, "priorities": PRIORITIES}
ONE_OF = {
    "statuses": "status",
    "priorities": "priority",
    "assets": "assetId",
    "locations": "locationId",
    "locationId": "locationId",
    "email": "email",
}
STARTS = {"title": "title", "name": "name"}
# Parameters that the vendor was seen to refuse; any other unknown one is ignored in silence,
# which is the nastier half: a misspelt filter returns everything.
REFUSED = frozenset({"status"})
# Measured on the live API: asking for these two together answers an empty page.
NEVER_TOGETHER = frozenset({"CANCELED", "SKIPPED"})


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bound:
    """One side of a time filter, inclusive; `value` in the record's own spelling."""

    field: str
    lower: bool
    value: str

    def holds(self, record: Record) -> bool:
        stamp = record.created_at if self.field == "createdAt" else record.updated_at
        return stamp >= self.value if self.lower else stamp <= self.value


@dataclass(frozen=True, slots=True)
class ListQuery:
    limit: int
    sort: str = "id"
    descending: bool = False
    bounds: tuple[Bound, ...] = ()
    one_of: tuple[tuple[str, frozenset[str]], ...] = ()
    starts: tuple[tuple[str, str], ...] = ()
    nothing: bool = False

    def matches(self, record: Record) -> bool:
        shown = record.fields
        return (
            all(bound.holds(record) for bound in self.bounds)
            and all(str(shown.get(name)) in wanted for name, wanted in self.one_of)
            and all(str(shown.get(name, "")).startswith(text) for name, text in self.starts)
        )


def simple(text: str) -> Refusal:
    return Refusal(400, {"error": text})


def at_field(text: str, path: str, value: object) -> Refusal:
    found: dict[str, object] = {"error": text, "fieldPath": path}
    if value is not None:
        # Scalars only, says the vendor's description.
        found["fieldValue"] = value if isinstance(value, (str, int)) else str(value)
    return Refusal(400, {"errors": [found]})


def parse(resource: Resource, pairs: Pairs) -> ListQuery | Refusal:
    return _refusal(resource, pairs) or _query(resource, pairs)


def limit_of(pairs: Pairs) -> int:
    given = [value for name, value in pairs if name == "limit"]
    return int(given[-1]) if given else LIMIT_DEFAULT


def _refusal(resource: Resource, pairs: Pairs) -> Refusal | None:
    for name, value in pairs:
        if found := _refused(resource, name, value):
            return found
    return None


def _refused(resource: Resource, name: str, value: str) -> Refusal | None:
    if name in REFUSED:
        return simple(f"'{name}' is not a known parameter")
    if name == "limit":
        return _limit_refused(value)
    if name == "sort" and resource.sorts and value.lstrip("-") not in resource.sorts:
        return simple(f"'{value}' is not a member of {sorted(resource.sorts)}")
    if name == "expand" and value not in resource.expands:
        return simple(f"'{value}' is not a member of {sorted(resource.expands)}")
    if name in resource.filters and value not in ENUMS.get(name, (value,)):
        return simple(f"'{value}' is not a member of {list(ENUMS[name])}")
    if resource.timed and _bound_name(name) and _moment(value) is None:
        return at_field('must match format "date-time"', name, value)
    return None


def _limit_refused(value: str) -> Refusal | None:
    if not value.lstrip("-").isdecimal():
        return at_field("must be integer", "limit", value)
    if int(value) > LIMIT_MAX:
        return at_field(f"must be <= {LIMIT_MAX}", "limit", int(value))
    return at_field("must be >= 1", "limit", int(value)) if int(value) < 1 else None


def _bound_name(name: str) -> tuple[str, bool] | None:
    for field in ("createdAt", "updatedAt"):
        if name in (f"{field}[gte]", f"{field}[lte]"):
            return field, name.endswith("[gte]")
    return None


def _moment(value: str) -> datetime | None:
    try:
        return instant(value)
    except ValueError:
        return None


def _bounds(pairs: Pairs) -> tuple[Bound, ...]:
    """Records are stamped in whole milliseconds, so a finer bound is rounded inwards."""
    found = []
    for name, value in pairs:
        if side := _bound_name(name):
            at = ceil_ms(instant(value)) if side[1] else whole_ms(instant(value))
            found.append(Bound(*side, iso(at)))
    return tuple(found)


def _query(resource: Resource, pairs: Pairs) -> ListQuery:
    many = {name: frozenset(v for n, v in pairs if n == name) for name, _ in pairs}
    used = {name: values for name, values in many.items() if name in resource.filters}
    sort = next((v for n, v in pairs if n == "sort" and resource.sorts), "id")
    return ListQuery(
        limit=limit_of(pairs),
        sort=sort.lstrip("-"),
        descending=sort.startswith("-"),
        bounds=_bounds(pairs) if resource.timed else (),
        one_of=tuple((ONE_OF[name], used[name]) for name in used if name in ONE_OF),
        starts=tuple((STARTS[n], next(iter(used[n]))) for n in used if n in STARTS),
        nothing=used.get("statuses") == NEVER_TOGETHER,
    )
