"""What a request asks of a derived vendor's list; parameters it does not know are ignored."""

from collections.abc import Mapping
from datetime import datetime

from watchkeeper.sandbox.clock import ceil_ms, instant, iso, whole_ms
from watchkeeper.sandbox.query import Bound, ListQuery, Refusal, simple
from watchkeeper.sandbox.shape import ListShape

DEFAULT_LIMIT = 100
UNBOUNDED = 1_000_000


def query_of(
    resource: ListShape, asked: Mapping[str, str], largest: int | None
) -> ListQuery | Refusal:
    """`asked` holds the last value of each parameter; `largest`: no page is larger."""
    limit = _limit(resource, asked, largest)
    if isinstance(limit, Refusal):
        return limit
    bounds = []
    for lower, param in ((True, resource.since_param), (False, resource.until_param)):
        if param is None or param not in asked:
            continue
        if (at := _moment(asked[param])) is None:
            return simple(f"'{param}' must be a date-time with its offset")
        stamp = iso(ceil_ms(at) if lower else whole_ms(at))
        bounds.append(Bound(_field(resource, param), lower, stamp))
    sort, descending = _sort(resource, asked)
    return ListQuery(limit, sort, descending, tuple(bounds))


def _limit(resource: ListShape, asked: Mapping[str, str], largest: int | None) -> int | Refusal:
    if resource.paging == "none":
        return UNBOUNDED
    usual = resource.page_size if resource.limit_param is None else DEFAULT_LIMIT
    if resource.limit_param is None or resource.limit_param not in asked:
        return min(usual, largest or usual)
    value = asked[resource.limit_param]
    if not value.isdecimal() or not 1 <= int(value) <= (largest or UNBOUNDED):
        return simple(f"'{resource.limit_param}' must be 1 to {largest or UNBOUNDED}")
    return int(value)


def _moment(value: str) -> datetime | None:
    try:
        return instant(value)
    except ValueError:
        return None


def _field(resource: ListShape, param: str) -> str:
    created = resource.is_of_creation or "creat" in param.lower()
    return "createdAt" if created else "updatedAt"


def _sort(resource: ListShape, asked: Mapping[str, str]) -> tuple[str, bool]:
    """`-updated_at`, `updated_at:desc`; what names no time is the order of the ids."""
    value = asked.get(resource.sort_param or "", "")
    descending = value.startswith("-") or value.lower().endswith("desc")
    if not value or value.lstrip("-") == resource.id_field:
        return "id", descending
    return _field(resource, value), descending
