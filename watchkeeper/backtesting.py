"""What other rules would have said of the looks that were kept: past incidents, judged again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from watchkeeper.diagnosis import Verdict, diagnose
from watchkeeper.evidence import Evidence
from watchkeeper.report import CauseEntry
from watchkeeper.runbook.model import Runbook

AUTOMATION = ("health", "watchkeeper")


@dataclass(frozen=True, slots=True)
class Said:
    """What is told to people: the leading cause, how sure, how grave. `by`: a person who said so."""

    cause: str | None
    verdict: str
    severity: int | None
    by: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An incident of which the other rules say something else; without an incident, a kind of look
    that they judge otherwise, and how many of them there are."""

    integration: str
    incident: int | None
    was: Said
    would_be: Said
    looks: int


@dataclass(slots=True)
class Tally:
    """What one pass over the looks finds out."""

    was: dict[int, tuple[Said, datetime]] = field(default_factory=dict)
    would_be: dict[int, tuple[Said, datetime]] = field(default_factory=dict)
    looks: Counter[int] = field(default_factory=Counter)
    integrations: dict[int, str] = field(default_factory=dict)
    apart: Counter[tuple[str, Said, Said]] = field(default_factory=Counter)


def replay(
    looks: Iterable[tuple[int | None, Evidence]], was: Runbook, would_be: Runbook
) -> tuple[Change, ...]:
    """Diagnose each look, with the incident it belongs to, by both runbooks.

    Of an incident the gravest look speaks, for each runbook by itself: one that names a cause
    before one that names none; then the lower severity; then a confirmed cause; then the later
    look. So one blurred look on the way, or the good ones at the end, decide nothing. Looks of no
    incident are compared one by one and counted.
    """
    tally = Tally()
    for incident, evidence in looks:
        before, after = judged(evidence, was), judged(evidence, would_be)
        if incident is None:
            tally.apart[(evidence.integration, before, after)] += before != after
        else:
            _keep_graver(tally.was, incident, before, evidence.at)
            _count(tally, incident, evidence, after)
    return _changes(tally, {n: said for n, (said, _) in tally.was.items()})


def compare(
    looks: Iterable[tuple[int | None, Evidence]], decided: Mapping[int, Said], rules: Runbook
) -> tuple[Change, ...]:
    """What was decided in each incident against what these rules say of its looks now."""
    tally = Tally()
    for incident, evidence in looks:
        if incident is not None:
            _count(tally, incident, evidence, judged(evidence, rules))
    return _changes(tally, decided)


def decided(causes: Iterable[CauseEntry]) -> Said | None:
    """What was decided in an incident, of its leading causes, oldest first: a person's last word,
    or the gravest that automation said; None where nothing was."""
    best: tuple[Said, datetime] | None = None
    for entry in causes:
        by = None if entry.said_by in AUTOMATION else entry.said_by
        said = Said(entry.cause, entry.verdict, entry.severity, by)
        persons = best is not None and best[0].by is not None
        if by is not None or best is None or (not persons and _graver(said, entry.at, best)):
            best = (said, entry.at)
    return None if best is None else best[0]


def judged(evidence: Evidence, runbook: Runbook) -> Said:
    """What a runbook says of one look."""
    diagnosis = diagnose(evidence, runbook)
    return Said(diagnosis.cause, diagnosis.verdict.value, diagnosis.severity)


def _count(tally: Tally, incident: int, evidence: Evidence, said: Said) -> None:
    _keep_graver(tally.would_be, incident, said, evidence.at)
    tally.looks[incident] += 1
    tally.integrations[incident] = evidence.integration


def _keep_graver(
    kept: dict[int, tuple[Said, datetime]], incident: int, said: Said, at: datetime
) -> None:
    if incident not in kept or _graver(said, at, kept[incident]):
        kept[incident] = (said, at)


def _graver(said: Said, at: datetime, than: tuple[Said, datetime]) -> bool:
    return (*_rank(said), at) >= (*_rank(than[0]), than[1])


def _rank(said: Said) -> tuple[bool, bool, int, bool]:
    unwell = said.verdict != Verdict.HEALTHY
    named = said.cause is not None
    return named, unwell, -(said.severity or 5), said.verdict == Verdict.CONFIRMED


def _changes(tally: Tally, was: Mapping[int, Said]) -> tuple[Change, ...]:
    of_incidents = [
        Change(
            integration=tally.integrations[incident],
            incident=incident,
            was=was[incident],
            would_be=would_be,
            looks=tally.looks[incident],
        )
        for incident, (would_be, _) in sorted(tally.would_be.items())
        if incident in was and was[incident] != would_be
    ]
    apart = [
        Change(integration=name, incident=None, was=before, would_be=after, looks=count)
        for (name, before, after), count in tally.apart.most_common()
        if count
    ]
    return (*of_incidents, *apart)
