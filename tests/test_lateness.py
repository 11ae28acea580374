"""Late runs and checks that do not come: which are still needed, and what the supervisor does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import Clock
from making import MINUTE, NAME, T0
from stand_ins import Vendor, entry, running_vendor
from test_sweep import Recorder

from deployments.own_checks import OwnChecks
from watchkeeper.lateness import Seen, is_late, missing, says, still_due
from watchkeeper.performing.detecting import check
from watchkeeper.performing.watch import Watch
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import incidents, observations
from watchkeeper.trouble import TroubleKind

INTERVAL = 5 * MINUTE
FAST = {
    "rate_limit": {"requests": 1_000_000, "per": "1 s"},
    "detection": {"confirm_within": "0.3 s"},
}


@pytest.mark.parametrize(
    ("late_s", "told"), [(-5, False), (0, False), (120, False), (121, True), (4000, True)]
)
def test_a_run_is_late_after_its_grace(late_s: int, told: bool) -> None:
    """W2: seconds of Prefect's own start are not worth a word."""
    assert is_late(timedelta(seconds=late_s)) is told


def test_what_was_never_checked_or_long_ago_is_due() -> None:
    """W2: health is not skipped while no check newer than one interval exists."""
    assert still_due(None, T0, INTERVAL)
    assert still_due(T0 - INTERVAL, T0, INTERVAL)
    assert not still_due(T0 - INTERVAL + timedelta(seconds=1), T0, INTERVAL)
    # A clock that was set back.
    assert still_due(T0 + MINUTE, T0, INTERVAL)


def test_checks_are_missing_after_two_intervals_and_the_machines_own_lag() -> None:
    """A busy machine's own lateness is no missed check."""
    seen = (Seen("a", T0 - 2 * INTERVAL, None), Seen("b", T0 - 2 * INTERVAL - MINUTE, None))
    assert [one.name for one in missing(seen, T0, INTERVAL)] == ["b"]
    assert missing(seen, T0, INTERVAL, lag=MINUTE) == ()
    assert says(seen[1:], T0) == "b: no scheduled check for 660 s"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    folder = tmp_path_factory.mktemp("vendor")
    with Processes(folder) as processes, running_vendor(processes, folder) as started:
        yield started


@pytest.fixture
def vendor(running: Vendor) -> Iterator[Vendor]:
    yield running
    running.mend()


class Supervised:
    """The supervisor's own checks by a still clock: `rounds` begins what is due and waits for it."""

    def __init__(self, watch: Watch) -> None:
        self.executor, self.said = Recorder(), list[str]()
        self.checks = OwnChecks(watch, self.executor, INTERVAL, self.said.append)

    async def rounds(self) -> None:
        await self.checks.once()

    @property
    def missing(self) -> bool:
        return self.checks.condition is not None


def test_the_supervisor_checks_after_two_missed_intervals(
    watch: Watch, vendor: Vendor, clock: Clock, tmp_path: Path
) -> None:
    """W2: no scheduled run comes. It checks in its own process, once an interval, says so, opens the
    incident, and stops as soon as a scheduled check is back."""
    watch.settings.integrations.write_text(entry(vendor, overrides=FAST))
    supervised = Supervised(watch)

    def advance(by: timedelta) -> None:
        clock.advance(by)
        asyncio.run(supervised.rounds())

    advance(2 * INTERVAL)
    assert (supervised.said, supervised.missing) == ([], False)
    # Who waits for a turn at the vendor looks at the clock meanwhile.
    clock.tick = timedelta(microseconds=100)
    advance(timedelta(seconds=1))
    assert supervised.said[-1] == f"{NAME}: well"
    condition = supervised.checks.condition
    assert condition is not None and condition.kind is TroubleKind.CHECKS_NOT_RUNNING
    assert condition.pages(clock.now())
    assert f"{NAME}: no scheduled check for 601 s" in condition.text
    advance(MINUTE)
    assert len(supervised.said) == 2
    assert supervised.missing
    vendor.fault("key_expired")
    advance(INTERVAL)
    with watch.store.read() as session:
        (found,) = incidents.listed(session)
    assert supervised.executor.epochs == [(found.id, 1)]
    vendor.mend()
    clock.advance(MINUTE)
    scheduled(watch)
    asyncio.run(supervised.rounds())
    assert not supervised.missing


def scheduled(watch: Watch) -> None:
    """A check as a scheduled run makes it."""
    asyncio.run(check(watch, watch.registered(NAME)))


def test_scheduled_checks_are_left_alone(watch: Watch, vendor: Vendor, clock: Clock) -> None:
    """While they come, the supervisor asks the vendor nothing."""
    watch.settings.integrations.write_text(entry(vendor, overrides=FAST))
    supervised = Supervised(watch)
    for _ in range(4):
        clock.advance(INTERVAL)
        scheduled(watch)
        asyncio.run(supervised.rounds())
    assert (supervised.said, supervised.missing) == ([], False)
    with watch.store.read() as session:
        assert observations.last_check(session, NAME, clock.now()) == clock.now()


def test_a_check_that_fails_of_itself_is_tried_once_an_interval(
    watch: Watch, vendor: Vendor, clock: Clock, tmp_path: Path
) -> None:
    """It is said, and the vendor is not asked again each second."""
    watch.settings.integrations.write_text(entry(vendor, overrides=FAST, runbook="maintainx"))
    (tmp_path / "key.json").write_text("no key file any more")
    supervised = Supervised(watch)
    for seconds in (601, 5, 5, 5):
        clock.advance(timedelta(seconds=seconds))
        asyncio.run(supervised.rounds())
    assert sum("the supervisor checks" in line for line in supervised.said) == 1
    assert supervised.missing
