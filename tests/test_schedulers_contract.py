"""What runs jobs by a clock, each kind against a stand-in that counts the runs.

A kind joins by a `Lab` in `KINDS`; its job runs each full hour, by UTC.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import store_key
from harness import Server
from prefect_jobs_lab import deployed

from tasks.schedules import PrefectScheduler
from tests.json_api import LOST
from tests.kube_api import Cluster, cluster_serving, utc
from watchkeeper.errors import Ambiguous, Permanent, Transient, UserError
from watchkeeper.runbook.acting import CronJob, PrefectDeployment
from watchkeeper.schedulers import JobScheduler
from watchkeeper.schedulers.cron_times import Unclear, times
from watchkeeper.schedulers.opening import open_scheduler

NOW = utc("2026-03-01T12:30:00")
NINE, NOON = utc("2026-03-01T09:00:00"), utc("2026-03-01T12:00:00")


def run(doing: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await doing

    return asyncio.run(main())


@dataclass
class Lab:
    """`runs`: how many runs were started so far. `lose`: the next change is made and its answer
    lost. `remove`: the job is there no more. `forbid`: nothing may be changed any more. `counts`: its
    mark moves with every change, and not only with what the job is; see docs/decisions/0015."""

    scheduler: JobScheduler
    pause_by_person: Callable[[], Any]
    resume_by_person: Callable[[], Any]
    runs: Callable[[], int]
    lose: Callable[[], Any]
    remove: Callable[[], Any]
    forbid: Callable[[], Any]
    counts: bool = True


def cron_cluster(**more: Any) -> Cluster:
    cluster = Cluster()
    cluster.add_cron_job("export", more.pop("schedule", "0 * * * *"), **more)
    return cluster


def cron_job(folder: Path, **more: Any) -> JobScheduler:
    spec = CronJob(cron_job="export", kubeconfig="kubeconfig.yaml", **more)
    return open_scheduler(spec, folder, lambda: NOW)


@contextmanager
def kubernetes_lab(folder: Path) -> Iterator[Lab]:
    cluster = cron_cluster()
    with cluster_serving(cluster, folder):
        yield Lab(
            cron_job(folder),
            pause_by_person=lambda: cluster.edit("export", suspend=True),
            resume_by_person=lambda: cluster.edit("export", suspend=False),
            runs=lambda: len(cluster.jobs),
            lose=lambda: cluster.api.fails.extend([("PATCH", "", LOST), ("POST", "", LOST)]),
            remove=cluster.cron_jobs.clear,
            forbid=lambda: cluster.api.forbidden.update({"PATCH", "POST"}),
        )


@contextmanager
def prefect_lab(server: Server, folder: Path) -> Iterator[Lab]:
    with deployed(server) as job:
        job.made_at(NOW - timedelta(days=365))
        store_key(folder, server.password or "")
        spec = PrefectDeployment(
            deployment=job.name, api=f"{job.door.url}/api", auth="file:key.json"
        )
        yield Lab(
            open_scheduler(
                spec,
                folder,
                lambda: NOW,
                {"prefect": lambda s: PrefectScheduler(s, folder, lambda: NOW)},
            ),
            pause_by_person=lambda: job.ask(lambda client: client.pause_deployment(job.id)),
            resume_by_person=lambda: job.ask(lambda client: client.resume_deployment(job.id)),
            runs=job.runs,
            lose=lambda: job.door.loses.update({"PATCH", "POST"}),
            remove=lambda: job.ask(lambda client: client.delete_deployment(job.id)),
            forbid=lambda: job.door.forbids.update({"PATCH", "POST"}),
            counts=False,
        )


KINDS: dict[str, Callable[[Path], AbstractContextManager[Lab]]] = {"kubernetes": kubernetes_lab}


# Prefect's client forgets a socket now and then: not ours to close.
PREFECT = pytest.param("prefect", marks=pytest.mark.filterwarnings("ignore:unclosed"))


@pytest.fixture(params=[*KINDS, PREFECT])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    if request.param in KINDS:
        with KINDS[request.param](tmp_path) as opened:
            yield opened
        return
    with prefect_lab(request.getfixturevalue("prefect_server"), tmp_path) as opened:
        yield opened


def test_a_job_is_paused_and_resumed(lab: Lab) -> None:
    before = run(lab.scheduler.state())
    paused = run(lab.scheduler.pause())
    assert (before.paused, paused.paused) == (False, True)
    assert run(lab.scheduler.state()) == paused
    resumed = run(lab.scheduler.resume())
    assert not resumed.paused
    assert run(lab.scheduler.state()) == resumed
    assert len({before.mark, paused.mark, resumed.mark}) == (3 if lab.counts else 1)


def test_what_is_so_already_is_not_changed(lab: Lab) -> None:
    before = run(lab.scheduler.state())
    assert run(lab.scheduler.resume()) == before
    paused = run(lab.scheduler.pause())
    assert run(lab.scheduler.pause()) == paused
    assert run(lab.scheduler.state()) == paused


def test_the_mark_tells_that_a_person_was_here(lab: Lab) -> None:
    ours = run(lab.scheduler.pause())
    lab.resume_by_person()
    lab.pause_by_person()
    theirs = run(lab.scheduler.state())
    assert theirs.paused
    assert (theirs.mark != ours.mark) is lab.counts


def test_who_pauses_by_hand_is_seen(lab: Lab) -> None:
    lab.pause_by_person()
    theirs = run(lab.scheduler.state())
    assert theirs.paused
    assert run(lab.scheduler.pause()) == theirs


def test_after_a_lost_answer_the_state_tells(lab: Lab) -> None:
    lab.lose()
    with pytest.raises(Ambiguous):
        run(lab.scheduler.pause())
    assert run(lab.scheduler.state()).paused


def test_the_times_that_were_missed(lab: Lab) -> None:
    hours = tuple(NINE + timedelta(hours=n) for n in range(4))
    assert run(lab.scheduler.missed(NINE, NOON)) == hours[:3]
    assert run(lab.scheduler.missed(NINE, NOON + timedelta(seconds=1))) == hours
    assert run(lab.scheduler.missed(NINE + timedelta(seconds=1), NOON)) == hours[1:3]
    assert run(lab.scheduler.missed(NOON, NOON)) == ()


def test_of_many_times_that_were_missed_the_last_hundred_are_told(lab: Lab) -> None:
    found = run(lab.scheduler.missed(NOON - timedelta(days=30), NOON))
    assert len(found) == 100
    assert found[-1] == NOON - timedelta(hours=1)


def test_a_time_that_was_missed_is_run_once(lab: Lab) -> None:
    run(lab.scheduler.pause())
    for key, at in (("k9", NINE), ("k9", NINE), ("k12", NOON), ("k9", NINE)):
        assert run(lab.scheduler.run_for(at, key))
    assert lab.runs() == 2


def test_a_run_whose_answer_is_lost_is_not_started_again(lab: Lab) -> None:
    lab.lose()
    with pytest.raises(Ambiguous):
        run(lab.scheduler.run_for(NINE, "k9"))
    assert run(lab.scheduler.run_for(NINE, "k9"))
    assert lab.runs() == 1


def test_what_is_not_there_cannot_be_acted_on(lab: Lab) -> None:
    lab.remove()
    asked = lab.scheduler
    for doing in (
        asked.state(),
        asked.pause(),
        asked.resume(),
        asked.missed(NINE, NOON),
        asked.run_for(NINE, "k9"),
    ):
        with pytest.raises(Permanent):
            run(doing)


def test_without_the_right_nothing_happens(lab: Lab) -> None:
    lab.forbid()
    for doing in (lab.scheduler.pause(), lab.scheduler.run_for(NINE, "k9")):
        with pytest.raises(Permanent):
            run(doing)
    assert not run(lab.scheduler.state()).paused
    assert lab.runs() == 0


# Kubernetes


def test_a_job_is_made_as_kubectl_makes_it(tmp_path: Path) -> None:
    cluster = cron_cluster()
    with cluster_serving(cluster, tmp_path):
        run(cron_job(tmp_path).run_for(NINE, "inc-7:export"))
    ((name, job),) = cluster.jobs.items()
    assert name == f"export-{int(NINE.timestamp()) // 60}", "as the cluster itself names it"
    about = job["metadata"]
    assert about["labels"] == {"app": "export"}
    assert about["annotations"] == {
        "team": "sync",
        "watchkeeper/key": "inc-7:export",
        "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-03-01T09:00:00Z",
        "cronjob.kubernetes.io/instantiate": "manual",
    }
    (owner,) = about["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("CronJob", "uid-export", True)
    template = cluster.cron_jobs["export"]["spec"]["jobTemplate"]["spec"]
    assert job["spec"]["template"]["spec"] == template["template"]["spec"]


def test_what_the_cluster_makes_up_for_by_itself_is_not_run_again(tmp_path: Path) -> None:
    """It runs the newest missed time as soon as a CronJob is resumed."""
    cluster = cron_cluster()
    with cluster_serving(cluster, tmp_path):
        cluster.starts_job("export", NOON)
        assert "already" in run(cron_job(tmp_path).run_for(NOON, "k12"))
        run(cron_job(tmp_path).run_for(NINE, "k9"))
        cluster.starts_job("export", NINE)
    assert len(cluster.jobs) == 2


def test_the_job_of_somebody_else_is_no_run(tmp_path: Path) -> None:
    cluster = cron_cluster()
    with cluster_serving(cluster, tmp_path):
        cluster.starts_job("export", NINE)
        cluster.cron_jobs["export"]["metadata"]["uid"] = "another"
        with pytest.raises(Permanent, match="not its own"):
            run(cron_job(tmp_path).run_for(NINE, "k9"))


def test_a_cron_job_that_was_made_anew_has_another_mark(tmp_path: Path) -> None:
    cluster = cron_cluster()
    with cluster_serving(cluster, tmp_path):
        first = run(cron_job(tmp_path).state())
        cluster.cron_jobs["export"]["metadata"]["uid"] = "another"
        assert run(cron_job(tmp_path).state()).mark != first.mark


def test_nothing_is_sent_where_it_is_so_already(tmp_path: Path) -> None:
    cluster = cron_cluster()
    with cluster_serving(cluster, tmp_path):
        run(cron_job(tmp_path).resume())
        assert not cluster.api.changes()
        run(cron_job(tmp_path).pause())
        run(cron_job(tmp_path).pause())
    assert len(cluster.api.changes()) == 1


def test_a_run_is_no_change(tmp_path: Path) -> None:
    cluster = cron_cluster()
    with cluster_serving(cluster, tmp_path):
        before = run(cron_job(tmp_path).state())
        run(cron_job(tmp_path).run_for(NINE, "k9"))
        assert run(cron_job(tmp_path).state()) == before


def test_nothing_is_missed_before_a_job_was_made_nor_in_time_to_come(tmp_path: Path) -> None:
    cluster = cron_cluster()
    cluster.cron_jobs["export"]["metadata"]["creationTimestamp"] = "2026-03-01T10:30:00Z"
    with cluster_serving(cluster, tmp_path):
        found = run(cron_job(tmp_path).missed(NINE, NOON + timedelta(days=1)))
    assert found == (NOON - timedelta(hours=1), NOON)


def test_a_schedule_has_a_time_zone(tmp_path: Path) -> None:
    cluster = cron_cluster(schedule="30 9 * * *", timeZone="Asia/Kolkata")
    with cluster_serving(cluster, tmp_path):
        found = run(cron_job(tmp_path).missed(utc("2026-02-28T00:00:00"), NOON))
    assert [f"{at:%d %H:%M}" for at in found] == ["28 04:00", "01 04:00"]


def test_a_schedule_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    cluster = cron_cluster(schedule="@every 1h")
    with cluster_serving(cluster, tmp_path), pytest.raises(Permanent, match="export in default:"):
        run(cron_job(tmp_path).missed(NINE, NOON))


def test_who_changes_a_job_back_at_once_is_told(tmp_path: Path) -> None:
    cluster = cron_cluster()
    plain = cluster.api.answer

    def answer(call: Any) -> Any:
        reply = plain(call)
        if call.method == "PATCH":
            cluster.edit("export", suspend=False)
        return reply

    cluster.api.answer = answer
    with cluster_serving(cluster, tmp_path), pytest.raises(Transient, match="changed it back"):
        run(cron_job(tmp_path).pause())


def test_a_namespace_is_looked_into(tmp_path: Path) -> None:
    with cluster_serving(cron_cluster(), tmp_path), pytest.raises(Permanent, match="elsewhere"):
        run(cron_job(tmp_path, namespace="elsewhere").state())


# When a schedule fires

DAY = utc("2026-03-01T00:00:00")


@pytest.mark.parametrize(
    ("schedule", "zone", "since", "until", "hours"),
    [
        ("@hourly", None, DAY, DAY + timedelta(hours=2), ["01 00:00", "01 01:00"]),
        ("0 0 ? * *", None, DAY, DAY + timedelta(days=2), ["01 00:00", "02 00:00"]),
        ("0 6 * * mon-tue", None, DAY, DAY + timedelta(days=7), ["02 06:00", "03 06:00"]),
        # Either day, where both are bounded; so too behind a star with steps.
        ("0 6 4 * MON", None, DAY, DAY + timedelta(days=7), ["02 06:00", "04 06:00"]),
        ("0 6 2 * MON", None, DAY, DAY + timedelta(days=7), ["02 06:00"]),
        ("0 6 */6 * MON", None, DAY, DAY + timedelta(days=6), ["01 06:00", "02 06:00"]),
        ("0 6 */1 * MON", None, DAY, DAY + timedelta(days=7), ["02 06:00"]),
        # The clocks skip 2:30 in New York on 8 March, and tell 1:30 twice on 1 November.
        (
            "30 2 * * *",
            "America/New_York",
            utc("2026-03-07T00:00:00"),
            utc("2026-03-10T00:00:00"),
            ["07 07:30", "09 06:30"],
        ),
        (
            "30 1 * * *",
            "America/New_York",
            utc("2026-11-01T00:00:00"),
            utc("2026-11-02T00:00:00"),
            ["01 05:30", "01 06:30"],
        ),
    ],
)
def test_when_a_schedule_fires(
    schedule: str, zone: str | None, since: datetime, until: datetime, hours: list[str]
) -> None:
    assert [f"{at:%d %H:%M}" for at in times(schedule, zone, since, until)] == hours


def test_no_part_of_a_second_counts_twice() -> None:
    just_after = NOON + timedelta(microseconds=1)
    assert times("0 * * * *", None, NOON, just_after) == (NOON,)
    assert times("0 * * * *", None, just_after, just_after + timedelta(minutes=1)) == ()


@pytest.mark.parametrize(
    ("schedule", "zone"),
    [
        ("", None),
        ("@every 1h", None),
        ("0 0 0 * * *", None),
        ("61 * * * *", None),
        ("0 0 30 2 *", None),
        ("CRON_TZ=UTC 0 0 * * *", None),
        ("0 * * * *", "Mars/Olympus"),
        ("0 * * * *", "../../etc/passwd"),
    ],
)
def test_a_schedule_that_tells_no_times(schedule: str, zone: str | None) -> None:
    with pytest.raises(Unclear):
        times(schedule, zone, NINE, NOON)


# Opening


def test_a_kind_of_others_is_opened_by_them(tmp_path: Path) -> None:
    spec = PrefectDeployment(deployment="export/nightly")
    theirs = cron_job(tmp_path)
    seen: list[PrefectDeployment] = []

    def opens(given: PrefectDeployment) -> JobScheduler:
        seen.append(given)
        return theirs

    assert open_scheduler(spec, tmp_path, lambda: NOW, {"prefect": opens}) is theirs
    assert seen == [spec]
    with pytest.raises(UserError, match="prefect"):
        open_scheduler(spec, tmp_path, lambda: NOW)
