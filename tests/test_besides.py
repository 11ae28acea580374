"""A row of the runbook that no stand-in can show: no check of ours asks for a single record."""

from __future__ import annotations

import pytest
from making import T0, endpoint, runbook

from watchkeeper.diagnosis import Verdict, diagnose
from watchkeeper.evidence import Evidence, Reading

LIST, ONE = endpoint("workorders"), endpoint("workorder", 404, of="workorders")
REST = (endpoint("assets"), endpoint("users"))
GONE = ("record_gone", 4, Verdict.CONFIRMED)


@pytest.mark.parametrize(
    ("readings", "found"),
    [
        ((LIST, ONE, *REST), GONE),
        ((endpoint("workorders", 404), *REST), ("api_path_changed", 2, Verdict.LIKELY)),
    ],
    ids=["one record", "the whole list"],
)
def test_a_record_that_is_gone_is_no_moved_path(
    readings: tuple[Reading, ...], found: tuple[str, int, Verdict]
) -> None:
    """404 for one record whose list answers says nothing about the path."""
    evidence = Evidence(integration="maintainx@test", at=T0, readings=readings)
    leading = diagnose(evidence, runbook()).leading
    assert leading is not None
    assert (leading.cause, leading.severity, leading.verdict) == found
