"""Signs in the vendor's own description of its API."""

from __future__ import annotations

from watchkeeper.evidence import Evidence, Outcome
from watchkeeper.signs.finding import Finding, of_one


def path_not_described(evidence: Evidence) -> Finding:
    """The vendor's description of its API no longer has the path that is missing."""
    return of_one(evidence.contrast("description"), lambda r: r.outcome is Outcome.DOWN)


def path_still_described(evidence: Evidence) -> Finding:
    """The vendor's description of its API still has the path that is missing."""
    return of_one(evidence.contrast("description"), lambda r: r.outcome is Outcome.OK)


SIGNS = (path_not_described, path_still_described)
