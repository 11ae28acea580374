"""Mitigations in force are leases: taken with what was before, and ended by giving just that back."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from conftest import Clock
from making import HOUR, MINUTE, NAME
from sqlmodel import col, select

from watchkeeper.effects import JOB_PAUSE, JOB_RESTORE
from watchkeeper.errors import Refused
from watchkeeper.incident import Incident
from watchkeeper.mitigation.actions import CapRate, PauseJobs
from watchkeeper.mitigation.job import PAUSED, RUNNING, Job
from watchkeeper.mitigation.lease import Lease
from watchkeeper.performing import leasing, mitigating, releasing
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.watch import Watch
from watchkeeper.store import effects, incidents, jobs, leases, rates
from watchkeeper.store.rates import Asker, Bucket, Grant
from watchkeeper.store.tables import EffectRow

ALL = PauseJobs(jobs=("asset-sync", "report-generator"), lease=4 * HOUR)


def opened(watch: Watch, name: str = NAME) -> Incident:
    with watch.store.write() as session:
        return incidents.open_or_join(
            session,
            integration=name,
            diagnosis_summary="-",
            severity=1,
            opened_by="health",
            started_at=watch.now(),
            now=watch.now(),
            reopen_since=watch.now(),
        )[0]


@pytest.fixture
def incident(any_watch: Watch) -> Incident:
    return opened(any_watch)


@pytest.fixture
def duty(incident: Incident) -> Duty:
    return Duty.unfenced(incident)


def job(watch: Watch, name: str) -> Job:
    with watch.store.read() as session:
        return jobs.get(session, NAME, name)


def say(watch: Watch, name: str, desired: str, by: str) -> Job:
    with watch.store.write() as session:
        return jobs.desire(session, NAME, name, desired, by=by, reason="-", now=watch.now())


def held(watch: Watch) -> tuple[Lease, ...]:
    with watch.store.read() as session:
        return leases.active(session)


def told(watch: Watch, incident: Incident) -> list[str]:
    with watch.store.read() as session:
        return [line.text for line in incidents.timeline(session, incident.id)]


def test_pausing_and_giving_back_leaves_no_trace(any_watch: Watch, duty: Duty) -> None:
    """Each job is paused under a lease, and runs afterwards as it did before, by whom it did."""
    before = job(any_watch, "asset-sync")
    leasing.pause_jobs(any_watch, duty, NAME, ALL)
    paused = job(any_watch, "asset-sync")
    assert (paused.paused, paused.changed_by) == (True, f"INC-{duty.incident_id}")
    assert {lease.target for lease in held(any_watch)} == {"asset-sync", "report-generator"}
    assert {lease.expires_at for lease in held(any_watch)} == {any_watch.now() + 4 * HOUR}
    said = asyncio.run(releasing.end_leases(any_watch, duty, "well again"))
    assert said == ("asset-sync: back to running", "report-generator: back to running")
    after = job(any_watch, "asset-sync")
    assert (after.desired, after.changed_by) == (before.desired, before.changed_by)
    assert held(any_watch) == ()
    assert not job(any_watch, "workorder-sync").paused


def test_a_job_that_a_person_had_paused_stays_paused(
    any_watch: Watch, incident: Incident, duty: Duty
) -> None:
    """It is left alone when the others are paused, and when they run again (others' tools
    resumed it)."""
    say(any_watch, "asset-sync", PAUSED, "ann")
    leasing.pause_jobs(any_watch, duty, NAME, ALL)
    assert [lease.target for lease in held(any_watch)] == ["report-generator"]
    asyncio.run(releasing.end_leases(any_watch, duty, "well again"))
    kept = job(any_watch, "asset-sync")
    assert (kept.desired, kept.changed_by) == (PAUSED, "ann")
    with any_watch.store.read() as session:
        says = {e.says: e.outcome for e in effects.entries(session, incident.id)}
    assert says["pause job asset-sync"] == "left alone: already paused by ann"


@pytest.mark.parametrize("word", [PAUSED, RUNNING])
def test_what_a_person_said_in_between_stays(any_watch: Watch, duty: Duty, word: str) -> None:
    """Whoever spoke after us has the last word, even when they said what we had said."""
    leasing.pause_jobs(any_watch, duty, NAME, ALL)
    say(any_watch, "asset-sync", word, "bob")
    said = asyncio.run(releasing.end_leases(any_watch, duty, "well again"))
    assert said[0] == f"asset-sync: left as bob left it ({word})"
    assert (job(any_watch, "asset-sync").desired, held(any_watch)) == (word, ())
    assert job(any_watch, "report-generator").desired == RUNNING


def test_pausing_again_pauses_once(any_watch: Watch, duty: Duty) -> None:
    """A run that is entered again finds the job paused by itself, and changes nothing."""
    leasing.pause_jobs(any_watch, duty, NAME, ALL)
    first = (job(any_watch, "asset-sync"), held(any_watch))
    leasing.pause_jobs(any_watch, duty, NAME, ALL)
    assert (job(any_watch, "asset-sync"), held(any_watch)) == first


def test_ending_twice_ends_once(any_watch: Watch, incident: Incident, duty: Duty) -> None:
    """Sweep and responder may both end a lease: one gives back, and it is told once."""
    leasing.pause_jobs(any_watch, duty, NAME, ALL)
    (lease, _) = held(any_watch)
    assert (
        asyncio.run(releasing.end_lease(any_watch, duty, lease, "over"))
        == "asset-sync: back to running"
    )
    say(any_watch, "asset-sync", PAUSED, "ann")
    assert (
        asyncio.run(releasing.end_lease(any_watch, duty, lease, "over"))
        == "asset-sync: undone before"
    )
    # The sweep may know of a later round than the responder.
    later = Duty(incident.id, 2)
    assert (
        asyncio.run(releasing.end_lease(any_watch, later, lease, "over"))
        == "asset-sync: undone before"
    )
    assert job(any_watch, "asset-sync").changed_by == "ann"
    assert told(any_watch, incident).count("restore job asset-sync: back to running") == 1
    with any_watch.store.read() as session:
        done = [e for e in effects.entries(session, incident.id) if e.says.startswith("restore")]
    assert [e.outcome for e in done] == ["back to running", "undone before"]


def test_a_lease_is_taken_again_in_a_later_round(
    any_watch: Watch, incident: Incident, duty: Duty, clock: Clock
) -> None:
    """After a relapse the job is paused anew, and what it goes back to is what it was meanwhile."""
    leasing.pause_jobs(any_watch, duty, NAME, ALL)
    (old, _) = held(any_watch)
    asyncio.run(releasing.end_leases(any_watch, duty, "well again"))
    clock.advance(HOUR)
    with any_watch.store.write() as session:
        again = Duty.unfenced(incidents.relapse(session, incident.id, clock.now()))
    leasing.pause_jobs(any_watch, again, NAME, ALL)
    assert job(any_watch, "asset-sync").paused
    # Somebody who still holds the first taking must not end the second one.
    assert (
        asyncio.run(releasing.end_lease(any_watch, duty, old, "late"))
        == "asset-sync: undone before"
    )
    assert len(held(any_watch)) == 2
    assert (
        asyncio.run(releasing.end_leases(any_watch, again, "well again"))[0]
        == "asset-sync: back to running"
    )
    assert not job(any_watch, "asset-sync").paused


def test_an_ended_pause_is_not_taken_again_in_its_round(any_watch: Watch, duty: Duty) -> None:
    """When its time was over, the job runs: the same plan must not pause it for ever."""
    leasing.pause_jobs(any_watch, duty, NAME, ALL)
    asyncio.run(releasing.end_leases(any_watch, duty, "its time was over"))
    leasing.pause_jobs(any_watch, duty, NAME, ALL)
    assert held(any_watch) == ()
    assert not job(any_watch, "asset-sync").paused


def bucket_of(watch: Watch) -> Bucket:
    seen: list[Bucket] = []

    def look(bucket: Bucket, now: object) -> Grant:
        seen.append(bucket)
        return Grant(False, bucket.next_at, 1.0)

    rates.ask(watch.store, NAME, watch.now, [Asker(look)])
    return seen[0]


def test_a_rate_cap_binds_at_once_and_ends_with_its_lease(
    any_watch: Watch, duty: Duty, clock: Clock
) -> None:
    """Every client obeys it from its next request on, until it is lifted or its time is over."""
    assert bucket_of(any_watch).cap_per_s is None
    leasing.cap_rate(any_watch, duty, NAME, CapRate(max_requests_per_s=0.5, lease=HOUR))
    assert bucket_of(any_watch).cap_per_s == 0.5
    clock.advance(HOUR)
    assert bucket_of(any_watch).cap_per_s is None
    clock.at -= MINUTE
    assert asyncio.run(releasing.end_leases(any_watch, duty, "over")) == (f"{NAME}: lifted",)
    assert bucket_of(any_watch).cap_per_s is None


def test_the_kill_switch_stops_pausing_and_not_giving_back(any_watch: Watch, duty: Duty) -> None:
    """Undoing what we did must stay possible at any time."""
    leasing.pause_jobs(any_watch, duty, NAME, PauseJobs(jobs=("asset-sync",), lease=HOUR))
    any_watch.settings.halt_file.touch()
    with pytest.raises(Refused, match="the kill switch is on"):
        leasing.pause_jobs(any_watch, duty, NAME, ALL)
    assert not job(any_watch, "report-generator").paused
    assert asyncio.run(releasing.end_leases(any_watch, duty, "over")) == (
        "asset-sync: back to running",
    )


def test_the_plan_is_the_same_before_and_after_its_own_pause(any_watch: Watch) -> None:
    """Planned from the real rows, our own pause does not make it another plan."""
    incident = opened(any_watch)
    with any_watch.store.write() as session:
        incidents.correct(
            session,
            incident.id,
            cause="rate_limit_exceeded",
            severity=2,
            by="ann",
            reason="-",
            now=any_watch.now(),
        )
        incident = incidents.get(session, incident.id)
    watched = any_watch.integration(NAME)
    before = asyncio.run(mitigating.make_plan(any_watch, watched, incident))
    leasing.pause_jobs(any_watch, Duty.unfenced(incident), NAME, ALL)
    after = asyncio.run(mitigating.make_plan(any_watch, watched, incident))
    assert after.hash == before.hash
    say(any_watch, "asset-sync", RUNNING, "ann")
    assert asyncio.run(mitigating.make_plan(any_watch, watched, incident)).hash == before.hash
    asyncio.run(releasing.end_leases(any_watch, Duty.unfenced(incident), "over"))
    say(any_watch, "asset-sync", PAUSED, "ann")
    assert asyncio.run(mitigating.make_plan(any_watch, watched, incident)).hash != before.hash


def test_after_a_person_took_over_only_what_they_name_is_planned(any_watch: Watch) -> None:
    """Automation goes on watching and mitigates nothing more by itself."""
    incident = opened(any_watch)
    with any_watch.store.write() as session:
        incidents.correct(
            session,
            incident.id,
            cause="rate_limit_exceeded",
            severity=2,
            by="ann",
            reason="-",
            now=any_watch.now(),
        )
        incidents.take(session, incident.id, "ann")
        incident = incidents.get(session, incident.id)
    watched = any_watch.integration(NAME)
    assert asyncio.run(mitigating.make_plan(any_watch, watched, incident)).actions == ()
    named = asyncio.run(
        mitigating.plan_of(any_watch, watched, incident, frozenset({"pause-deferrable"}))
    )
    assert [a.name for a in named.actions] == ["pause-deferrable"]


def test_an_effect_names_the_taking_that_it_ends(any_watch: Watch, duty: Duty) -> None:
    """Pausing and restoring are entries of their own, in the order in which they happened."""
    leasing.pause_jobs(any_watch, duty, NAME, PauseJobs(jobs=("asset-sync",), lease=HOUR))
    asyncio.run(releasing.end_leases(any_watch, duty, "over"))
    with any_watch.store.read() as session:
        (paused, restored) = effects.entries(session, duty.incident_id)
    assert paused.says == JOB_PAUSE.says.format(target="asset-sync")
    assert restored.says == JOB_RESTORE.says.format(target="asset-sync")
    with any_watch.store.read() as session:
        targets = session.exec(select(EffectRow.target).order_by(col(EffectRow.id))).all()
    assert targets == ["asset-sync", "asset-sync#09:00:00.000000"]
    assert any_watch.now() + timedelta(0) == paused.at
