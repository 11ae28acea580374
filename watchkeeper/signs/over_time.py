"""Signs that one look cannot show: data that does not move, faults that come and go, clocks."""

from __future__ import annotations

from watchkeeper.evidence import Evidence, Kind, Outcome
from watchkeeper.signs.answers import failing
from watchkeeper.signs.finding import UNKNOWN, Finding, of_any, of_one


def data_stale(evidence: Evidence) -> Finding:
    """A resource has not been walked for longer than it may be."""
    return _data(evidence, "stale", "never")


def source_empty(evidence: Evidence) -> Finding:
    """A source that has always had rows shows none, walk after walk, with success."""
    return _data(evidence, "empty")


def source_quiet(evidence: Evidence) -> Finding:
    """Nothing new for far longer than is usual, though every walk succeeds."""
    return _data(evidence, "quiet")


def watermark_in_future(evidence: Evidence) -> Finding:
    """We believe to have everything up to a time that has not come: what comes now is passed over."""
    return _data(evidence, "future")


def fails_now_and_then(evidence: Evidence) -> Finding:
    """All is well at this moment, and some of the last checks failed."""
    if bad := failing(evidence):
        return Finding(False, (), bad)
    return of_any(evidence.of(Kind.HISTORY), lambda r: r.outcome is Outcome.DEGRADED)


def clock_off(evidence: Evidence) -> Finding:
    """Our clock and the vendor's tell different times."""
    return of_one(evidence.one(Kind.CLOCK, "vendor"), lambda r: r.outcome is Outcome.DEGRADED)


def our_clock_off(evidence: Evidence) -> Finding:
    """Two clocks that have nothing to do with each other both differ from ours, the same way."""
    vendor = evidence.one(Kind.CLOCK, "vendor")
    second = next((r for r in evidence.of(Kind.CLOCK) if r.probe != "vendor"), None)
    if vendor is None or second is None or vendor.skew_s is None or second.skew_s is None:
        return UNKNOWN
    pair = (vendor, second)
    off = all(r.outcome is Outcome.DEGRADED for r in pair) and vendor.skew_s * second.skew_s > 0
    return Finding(off, pair if off else (), () if off else pair)


def _data(evidence: Evidence, *faults: str) -> Finding:
    return of_any(evidence.of(Kind.DATA), lambda r: r.fault in faults)


SIGNS = (
    data_stale,
    source_empty,
    source_quiet,
    watermark_in_future,
    fails_now_and_then,
    clock_off,
    our_clock_off,
)
