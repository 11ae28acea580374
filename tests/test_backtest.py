"""Past incidents judged by other rules: what changes, and what cannot be said any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from making import HOUR, MINUTE, NAME, RUNBOOK, T0, changed, contrast, other_key, runbook, seen
from test_cli import home, refused, well

from watchkeeper.backtesting import Change, Said, compare, decided, judged, replay
from watchkeeper.diagnosis import diagnose
from watchkeeper.errors import UserError
from watchkeeper.evidence import Evidence, Outcome
from watchkeeper.performing.backtest import backtest
from watchkeeper.performing.detecting import Check, check, open_incident
from watchkeeper.performing.watch import Watch
from watchkeeper.report import CauseEntry
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.model import Runbook
from watchkeeper.store import incidents, observations

__all__ = ["home"]
EXPIRED, OUTAGE = "api_key_expired", "vendor_outage"
Look = tuple[int | None, Evidence]


def milder(cause: str, severity: int) -> Runbook:
    """The real runbook, but one cause is not as grave."""
    rules = [
        rule.model_copy(update={"severity": severity, "severity_when_total": severity})
        if rule.cause == cause
        else rule
        for rule in runbook().causes
    ]
    return changed(causes=tuple(rules))


def without(cause: str) -> Runbook:
    return changed(causes=tuple(rule for rule in runbook().causes if rule.cause != cause))


def looks(*evidence: Evidence, incident: int | None = 7) -> list[Look]:
    """One a minute."""
    return [(incident, replace(e, at=T0 + n * MINUTE)) for n, e in enumerate(evidence)]


REFUSED, DOWN, WELL = seen(401), seen(503), seen(200)
SURE = seen(401, other_key(200), contrast("again", 401))
SLOW = seen(200, latency_s=8.0, outcome=Outcome.DEGRADED)


def test_the_same_rules_change_nothing() -> None:
    """Whatever was seen."""
    every = looks(REFUSED, SURE, DOWN, WELL) + looks(REFUSED, WELL, incident=None)
    assert replay(every, runbook(), runbook()) == ()


def test_an_incident_that_is_judged_otherwise_is_told() -> None:
    """By what cause, how sure and how grave; only where the rules differ on it."""
    given = looks(REFUSED, SURE, WELL) + looks(DOWN, incident=8)
    (change,) = replay(given, runbook(), milder(EXPIRED, 3))
    assert (change.incident, change.integration, change.looks) == (7, NAME, 3)
    assert change.was == judged(SURE, runbook())
    assert (change.was.cause, change.was.verdict) == (EXPIRED, "confirmed")
    assert change.would_be == replace(change.was, severity=3)
    (gone,) = replay(given, runbook(), without(EXPIRED))
    assert gone.would_be.cause != EXPIRED


# Rules that know nothing of an outage: a look that nothing explains.
FEW = changed(causes=tuple(r for r in runbook().causes if r.cause in (EXPIRED, "slow_vendor")))
BLURRED = DOWN

ORDER: list[tuple[str, Iterable[Evidence], Evidence]] = [
    ("the good looks at the end decide nothing", (REFUSED, WELL, WELL), REFUSED),
    ("the surest of the same cause speaks", (REFUSED, SURE, REFUSED), SURE),
    ("a named cause before a blurred look", (BLURRED, REFUSED, BLURRED), REFUSED),
    ("a mild cause before a blurred look", (BLURRED, SLOW, BLURRED), SLOW),
    ("a blurred look before a good one", (WELL, BLURRED, WELL), BLURRED),
    ("one alone", (WELL,), WELL),
]


@pytest.mark.parametrize(
    ("given", "speaks"), [o[1:] for o in ORDER], ids=[name for name, *_ in ORDER]
)
def test_which_look_speaks_for_an_incident(given: Iterable[Evidence], speaks: Evidence) -> None:
    """In whatever order they come."""
    assert judged(BLURRED, FEW) == Said(None, "inconclusive", 1)
    nothing = Said("nothing", "likely", 4)
    for order in (list(given), list(reversed(list(given)))):
        (change,) = compare(looks(*order), {7: nothing}, FEW)
        assert change.would_be == judged(speaks, FEW)


def test_looks_of_no_incident_are_counted() -> None:
    """A rule that would have called people for nothing shows before it is in force."""
    given = looks(*[REFUSED] * 3, DOWN, WELL, incident=None)
    (change,) = replay(given, runbook(), milder(EXPIRED, 4))
    assert (change.incident, change.looks) == (None, 3)
    assert (change.was.severity, change.would_be.severity) == (
        judged(REFUSED, runbook()).severity,
        4,
    )


def entry(cause: str | None, verdict: str, severity: int, by: str, minute: int = 0) -> CauseEntry:
    return CauseEntry(
        at=T0 + minute * MINUTE,
        cause=cause,
        verdict=verdict,
        severity=severity,
        said_by=by,
        because="-",
        evidence=(),
        counter_evidence=(),
        ruled_out=(),
    )


HEALTH = entry(EXPIRED, "likely", 1, "health")
TRIAGE = entry(EXPIRED, "confirmed", 1, "watchkeeper", 1)
LATER = entry(EXPIRED, "likely", 1, "watchkeeper", 2)
BLUR = entry(None, "inconclusive", 2, "watchkeeper", 3)
ANN = entry(OUTAGE, "confirmed", 3, "ann", 4)
DECIDED: list[tuple[list[CauseEntry], Said | None]] = [
    ([], None),
    ([HEALTH], Said(EXPIRED, "likely", 1)),
    ([HEALTH, TRIAGE, LATER, BLUR], Said(EXPIRED, "confirmed", 1)),
    ([BLUR], Said(None, "inconclusive", 2)),
    ([HEALTH, ANN], Said(OUTAGE, "confirmed", 3)),
    ([ANN, TRIAGE], Said(OUTAGE, "confirmed", 3)),
    ([entry(OUTAGE, "confirmed", 1, "bob"), ANN], Said(OUTAGE, "confirmed", 3)),
]


@pytest.mark.parametrize(("rows", "said"), DECIDED)
def test_what_was_decided_then(rows: list[CauseEntry], said: Said | None) -> None:
    """A person's last word, whatever automation said after it; else the gravest and surest."""
    assert decided(rows) == said


