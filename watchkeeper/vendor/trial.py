"""What the first requests to a vendor prove about its runbook. Pure: replies in, checks out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from watchkeeper.errors import Throttled, WatchkeeperError
from watchkeeper.runbook.api import RateLimit, Resource
from watchkeeper.vendor.answers import BadRequest, Forbidden, NotFound, raise_for, throttle
from watchkeeper.vendor.items import Item, iso
from watchkeeper.vendor.listing import items_of
from watchkeeper.vendor.paging import Trail
from watchkeeper.vendor.reply import Reply
from watchkeeper.vendor.strict_json import BadBody

Verdict = Literal["works", "does not work", "not known"]
_TICK = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried. `todo`: what to do about it, where there is something."""

    about: str
    verdict: Verdict
    says: str
    todo: str = ""


def works(about: str, says: str) -> Check:
    return Check(about, "works", says)


def fails(about: str, says: str, todo: str) -> Check:
    return Check(about, "does not work", says, todo)


def open_(about: str, says: str, todo: str = "") -> Check:
    return Check(about, "not known", says, todo)


def bound_after(items: Sequence[Item]) -> datetime | None:
    """An instant that every one of these records was changed before; None where none tells it."""
    times = [item.changed_at for item in items if item.changed_at is not None]
    return max(times) + _TICK if times else None


def bound_within(items: Sequence[Item]) -> datetime | None:
    """An instant with records on both sides, the later ones on it or after it; else as above."""
    times = sorted({item.changed_at for item in items if item.changed_at is not None})
    return times[-1] if len(times) > 1 else bound_after(items)


def items_in(reply: Reply, resource: Resource) -> tuple[Item, ...]:
    """The records of a good answer, none of any other."""
    try:
        raise_for(reply, resource)
        return items_of(reply.json(), resource)
    except WatchkeeperError:
        return ()


def list_checks(reply: Reply, resource: Resource, bound: datetime | None) -> tuple[Check, ...]:
    """One page of a list: its shape, its order and, where it was asked for what changed from
    `bound` on, whether it keeps to that."""
    about = f"list {resource.name}"
    try:
        raise_for(reply, resource)
        body = reply.json()
        items = items_of(body, resource)
        following = Trail(resource).step(body, [item.record_id for item in items])
    except WatchkeeperError as error:
        return (fails(about, str(error), _mend(error, resource)),)
    return (
        _page(about, items, following, resource),
        *_order(items, resource),
        *(() if bound is None else _since(items, bound, resource)),
    )


def _page(about: str, items: Sequence[Item], following: str | None, resource: Resource) -> Check:
    count = f"{len(items)} record{'' if len(items) == 1 else 's'}"
    if resource.limit_param is not None and len(items) > resource.page_size:
        said = f"{count} came where {resource.page_size} were asked for"
        return fails(about, said, f"is {resource.limit_param!r} its parameter for a page's size?")
    fields = " and ".join(filter(None, (resource.id_field, resource.version_field)))
    held = f" with {fields}" if items else ": nothing to look at"
    return works(about, f"{count}{held}; {'more follow' if following else 'no more follow'}")


def _order(items: Sequence[Item], resource: Resource) -> tuple[Check, ...]:
    field, sort = resource.version_field, resource.sort
    if not sort or not field or field.lower() not in sort.lower():
        return ()
    about, versions = f"order of {resource.name}", [item.version for item in items]
    if len(set(versions)) < 2:
        return (open_(about, "too few records to see one"),)
    if all(a <= b for a, b in pairwise(versions)) or all(a >= b for a, b in pairwise(versions)):
        return (works(about, f"sorted by {field}, as asked"),)
    todo = f"does the vendor know {resource.sort_param}={sort}? Take both out if it does not"
    return (fails(about, f"not sorted by {field}", todo),)


def _since(items: Sequence[Item], bound: datetime, resource: Resource) -> tuple[Check, ...]:
    about, said = f"filter of {resource.name}", f"{resource.since_param}={iso(bound)}"
    if not items:
        return (works(about, f"{said}: nothing, though older records exist"),)
    early = [i for i in items if i.changed_at is not None and i.changed_at < bound]
    if not early:
        return (works(about, f"{said}: nothing from before"),)
    todo = f"is {resource.since_param!r} its parameter? Without one, take since_param out"
    return (fails(about, f"{said}: {len(early)} of {len(items)} records are from before", todo),)


def _mend(error: WatchkeeperError, resource: Resource) -> str:
    if isinstance(error, BadBody):
        return "hold an answer against envelope, id_field, version_field and cursor_field"
    if isinstance(error, NotFound):
        return f"is the path {resource.path!r} right, below base_url?"
    if isinstance(error, Forbidden):
        return "give the key's owner the right to read this list"
    if isinstance(error, BadRequest):
        names = (resource.limit_param, resource.sort_param, resource.since_param)
        return f"does the vendor know {', '.join(filter(None, names)) or 'this request'}?"
    if isinstance(error, Throttled):
        return "wait, and look again: is somebody else using this key?"
    return "see what the vendor's reference says of this list"


def rate_check(replies: Sequence[Reply], limit: RateLimit) -> Check:
    """The vendor's budget by its headers, against the one in the runbook."""
    told = [signal for signal in map(throttle, replies) if signal.limit is not None]
    if not told:
        return open_(
            "rate headers",
            "none were seen, which is usual at many",
            f"is {limit.requests} requests per {limit.per.total_seconds():g} s in your contract?",
        )
    last = told[-1]
    said = f"{last.limit} allowed"
    said += "" if last.remaining is None else f", {last.remaining} left"
    said += "" if last.reset_s is None else f", whole again in {last.reset_s:.0f} s"
    if last.limit is not None and last.limit < limit.requests:
        todo = f"the runbook says {limit.requests}: set rate_limit.requests to {last.limit}"
        return fails("rate headers", said, todo)
    return works("rate headers", said)


def clock_check(skews_s: Sequence[float], most: timedelta) -> Check:
    """Our clock against the vendor's, by the Date of its answers (whole seconds)."""
    if not skews_s:
        return open_("clock", "the vendor's answers tell no time")
    skew_s = min(skews_s, key=abs)
    said = f"the vendor's is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} ours"
    if abs(skew_s) > most.total_seconds():
        return fails("clock", said, "set the time here from a server: windows depend on it")
    return works("clock", said)
