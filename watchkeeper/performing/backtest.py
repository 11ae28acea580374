"""Reading the looks that were kept, and judging them by other rules. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from watchkeeper.backtesting import Change, Said, compare, decided, replay
from watchkeeper.errors import UserError
from watchkeeper.evidence import Evidence
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.load import load_runbook
from watchkeeper.runbook.model import Runbook
from watchkeeper.store import incidents, observations

Looks = Iterator[tuple[int | None, Evidence]]


@dataclass(slots=True)
class Backtest:
    """What changes, out of how much: looks replayed, incidents they belong to, and readings of
    before looks were kept whole."""

    changes: tuple[Change, ...] = ()
    looks: int = 0
    incidents: set[int] = field(default_factory=set)
    too_old: int = 0


def backtest(
    watch: Watch,
    integration: str | None = None,
    runbook: Path | None = None,
    since: datetime | None = None,
) -> Backtest:
    """Judge the looks of one integration, or of all, by a runbook file instead of the present one;
    without a file, by the present rules against what was decided then.

    Raises UserError for an unknown integration, or a file of a vendor that none of them has.
    """
    result = Backtest()
    for watched, other in _chosen(watch, integration, runbook):
        with watch.store.read() as session:
            result.too_old += observations.too_old(session, watched.name, since=since)
            looks = _counted(observations.looks(session, watched.name, since=since), result)
            result.changes += _judged(session, looks, watched, other)
    return result


def _chosen(
    watch: Watch, integration: str | None, runbook: Path | None
) -> list[tuple[Watched, Runbook | None]]:
    every = [watch.integration(name) for name in ((integration,) if integration else watch.named)]
    if runbook is None:
        return [(watched, None) for watched in every]
    vendor = load_runbook(runbook).vendor
    ours = [watched for watched in every if watched.runbook.vendor == vendor]
    if not ours:
        whose = ", ".join(sorted({f"{w.name} ({w.runbook.vendor})" for w in every}))
        raise UserError(f"{runbook} is a runbook for {vendor}; there is: {whose}")
    # The integration's own overrides lie over any runbook of its vendor.
    return [(watched, load_runbook(runbook, watched.integration.overrides)) for watched in ours]


def _judged(
    session: Session, looks: Looks, watched: Watched, other: Runbook | None
) -> tuple[Change, ...]:
    if other is not None:
        return replay(looks, watched.runbook, other)
    return compare(looks, _decided(session, watched.name), watched.runbook)


def _decided(session: Session, integration: str) -> dict[int, Said]:
    said = {
        number: decided(incidents.causes(session, number))
        for number in incidents.numbers(session, integration)
    }
    return {number: word for number, word in said.items() if word is not None}


def _counted(looks: Looks, result: Backtest) -> Looks:
    for incident, evidence in looks:
        result.looks += 1
        if incident is not None:
            result.incidents.add(incident)
        yield incident, evidence