def test_what_was_decided_is_compared_with_the_rules_of_now() -> None:
    """Incidents of which nothing was decided, or nothing was seen, are not compared."""
    given = looks(REFUSED, SURE) + looks(DOWN, incident=8) + looks(DOWN, incident=None)
    then = {7: Said(OUTAGE, "confirmed", 1, by="ann"), 9: Said(OUTAGE, "likely", 1)}
    (change,) = compare(given, then, runbook())
    assert change == Change(
        integration=NAME,
        incident=7,
        was=Said(OUTAGE, "confirmed", 1),
        would_be=judged(SURE, runbook()),
        looks=2,
    )
    assert change.was.by == "ann"


# --- from the database --------------------------------------------------------------------------


def past_incident(watch: Watch, *evidence: Evidence) -> int:
    """An incident as its looks were kept and decided, closed since."""
    with watch.store.write() as session:
        found, _ = incidents.open_or_join(
            session,
            integration=NAME,
            diagnosis_summary="-",
            severity=1,
            opened_by="health",
            started_at=T0,
            now=T0,
            reopen_since=T0 + 1000 * HOUR,
        )
        for number, look in looks(*evidence, incident=found.id):
            observations.keep(session, look, number)
            book = watch.integration(NAME).runbook
            incidents.add_diagnosis(session, found.id, diagnose(look, book), look.at, "health")
    return found.id


def file_of(tmp_path: Path, **cause: Any) -> Path:
    """The shipped runbook as a file, but for what is given of the expired key."""
    data = yaml.safe_load(RUNBOOK.read_text(encoding="utf-8"))
    for rule in data["causes"]:
        if rule["cause"] == EXPIRED:
            rule.update(cause)
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def test_a_runbook_file_is_tried_on_the_past(watch: Watch, tmp_path: Path) -> None:
    """Against the rules that are in force; looks of before the time that was asked are left out."""
    number = past_incident(watch, REFUSED, SURE)
    milder = file_of(tmp_path, severity=3, severity_when_total=3)
    found = backtest(watch, NAME, milder)
    (change,) = found.changes
    assert (change.incident, change.would_be.severity, change.looks) == (number, 3, 2)
    assert (found.looks, found.incidents, found.too_old) == (2, {number}, 0)
    assert backtest(watch, NAME, file_of(tmp_path)).changes == ()
    late = backtest(watch, runbook=milder, since=T0 + 2 * MINUTE)
    assert (late.changes, late.looks) == ((), 0)


