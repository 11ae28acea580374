"""Signs on the vendor's status page. What cannot be read there counts for neither side."""

from __future__ import annotations

from watchkeeper.evidence import MAINTENANCE, Evidence, Kind, Outcome, Reading
from watchkeeper.signs.answers import Answer, those
from watchkeeper.signs.finding import Finding, both, found, of_one


def vendor_status_down(evidence: Evidence) -> Finding:
    """The vendor's own page says that it is down."""
    return of_one(evidence.status_page, lambda r: r.outcome is Outcome.DOWN)


def vendor_status_degraded(evidence: Evidence) -> Finding:
    """The vendor's own page says that it is not well, or down."""
    return of_one(
        evidence.status_page,
        lambda r: r.outcome in (Outcome.DOWN, Outcome.DEGRADED) and not announced(r),
    )


def vendor_status_green(evidence: Evidence) -> Finding:
    """The vendor's own page says that all is well; pages lag, so this downgrades nothing."""
    return of_one(evidence.status_page, lambda r: r.outcome is Outcome.OK)


def vendor_in_maintenance(evidence: Evidence) -> Finding:
    """The vendor has announced maintenance for now."""
    return of_one(evidence.status_page, announced)


def fails_in_maintenance(evidence: Evidence) -> Finding:
    """What maintenance can explain is seen while the vendor's announced one goes on: server errors,
    silence, a page about it. It explains no refused key, no missing right, no name that does not
    resolve."""
    explained = tuple(
        r
        for r in those(evidence, Answer.SERVER_ERROR, Answer.PAGE, Answer.SILENT)
        if r.status is not None or r.fault in _OF_A_STOPPED_SERVER
    )
    control = evidence.one(Kind.NETWORK, "control")
    if control is not None and control.outcome is Outcome.DOWN:
        explained = tuple(r for r in explained if r.status is not None)
    return both(found(explained), vendor_in_maintenance(evidence))


_OF_A_STOPPED_SERVER = frozenset({"timeout", "refused", "unreachable", "reset", "protocol", "cut"})


def announced(reading: Reading) -> bool:
    return reading.fault == MAINTENANCE


SIGNS = (
    vendor_status_down,
    vendor_status_degraded,
    vendor_status_green,
    vendor_in_maintenance,
    fails_in_maintenance,
)
