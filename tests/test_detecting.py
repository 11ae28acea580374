"""From a first failure to one open incident, against a vendor that really fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import Clock
from making import HOUR, MINUTE, NAME
from sqlmodel import update
from stand_ins import Vendor, entry, running_vendor

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.diagnosis import Verdict
from watchkeeper.gaps import GapState
from watchkeeper.incident import Incident, Milestone, State
from watchkeeper.performing.detecting import Check, check, open_incident
from watchkeeper.performing.triaging import Triage, record_triage, triage
from watchkeeper.performing.verifying import verify
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import gaps, incidents, watermarks
from watchkeeper.store.tables import JobRow

OVERRIDES = {"rate_limit": {"requests": 1_000_000, "per": "1 s"}}
LOOKBACK = 2 * HOUR + 5 * MINUTE


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    folder = tmp_path_factory.mktemp("vendor")
    with Processes(folder) as processes, running_vendor(processes, folder) as vendor:
        yield vendor


@pytest.fixture
def vendor(running: Vendor) -> Iterator[Vendor]:
    yield running
    running.mend()


@pytest.fixture
def here(watch: Watch, clock: Clock, vendor: Vendor) -> Watched:
    clock.at, clock.tick = datetime.now(UTC), timedelta(microseconds=100)
    watch.settings.integrations.write_text(entry(vendor, overrides=OVERRIDES))
    with watch.store.write() as session:
        # Registered this minute: nobody expects them to have walked anything.
        session.exec(update(JobRow).values(changed_at=clock.at))
    return watch.integration(NAME)


def checked(watch: Watch, here: Watched, clock: Clock) -> Check:
    return asyncio.run(check(watch, here, clock.sleep))


def offer(folder: Path, value: str) -> None:
    open_rotatable("file:key.json", folder).offer(Secret(value))


WITHOUT_ANOTHER = {"no_key", "made_up_key", "again"}


# --- the health check ---------------------------------------------------------------------------


def test_one_good_look_is_enough(watch: Watch, here: Watched, vendor: Vendor, clock: Clock) -> None:
    """A vendor that is well is asked once an endpoint."""
    before = sum(vendor.asked().values())
    found = checked(watch, here, clock)
    assert (found.healthy, found.looks, found.bad_looks) == (True, 1, 0)
    assert sum(vendor.asked().values()) == before + 4


def test_one_blip_wakes_nobody(watch: Watch, here: Watched, vendor: Vendor, clock: Clock) -> None:
    """A single failed look among the confirming ones opens nothing, and is kept."""
    vendor.fault("outage", status=503)

    async def mended(seconds: float) -> None:
        vendor.mend()
        await clock.sleep(seconds)

    found = asyncio.run(check(watch, here, mended))
    assert (found.healthy, found.looks, found.bad_looks) == (True, 4, 1)
    assert found.diagnosis.cause == "vendor_outage"
    assert found.says().startswith("1 of 4 looks failed: ")


def test_a_failure_that_lasts_is_confirmed_in_the_runbooks_seconds(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """Three more looks over fifteen seconds, and it is a failure."""
    vendor.fault("key_expired")
    began = clock.now()
    found = checked(watch, here, clock)
    assert (found.healthy, found.looks, found.bad_looks) == (False, 4, 4)
    assert timedelta(seconds=15) <= clock.now() - began < timedelta(seconds=16)
    assert found.diagnosis.cause == "api_key_expired"
    assert found.first_failure_at is not None
    assert found.first_failure_at - began < timedelta(seconds=1)


def test_an_incident_opens_with_what_may_be_missing(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """Its harm began after the last good answer; its gaps begin at the last good watermarks."""
    checked(watch, here, clock)
    last_good = clock.now()
    clock.advance(5 * MINUTE)
    with watch.store.write() as session:
        watermarks.advance(
            session, NAME, "workorders", newest=last_good, walked_at=last_good, rows=1
        )
    vendor.fault("key_expired")
    found = checked(watch, here, clock)
    incident, first = open_incident(watch, found)
    assert (first, incident.state, incident.severity) == (True, State.OPEN, 1)
    assert (incident.cause, incident.verdict) == ("api_key_expired", Verdict.LIKELY)
    assert timedelta(0) < last_good - incident.started_at < timedelta(seconds=1)
    with watch.store.read() as session:
        opened = {g.resource: g for g in gaps.of_incident(session, incident.id)}
        times = {t.milestone: t.occurred_at for t in incidents.timeline(session, incident.id)}
    assert set(opened) == {"workorders", "assets", "locations", "users"}
    assert opened["workorders"].since == last_good - LOOKBACK
    assert opened["assets"].since is None
    assert {g.state for g in opened.values()} == {GapState.OPEN}
    assert times[Milestone.STARTED] == incident.started_at
    assert times[Milestone.DETECTED] == found.first_failure_at


def test_the_next_check_joins_the_incident_and_asks_no_more_than_it_must(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """While it is being seen to, a failing check opens nothing and sends no confirming probes."""
    vendor.fault("key_expired")
    first, _ = open_incident(watch, checked(watch, here, clock))
    again = checked(watch, here, clock)
    assert (again.healthy, again.looks) == (False, 1)
    joined, opened = open_incident(watch, again)
    assert (joined.id, joined.round, opened) == (first.id, 1, False)


@pytest.mark.parametrize("state", [State.RESOLVED, State.SETTLING])
def test_a_repair_that_did_not_hold_begins_anew(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock, state: State
) -> None:
    """Failing again while its lists settle, the incident is open again in a new round, its gaps
    keep their start, and its timeline says that it came back."""
    vendor.fault("key_expired")
    first, _ = open_incident(watch, checked(watch, here, clock))
    chain = list(State)
    with watch.store.write() as session:
        incidents.recovered(session, first.id, clock.now(), clock.now() + 2 * HOUR)
        for gap in gaps.of_incident(session, first.id):
            gaps.bound(session, gap.id, clock.now())
        for step in chain[1 : chain.index(state) + 1]:
            incidents.move(session, first.id, step, clock.now())
    clock.advance(HOUR)
    found = checked(watch, here, clock)
    assert found.looks == 4
    back, opened = open_incident(watch, found)
    assert (back.id, back.round, back.state, opened) == (first.id, 2, State.OPEN, True)
    assert (back.recovered_at, back.settles_at) == (None, None)
    with watch.store.read() as session:
        texts = [t.text for t in incidents.timeline(session, first.id)]
        kept = gaps.of_incident(session, first.id)
    assert sum(text.startswith("came back: 4 of 4 looks failed") for text in texts) == 1
    assert len(kept) == 4


def test_a_failure_that_is_told_late_is_no_relapse(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """A check that failed before the recovery was proven, and speaks after it, wakes nobody."""
    vendor.fault("key_expired")
    late = checked(watch, here, clock)
    first, _ = open_incident(watch, late)
    with watch.store.write() as session:
        incidents.recovered(session, first.id, clock.now(), clock.now() + 2 * HOUR)
        for step in list(State)[1:5]:
            incidents.move(session, first.id, step, clock.now())
    joined, opened = open_incident(watch, late)
    assert (joined.state, joined.round, opened) == (State.SETTLING, 1, False)


def test_a_closed_incident_that_comes_back_in_time_keeps_its_number(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """Inside the runbook's guard it is the same matter; what was made whole stays whole, and the new
    gap begins at the watermark of now."""
    vendor.fault("key_expired")
    first, _ = open_incident(watch, checked(watch, here, clock))
    with watch.store.write() as session:
        for step in list(State)[1:]:
            incidents.move(session, first.id, step, clock.now())
        for gap in gaps.of_incident(session, first.id):
            gaps.waive(session, gap.id, "ann", "whole", clock.now())
        watermarks.advance(
            session, NAME, "workorders", newest=clock.now(), walked_at=clock.now(), rows=1
        )
        mark = watermarks.get(session, NAME, "workorders")
    clock.advance(29 * MINUTE)
    back, opened = open_incident(watch, checked(watch, here, clock))
    assert (back.id, opened, back.round) == (first.id, True, 2)
    with watch.store.read() as session:
        (orders,) = [g for g in gaps.of_incident(session, first.id) if g.resource == "workorders"]
    assert mark is not None
    assert mark.at is not None
    assert (orders.state, orders.since) == (GapState.OPEN, mark.at - LOOKBACK)


# --- triage -------------------------------------------------------------------------------------


def close_look(watch: Watch, here: Watched) -> Triage:
    return asyncio.run(triage(watch, here))


def test_another_key_that_is_let_in_confirms_the_cause(
    watch: Watch, here: Watched, vendor: Vendor, tmp_path: Path
) -> None:
    """From refusals alone an expired key is likely; with a key that is accepted it is confirmed."""
    vendor.fault("key_expired")
    alone = close_look(watch, here)
    assert (alone.diagnosis.cause, alone.diagnosis.verdict) == ("api_key_expired", Verdict.LIKELY)
    assert {r.probe for r in alone.evidence.readings if r.kind == "contrast"} == WITHOUT_ANOTHER
    offer(tmp_path, vendor.new_key())
    sure = close_look(watch, here)
    assert (sure.diagnosis.cause, sure.diagnosis.verdict) == (
        "api_key_expired",
        Verdict.CONFIRMED,
    )


def test_a_throttling_vendor_is_spared_the_contrast_probes(
    watch: Watch, here: Watched, vendor: Vendor
) -> None:
    """Whoever says too much is asked no more than four times."""
    before = sum(vendor.asked().values())
    vendor.fault("throttled", limit=2, window_s=1)
    found = close_look(watch, here)
    assert found.diagnosis.cause == "rate_limit_exceeded"
    assert found.diagnosis.verdict is Verdict.CONFIRMED
    assert sum(vendor.asked().values()) == before + 4


def opened_now(watch: Watch, clock: Clock) -> Incident:
    with watch.store.write() as session:
        return incidents.open_or_join(
            session,
            integration=NAME,
            diagnosis_summary="-",
            severity=1,
            opened_by="health",
            started_at=clock.now(),
            now=clock.now(),
            reopen_since=clock.now(),
        )[0]


def test_a_triage_is_written_down_and_a_second_one_too(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock, tmp_path: Path
) -> None:
    """The incident shows the leading cause; a surer verdict later is on the timeline as well."""
    incident = opened_now(watch, clock)
    vendor.fault("key_expired")
    found = record_triage(watch, incident, close_look(watch, here))
    assert (found.state, found.cause, found.verdict) == (
        State.TRIAGED,
        "api_key_expired",
        Verdict.LIKELY,
    )
    offer(tmp_path, vendor.new_key())
    found = record_triage(watch, found, close_look(watch, here))
    assert (found.state, found.verdict) == (State.TRIAGED, Verdict.CONFIRMED)
    with watch.store.read() as session:
        texts = [t.text for t in incidents.timeline(session, incident.id)]
    said = [text.split(": ")[0] for text in texts]
    assert said == ["triage started", "likely", "diagnosed anew"]


def test_a_healthy_look_does_not_take_the_cause_away(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """A vendor that is well again for a moment leaves the incident the cause that it has."""
    vendor.fault("key_expired")
    incident, _ = open_incident(watch, checked(watch, here, clock))
    vendor.mend()
    found = record_triage(watch, incident, close_look(watch, here))
    assert (found.state, found.cause) == (State.TRIAGED, "api_key_expired")


# --- verification -------------------------------------------------------------------------------


def test_a_repair_is_proven_by_looks_and_by_data(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """Three good looks, for at least the soak time, then a page of the critical resource."""
    began = clock.now()
    soak = timedelta(seconds=30)
    recovery, looks = asyncio.run(verify(watch, here, None, soak, clock.sleep))
    assert recovery.holds
    assert clock.now() - began >= soak
    assert len(looks) == 4
    assert recovery.reasons[0] == "4 of 3 good looks in a row"
    assert recovery.reasons[1].startswith("workorders: 100 rows on the first page, the newest of")


def test_patience_ends_and_says_what_was_still_wrong(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """After the runbook's time it gives up, and the last look's words are the reason."""
    vendor.fault("outage", status=503)
    began = clock.now()
    recovery, _ = asyncio.run(verify(watch, here, None, MINUTE, clock.sleep))
    assert not recovery.holds
    assert 15 * MINUTE <= clock.now() - began < 16 * MINUTE
    assert recovery.reasons[1] == "4 of 4 endpoints: the MaintainX platform is down"
