"""From a first failure to one open incident, against a vendor that really fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
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
from watchkeeper.errors import UserError
from watchkeeper.gaps import GapState
from watchkeeper.incident import Incident, Milestone, State
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing import leaking
from watchkeeper.performing.detecting import Check, check, open_incident
from watchkeeper.performing.reporting import report_of
from watchkeeper.performing.responding import begin_again
from watchkeeper.performing.triaging import Triage, record_triage, triage
from watchkeeper.performing.verifying import verify
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import gaps, incidents, leases, watermarks
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


def recovered(watch: Watch, incident: Incident, clock: Clock, state: State) -> None:
    """The repair was proven now, and the chain went on to `state`."""
    chain = list(State)
    with watch.store.write() as session:
        incidents.recovered(session, incident.id, clock.now(), clock.now() + 2 * HOUR)
        for step in chain[1 : chain.index(state) + 1]:
            incidents.move(session, incident.id, step, clock.now())


@pytest.mark.parametrize("state", [State.RESOLVED, State.SETTLING, State.CLOSED])
def test_another_fault_after_a_proven_recovery_is_an_incident_of_its_own(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock, state: State
) -> None:
    """W13: a throttle recovered, the platform fails six minutes later: two incidents, linked, and the
    second begins after the first was over."""
    vendor.fault("throttled", limit=2, window_s=1)
    first, _ = open_incident(watch, checked(watch, here, clock))
    recovered(watch, first, clock, state)
    over = clock.now()
    clock.advance(6 * MINUTE)
    vendor.mend()
    vendor.fault("outage", status=503)
    second, opened = open_incident(watch, checked(watch, here, clock))
    assert (first.cause, second.cause) == ("rate_limit_exceeded", "vendor_outage")
    assert (second.id != first.id, second.follows, opened) == (True, first.id, True)
    assert (second.round, second.state, second.started_at > over) == (1, State.OPEN, True)
    with watch.store.read() as session:
        before = incidents.get(session, first.id)
        told = [t.text for t in incidents.timeline(session, first.id)]
        texts = [t.text for t in incidents.timeline(session, second.id)]
        named = incidents.current(session, NAME)
    assert (before.state, before.round, named and named.id) == (state, 1, second.id)
    assert f"INC-{second.id} follows: another matter" in told
    over_at = f"over at {before.over_at:%H:%M:%S}Z"
    assert f"follows INC-{first.id} (rate_limit_exceeded, {over_at}): another matter" in texts
    assert f"**Linked incidents**: followed by INC-{second.id}" in report_of(watch, here, first.id)
    assert f"**Linked incidents**: follows INC-{first.id}" in report_of(watch, here, second.id)
    joined, again = open_incident(watch, checked(watch, here, clock))
    assert (joined.id, again) == (second.id, False)


def test_the_first_fault_again_is_the_first_incident_again(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """W13: after the second has recovered as well, each fault that comes back is its own incident."""
    vendor.fault("throttled", limit=2, window_s=1)
    first, _ = open_incident(watch, checked(watch, here, clock))
    recovered(watch, first, clock, State.SETTLING)
    vendor.mend()
    vendor.fault("outage", status=503)
    second, _ = open_incident(watch, checked(watch, here, clock))
    recovered(watch, second, clock, State.SETTLING)
    vendor.mend()
    vendor.fault("throttled", limit=2, window_s=1)
    back, opened = open_incident(watch, checked(watch, here, clock))
    assert (back.id, back.round, back.state, opened) == (first.id, 2, State.OPEN, True)
    with watch.store.read() as session:
        still = incidents.listed(session, only_open=True)
    assert {(i.id, i.state) for i in still} == {
        (first.id, State.OPEN),
        (second.id, State.SETTLING),
    }


def test_a_failure_that_nothing_explains_is_the_last_incident_again(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """W13: without a cause of its own nothing tells it from a repair that did not hold."""
    vendor.fault("key_expired")
    first, _ = open_incident(watch, checked(watch, here, clock))
    recovered(watch, first, clock, State.SETTLING)
    clock.advance(MINUTE)
    found = checked(watch, here, clock)
    unknown = replace(found, diagnosis=replace(found.diagnosis, causes=()))
    back, opened = open_incident(watch, unknown)
    assert (back.id, back.round, opened) == (first.id, 2, True)


def test_what_the_first_holds_goes_over_to_the_second(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """W13: a job that was paused stays paused while the new harm goes on, and what was before it is
    known to whoever gives it back."""
    vendor.fault("throttled", limit=2, window_s=1)
    first, _ = open_incident(watch, checked(watch, here, clock))
    with watch.store.write() as session:
        held = leases.take(
            session,
            incident_id=first.id,
            integration=NAME,
            kind=LeaseKind.PAUSED_JOB,
            target="report-generator",
            prior={"desired": "running"},
            applied={"revision": 3},
            now=clock.now(),
            length=HOUR,
        )
    recovered(watch, first, clock, State.RESOLVED)
    vendor.mend()
    vendor.fault("outage", status=503)
    second, _ = open_incident(watch, checked(watch, here, clock))
    with watch.store.read() as session:
        (now_held,) = leases.active(session)
        left = leases.get(session, held.id)
    same = replace(held, id=now_held.id, incident_id=second.id)
    assert now_held == same
    assert (left.active, left.ended_because) == (False, f"INC-{second.id} holds it")


def test_one_that_was_set_aside_cannot_be_begun_again(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """W13: what is wrong now is the other incident, and whoever asks is told which."""
    vendor.fault("throttled", limit=2, window_s=1)
    first, _ = open_incident(watch, checked(watch, here, clock))
    recovered(watch, first, clock, State.SETTLING)
    vendor.mend()
    vendor.fault("outage", status=503)
    second, _ = open_incident(watch, checked(watch, here, clock))
    with (
        pytest.raises(UserError, match=f"INC-{first.id} has recovered: .* INC-{second.id}"),
        watch.store.write() as session,
    ):
        begin_again(session, first.id, clock.now())


def test_a_leak_after_a_recovery_is_an_incident_of_its_own(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """W13: a leaked key has nothing to do with a trouble that is over; it took that one's place."""
    vendor.fault("throttled", limit=2, window_s=1)
    first, _ = open_incident(watch, checked(watch, here, clock))
    recovered(watch, first, clock, State.SETTLING)
    told = leaking.tell(watch, here, "sha256:0011", clock.now(), "a public repository", "ann")
    assert (told.id != first.id, told.follows, told.cause) == (True, first.id, "key_leaked")


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