def test_without_a_file_it_is_what_was_decided_then(watch: Watch) -> None:
    """Nothing has changed, until a person overrules."""
    number = past_incident(watch, REFUSED, SURE, WELL)
    assert backtest(watch).changes == ()
    with watch.store.write() as session:
        incidents.correct(
            session, number, cause=OUTAGE, severity=2, by="ann", reason="-", now=T0 + HOUR
        )
    (change,) = backtest(watch).changes
    assert (change.was.cause, change.was.by, change.would_be.cause) == (OUTAGE, "ann", EXPIRED)


OVERRIDES = """\
    overrides:
      causes:
        api_key_expired: {severity: 2, severity_when_total: 2}
"""


def test_the_integrations_own_overrides_hold_for_any_file(watch: Watch, tmp_path: Path) -> None:
    """They are true of the company, whichever runbook lies beneath them."""
    with watch.settings.integrations.open("a") as file:
        file.write(OVERRIDES)
    past_incident(watch, SURE)
    assert (
        backtest(watch, runbook=file_of(tmp_path, severity=3, severity_when_total=3)).changes == ()
    )


def test_what_the_health_check_saw_belongs_to_the_incident(watch: Watch, watched: Watched) -> None:
    """The looks from the first failure on, before there was an incident to name."""
    for minutes, look in ((-5, WELL), (0, DOWN), (0, REFUSED)):
        with watch.store.write() as session:
            observations.keep(session, replace(look, at=T0 + minutes * MINUTE))
    diagnosis = diagnose(REFUSED, watched.runbook)
    incident, _ = open_incident(watch, Check(watched, REFUSED, diagnosis, T0, 2, 2))
    assert tied(watch) == [None, incident.id, incident.id]
    asyncio.run(check(watch, watched))
    assert tied(watch) == [None, *[incident.id] * 3]


def tied(watch: Watch) -> list[int | None]:
    """The incident of each look."""
    with watch.store.read() as session:
        return [number for number, _ in observations.looks(session)]


def test_a_runbook_of_another_vendor_is_refused(watch: Watch, tmp_path: Path) -> None:
    """It would judge what it knows nothing of."""
    path = file_of(tmp_path)
    path.write_text(path.read_text().replace("vendor: maintainx", "vendor: acme", 1))
    with pytest.raises(UserError, match=f"is a runbook for acme; there is: {NAME}"):
        backtest(watch, runbook=path)


# --- the command --------------------------------------------------------------------------------


def test_the_command_shows_a_diff(home: Path, watch: Watch, tmp_path: Path) -> None:
    """Exit 0 also where something changes; nothing is written."""
    past_incident(watch, REFUSED, SURE)
    with watch.store.write() as session:
        observations.keep(session, replace(WELL, at=T0 - timedelta(days=1)))
    said = well(
        "backtest", "--runbook", str(file_of(tmp_path, severity=3, severity_when_total=3))
    ).err.splitlines()
    assert said[:3] == [
        f"INC-1 {NAME} (2 looks)",
        f"- {EXPIRED} confirmed SEV-1",
        f"+ {EXPIRED} confirmed SEV-3",
    ]
    assert said[3] == "1 of 1 incidents change; 3 looks replayed"
    assert well("backtest", "--integration", NAME).err == (
        "0 of 1 incidents change; 3 looks replayed\n"
    )
    data = well(
        "backtest", "--json", "--runbook", str(file_of(tmp_path, severity=2, severity_when_total=2))
    ).data
    (change,) = data.pop("changes")
    assert data == {"looks": 3, "incidents": 1, "too_old": 0}
    assert (change["incident"], change["would_be"]["severity"]) == (1, 2)


BAD = [
    (("--integration", "nobody@test"), "'nobody@test' is not a known integration"),
    (("--runbook", "nothing.yaml"), "nothing.yaml"),
    (("--since", "yesterday"), "--since 'yesterday' is no time"),
]


@pytest.mark.parametrize(("words", "told"), BAD, ids=[told for _, told in BAD])
def test_bad_input_is_one_line(home: Path, words: tuple[str, ...], told: str) -> None:
    assert told in refused("backtest", *words)
