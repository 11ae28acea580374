"""What most scenarios share: the shipped jobs, the verdicts, and a harm that is over by itself."""

from __future__ import annotations

from typing import Any

from deployments.drill.played import played
from deployments.drill.scenario import Scenario

ALL_JOBS, DEFERRABLE = played("maintainx").jobs, played("maintainx").deferrable
TRANSCRIPTS = played("twinmind").jobs
SURE = ("confirmed",)
LIKELY = ("likely",)


def passing(name: str, title: str, cause: str, severity: int, **more: Any) -> Scenario:
    """Something that is over by itself: what can be done is to wait well, and to fill in."""
    usual = {"pauses": ALL_JOBS, "verdicts": SURE, "cleared_after_s": 2, "touched_at_least": 100}
    facts: dict[str, Any] = {**usual, **more}
    return Scenario(name=name, title=title, cause=cause, severity=severity, **facts)
