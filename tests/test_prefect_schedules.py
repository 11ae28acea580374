"""What is Prefect's own in a deployment as a job, on a real server; and servers that are away or
hostile. What holds for every scheduler is in test_schedulers_contract.py."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from conftest import store_key
from harness import Server, pointed_at
from loopback import CANARY, RawServer, Script, http, raw_server, routed, says
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import DeploymentSchedule, FlowRun
from prefect.client.schemas.schedules import (
    SCHEDULE_TYPES,
    CronSchedule,
    IntervalSchedule,
    RRuleSchedule,
)
from prefect.server.schemas import schedules as reckoning
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_CUSTOM_HEADERS, temporary_settings
from prefect.states import Completed, Running

from tasks.prefect_server import PrefectServer
from tasks.schedule_times import AT_ONCE, times_of
from tasks.schedules import MOST_MISSED, PrefectScheduler, utc_now
from watchkeeper.errors import Ambiguous, Permanent, Transient
from watchkeeper.runbook.acting import PrefectDeployment

# Prefect's client forgets a socket of each run of this process: not ours to close.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

HOURLY = CronSchedule(cron="0 * * * *", timezone="UTC")
_numbers = count()


@dataclass
class Lab:
    """One deployment, as a person sees it, and as a scheduler of ours."""

    api: str
    client: PrefectClient
    flow: UUID
    id: UUID
    job: PrefectScheduler

    async def deploy(self, **said: Any) -> UUID:
        schedule = DeploymentScheduleCreate(
            schedule=HOURLY, parameters={"depth": 5}, max_scheduled_runs=3
        )
        given = {"schedules": [schedule], "parameters": {"depth": 1, "name": "a"}, **said}
        return await self.client.create_deployment(self.flow, "nightly", **given)

    async def post(self, what: str, **said: Any) -> Any:
        return (await self.client._client.post(f"/deployments/{what}", json=said)).json()

    async def runs(self) -> list[FlowRun]:
        return [r for r in await self.client.read_flow_runs() if r.deployment_id == self.id]

    async def handed_out(self) -> list[UUID]:
        """What a worker is given to run now."""
        soon = (utc_now() + timedelta(seconds=5)).isoformat()
        deployments = [str(self.id)]
        given = await self.post(
            "get_scheduled_flow_runs", deployment_ids=deployments, scheduled_before=soon
        )
        return [UUID(run["id"]) for run in given]

    async def polled(self) -> None:
        """The server notes it a moment after it has answered."""
        for _ in range(200):
            if (await self.client.read_deployment(self.id)).last_polled is not None:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the server noted no poll")


Test = Callable[[Lab], Awaitable[None]]


@pytest.fixture
def running(prefect_server: Server) -> Iterator[Callable[[Test], None]]:
    async def run(test: Test) -> None:
        name = f"export-{next(_numbers)}-{uuid4().hex[:6]}"
        job = PrefectScheduler(PrefectDeployment(deployment=f"{name}/nightly"))
        async with PrefectClient(prefect_server.api, auth_string=prefect_server.password) as client:
            flow = await client.create_flow_from_name(name)
            lab = Lab(prefect_server.api, client, flow, flow, job)
            lab.id = await lab.deploy()
            await test(lab)
            # No other test is to see its runs.
            await client.delete_deployment(lab.id)

    with pointed_at(prefect_server):
        yield lambda test: asyncio.run(run(test))


Contract = Callable[[Test], None]


def test_a_job_that_goes_on_by_itself_keeps_its_mark(running: Contract) -> None:
    async def test(lab: Lab) -> None:
        before = await lab.job.state()
        start = utc_now() - timedelta(hours=2)
        await lab.post(f"{lab.id}/schedule", start_time=start.isoformat(), min_runs=4, max_runs=4)
        (due, *_) = await lab.handed_out()
        await lab.polled()
        await lab.client.set_flow_run_state(due, Running())
        await lab.client.set_flow_run_state(due, Completed())
        await lab.client.create_flow_run_from_deployment(lab.id, parameters={"depth": 9})
        assert await lab.job.state() == before

    running(test)


async def switch_twice(lab: Lab) -> None:
    await lab.client.pause_deployment(lab.id)
    await lab.client.resume_deployment(lab.id)


async def switch_as_the_api_offers(lab: Lab) -> None:
    await lab.post(f"{lab.id}/pause_deployment")
    await lab.post(f"{lab.id}/resume_deployment")


async def switch_a_schedule_off(lab: Lab) -> None:
    (schedule,) = (await lab.client.read_deployment(lab.id)).schedules
    await lab.client.update_deployment_schedule(lab.id, schedule.id, active=False)


async def deploy_again(lab: Lab) -> None:
    assert await lab.deploy() == lab.id


async def make_it_anew(lab: Lab) -> None:
    await lab.client.delete_deployment(lab.id)
    lab.id = await lab.deploy()


# Whether the mark tells of it: what the job is, and not how often somebody touched it. A deploy in the
# midst of an incident must not keep a job from being resumed.
CHANGES = {
    switch_twice: False,
    switch_as_the_api_offers: False,
    deploy_again: False,
    switch_a_schedule_off: True,
    make_it_anew: True,
}


@pytest.mark.parametrize(("change", "told"), CHANGES.items())
def test_a_mark_is_of_what_the_job_is(
    change: Callable[[Lab], Awaitable[None]], told: bool, running: Contract
) -> None:
    async def test(lab: Lab) -> None:
        before = await lab.job.state()
        await change(lab)
        after = await lab.job.state()
        assert after.paused is before.paused
        assert (after.mark != before.mark) is told

    running(test)


def test_a_pause_takes_what_is_to_come_and_leaves_what_is_due(running: Contract) -> None:
    async def test(lab: Lab) -> None:
        start = utc_now() - timedelta(hours=2)
        await lab.post(f"{lab.id}/schedule", start_time=start.isoformat(), min_runs=6, max_runs=6)
        assert len(await lab.runs()) >= 6
        await lab.job.pause()
        left = [run.expected_start_time for run in await lab.runs()]
        assert len(left) == 2
        assert all(at is not None and at <= utc_now() for at in left)

    running(test)


def test_a_pause_holds_against_a_scheduler_that_writes_after_it(running: Contract) -> None:
    """Prefect's scheduler read the deployment before it was paused, and schedules runs after it: they
    would run in the midst of the incident."""

    async def test(lab: Lab) -> None:
        pausing = asyncio.create_task(lab.job.pause())
        for _ in range(500):
            if (await lab.client.read_deployment(lab.id)).paused:
                break
            await asyncio.sleep(0.01)
        # As the scheduler does: it does not ask again whether the deployment is paused.
        await lab.post(f"{lab.id}/schedule", min_runs=4, max_runs=4)
        assert (await pausing).paused
        assert all(run.expected_start_time <= utc_now() for run in await lab.runs())

    running(test)


def test_a_missed_run_is_made_up_for_once(running: Contract) -> None:
    async def test(lab: Lab) -> None:
        paused = await lab.job.pause()
        at = utc_now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
        said = await lab.job.run_for(at, "incident 1")
        assert await lab.job.run_for(at, "incident 1") == said
        (run,) = await lab.runs()
        assert said == f"flow run {run.id} runs for {at:%Y-%m-%d %H:%M} UTC"
        assert run.name == f"nightly for {at:%Y-%m-%dT%H:%M:%SZ}"
        assert set(run.tags) == {"watchkeeper", f"for {at:%Y-%m-%dT%H:%M:%SZ}"}
        assert run.expected_start_time == at
        # The schedule's own, over the deployment's.
        assert run.parameters == {"depth": 5, "name": "a"}
        # It runs though the deployment is paused, and counts as nobody's change of it.
        assert await lab.handed_out() == [run.id]
        assert await lab.job.state() == paused
        await lab.job.run_for(at + timedelta(minutes=1), "incident 2")
        assert {r.parameters["depth"] for r in await lab.runs()} == {5, 1}

    running(test)


def test_what_a_pause_missed(running: Contract) -> None:
    async def test(lab: Lab) -> None:
        hour = utc_now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        later = replace(lab.job, now=lambda: hour + timedelta(hours=4, minutes=1))
        await lab.job.pause()
        since = hour + timedelta(hours=1)
        wanted = tuple(since + timedelta(hours=n) for n in range(3))
        assert await later.missed(since, since + timedelta(hours=3)) == wanted
        # Neither before it was made nor in the time to come.
        always = await later.missed(hour - timedelta(days=9), hour + timedelta(days=9))
        assert always[-4:] == (*wanted, since + timedelta(hours=3))
        deployment = await lab.client.read_deployment(lab.id)
        assert deployment.created is not None and always[0] >= deployment.created
        assert await lab.job.missed(since, since + timedelta(hours=3)) == ()
        (schedule,) = deployment.schedules
        await lab.client.update_deployment_schedule(lab.id, schedule.id, active=False)
        assert await later.missed(since, since + timedelta(hours=3)) == ()

    running(test)


def test_one_that_is_not_there_is_named(running: Contract) -> None:
    async def test(lab: Lab) -> None:
        gone = PrefectScheduler(PrefectDeployment(deployment="export/gone"))
        for call in everything(gone):
            with pytest.raises(Permanent, match="export/gone: there is no such deployment"):
                await call()

    running(test)


def test_another_server_is_asked_by_its_own_address(
    running: Contract, prefect_server: Server, tmp_path: Path
) -> None:
    """With the auth string that its entry names, not with ours."""
    store_key(tmp_path, prefect_server.password or "")

    async def test(lab: Lab) -> None:
        spec = lab.job.spec.model_copy(update={"api": lab.api, "auth": "file:key.json"})
        with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
            assert (await PrefectScheduler(spec, tmp_path).pause()).paused
            refused = PrefectScheduler(spec.model_copy(update={"auth": None}), tmp_path)
            with pytest.raises(Permanent, match="refuses us"):
                await refused.state()
            assert PREFECT_API_URL.value() == "http://127.0.0.1:9/api"

    running(test)


# Other servers


def everything(job: PrefectScheduler) -> list[Callable[[], Awaitable[Any]]]:
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    return [
        job.state,
        job.pause,
        job.resume,
        lambda: job.missed(at, at + timedelta(hours=1)),
        lambda: job.run_for(at, "key"),
    ]


def asked(script: Script, test: Callable[[RawServer, PrefectScheduler], Awaitable[None]]) -> None:
    async def run() -> None:
        async with raw_server(script) as server:
            spec = PrefectDeployment(deployment="export/nightly", api=f"{server.url}/api")
            await test(server, PrefectScheduler(spec))

    asyncio.run(run())


ANSWERS = [
    (http(CANARY.encode(), 401), Permanent, "refuses us"),
    (http(CANARY.encode(), 403), Permanent, "refuses us"),
    (http(CANARY.encode(), 404), Permanent, "no such deployment"),
    (http(status=302, headers={"location": "/elsewhere"}), Permanent, "refuses the call"),
    (http(CANARY.encode(), 500), Transient, "500"),
    (http(b"<html>login</html>"), Permanent, "no Prefect server"),
    (http({"name": CANARY}), Permanent, "no Prefect server"),
    (http([1]), Permanent, "no Prefect server"),
    (b"SSH-2.0-OpenSSH\r\n", Transient, "does not answer"),
    (b"", Transient, "does not answer"),
]


@pytest.mark.parametrize(("answer", "error", "words"), ANSWERS)
def test_what_each_answer_means(answer: bytes, error: type[Exception], words: str) -> None:
    async def test(server: RawServer, job: PrefectScheduler) -> None:
        with pytest.raises(error, match=words) as refused:
            await job.pause()
        assert "export/nightly" in str(refused.value)
        assert CANARY not in str(refused.value)
        # One attempt, and nowhere else.
        assert server.paths() == ["/api/deployments/name/export/nightly"]

    asked(says(answer), test)


def test_a_server_that_is_away_may_be_asked_again() -> None:
    job = PrefectScheduler(
        PrefectDeployment(deployment="export/nightly", api="http://127.0.0.1:9/api")
    )
    with pytest.raises(Transient, match="cannot be reached"):
        asyncio.run(job.pause())


def test_a_server_that_does_not_answer_is_waited_for_no_longer_than_said() -> None:
    async def hang(_head: str, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def test(_server: RawServer, job: PrefectScheduler) -> None:
        impatient = PrefectServer(job.spec, deadline_s=0.5)
        read = "export/nightly"
        with pytest.raises(Transient, match="does not answer"):
            await impatient.ask(lambda client: client.read_deployment_by_name(read))
        with pytest.raises(Ambiguous, match="may have been done"):
            await impatient.ask(lambda client: client.pause_deployment(uuid4()), changes=True)

    asked(hang, test)


DEPLOYMENT = {
    "id": str(uuid4()),
    "created": "2026-01-01T00:00:00Z",
    "updated": "2026-01-01T00:00:00Z",
    "name": "nightly",
    "flow_id": str(uuid4()),
    "schedules": [],
}


def deployed(head: str) -> bytes:
    if "/csrf-token" in head:
        return http({"detail": "CSRF protection is disabled."}, 422)
    return http(DEPLOYMENT) if "/name/" in head else b""


def test_a_change_whose_answer_is_lost_may_have_been_done() -> None:
    async def test(server: RawServer, job: PrefectScheduler) -> None:
        for call in (job.pause, lambda: job.run_for(utc_now(), "key")):
            with pytest.raises(Ambiguous, match="may have been done"):
                await call()
        sent = [head.split(" ")[0] for head in server.heads]
        assert sent.count("PATCH") == 1
        assert sent.count("POST") == 1

    asked(routed(deployed), test)


def test_a_pause_that_somebody_takes_back_at_once_is_no_pause() -> None:
    async def test(_server: RawServer, job: PrefectScheduler) -> None:
        with pytest.raises(Transient, match="somebody has changed it back"):
            await job.pause()

    asked(routed(lambda path: deployed(path) or http(status=204)), test)


def test_the_auth_string_goes_to_its_server_and_nothing_of_ours_does(tmp_path: Path) -> None:
    store_key(tmp_path, f"ada:{CANARY}")
    ours = {"X-Door": "open"}

    async def test(server: RawServer, job: PrefectScheduler) -> None:
        spec = job.spec.model_copy(update={"auth": "file:key.json"})
        with temporary_settings({PREFECT_CLIENT_CUSTOM_HEADERS: ours}):
            with pytest.raises(Permanent) as refused:
                await PrefectScheduler(spec, tmp_path).state()
            assert PREFECT_CLIENT_CUSTOM_HEADERS.value() == ours
        (head,) = server.heads
        sent = base64.b64encode(f"ada:{CANARY}".encode()).decode()
        assert f"authorization: basic {sent}".lower() in head.lower()
        assert "x-door" not in head.lower()
        error: BaseException | None = refused.value
        while error is not None:
            assert sent not in repr(error) and CANARY not in repr(error)
            error = error.__cause__ or error.__context__
        missing = spec.model_copy(update={"auth": "env:NO_SUCH_AUTH"})
        with pytest.raises(Permanent, match="env:NO_SUCH_AUTH is not set"):
            await PrefectScheduler(missing, tmp_path).state()

    asked(says(http(status=401)), test)


def test_where_there_is_no_server_none_is_started() -> None:
    job = PrefectScheduler(PrefectDeployment(deployment="export/nightly"))
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(Permanent, match="no Prefect server"),
    ):
        asyncio.run(job.state())


# Times

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPRING, AUTUMN = datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def times(
    schedule: SCHEDULE_TYPES, since: datetime, until: datetime, last: int = MOST_MISSED
) -> tuple[datetime, ...]:
    return asyncio.run(times_of([DeploymentSchedule(schedule=schedule)], since, until, last))


EVERY_10_S = IntervalSchedule(interval=timedelta(seconds=10), anchor_date=T0)
SHORT: list[tuple[SCHEDULE_TYPES, datetime, datetime]] = [
    (HOURLY, T0, T0 + 3 * HOUR),
    (EVERY_10_S, T0, T0 + HOUR / 10),
    (IntervalSchedule(interval=DAY, anchor_date=T0, timezone=BERLIN), SPRING, SPRING + 4 * DAY),
    (IntervalSchedule(interval=HOUR, anchor_date=T0, timezone=BERLIN), AUTUMN, AUTUMN + 2 * DAY),
    (CronSchedule(cron="30 2 * * *", timezone=BERLIN), SPRING, SPRING + 4 * DAY),
    (CronSchedule(cron="*/30 * * * *", timezone=BERLIN), AUTUMN, AUTUMN + 2 * DAY),
    (CronSchedule(cron="0 0 1 * 5", day_or=False), T0, T0 + 365 * DAY),
    (RRuleSchedule(rrule="DTSTART:20240101T090000\nFREQ=DAILY", timezone=BERLIN), SPRING, AUTUMN),
    (RRuleSchedule(rrule="DTSTART:20260101T090000\nFREQ=HOURLY", timezone=BERLIN), T0, T0 + DAY),
    (RRuleSchedule(rrule="DTSTART:20260301T000000\nFREQ=MINUTELY;BYHOUR=9"), T0, T0 + DAY),
]


@pytest.mark.parametrize(("schedule", "since", "until"), SHORT)
def test_times_are_those_of_prefect(
    schedule: SCHEDULE_TYPES, since: datetime, until: datetime
) -> None:
    own = getattr(reckoning, type(schedule).__name__).model_validate(schedule.model_dump())
    theirs = asyncio.run(own.get_dates(start=since, end=until))
    # An hour that comes twice makes local times unequal to all others.
    wanted = [at for at in (there.astimezone(UTC) for there in theirs) if since <= at < until]
    assert len(wanted) > 1 or schedule.model_dump().get("cron") == "0 0 1 * 5"
    found = times(schedule, since, until, last=1000)
    assert list(found) == wanted
    assert {type(at) for at in found} == {datetime}
    assert times(schedule, since, until, last=2) == found[-2:]


def test_the_last_ones_of_many_are_found() -> None:
    until = T0 + 30 * DAY
    last = times(EVERY_10_S, T0, until)
    assert len(last) == MOST_MISSED
    assert last[-1] == until - timedelta(seconds=10)
    assert last[0] == until - timedelta(seconds=1000)


def test_a_burst_before_a_long_quiet_time_is_not_forgotten() -> None:
    """Most of the last ones may lie long before the end."""
    bursts = CronSchedule(cron="* * * * 1", timezone="UTC")
    last = times(bursts, T0, T0 + 6 * DAY)
    midnight = T0.replace(hour=0) + DAY
    assert last == tuple(midnight - timedelta(minutes=n) for n in range(MOST_MISSED, 0, -1))
    assert len(times(bursts, T0, T0 + 6 * DAY, last=2 * AT_ONCE)) == 15 * 60


def test_a_cron_line_that_names_no_day_there_is_missed_nothing() -> None:
    assert times(CronSchedule(cron="0 0 30 2 *"), T0, T0 + DAY) == ()


def test_schedules_together_count_a_time_once_and_only_while_active() -> None:
    both = [
        DeploymentSchedule(schedule=HOURLY),
        DeploymentSchedule(schedule=CronSchedule(cron="*/30 * * * *")),
        DeploymentSchedule(schedule=EVERY_10_S, active=False),
    ]
    found = asyncio.run(times_of(both, T0, T0 + HOUR, MOST_MISSED))
    assert found == (T0, T0 + HOUR / 2)
