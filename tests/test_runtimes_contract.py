"""What restarts and scales a service, each kind against a stand-in that counts what really ran."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cloud_run_api import CloudRunLab, cloud_run_serving, pinned
from tests.json_api import LOST, Call, JsonApi, Reply
from tests.kube_api import Cluster, Deployment, cluster_serving, utc
from watchkeeper.errors import Ambiguous, Permanent, Throttled, Transient, UserError
from watchkeeper.runbook.acting import CloudRunService, CommandRuntime, KubernetesWorkload
from watchkeeper.runbook.acting_text import calls_of_restart, calls_of_scale
from watchkeeper.runtimes import Runtime
from watchkeeper.runtimes.acting import open_acting
from watchkeeper.runtimes.cloud_run_state import (
    ServiceState,
    Target,
    moved,
    refusal,
)
from watchkeeper.runtimes.rollout import Rollout

MARK = "inc-7:restart:sync"
AT = utc("2026-03-01T10:00:00")
SCRIPT = """
case "$1" in
  restart) echo run >> runs; test -e slow && exec sleep 60 ;;
  scale) echo "$2" > wanted ;;
  replicas) cat wanted ;;
esac
exit 0
"""


async def no_wait(_seconds: float) -> None:
    await asyncio.sleep(0)


def run(doing: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await doing

    return asyncio.run(main())


@dataclass
class Lab:
    """`restarts` counts how often all of the service ran anew. `lose`: the next change is made and
    its answer lost. `keeps_marks`: the runtime can tell what a mark has done."""

    runtime: Runtime
    restarts: Callable[[], float]
    lose: Callable[[], Any]
    remove: Callable[[], Any]
    forbid: Callable[[], Any]
    keeps_marks: bool = True


@contextmanager
def command_lab(folder: Path) -> Iterator[Lab]:
    script = folder / "service.sh"
    script.write_text(f"cd {folder}\n{SCRIPT}")
    (folder / "wanted").write_text("3\n")
    spec = CommandRuntime(
        restart=("sh", str(script), "restart"),
        replicas=("sh", str(script), "replicas"),
        scale=("sh", str(script), "scale", "{replicas}"),
        timeout=timedelta(seconds=1),
    )
    gone = CommandRuntime(
        restart=("no-such-cmd",), replicas=("no-such-cmd",), scale=("no-such-cmd", "{replicas}")
    )
    lab = Lab(
        open_acting(spec, folder, lambda: AT, no_wait),
        restarts=lambda: len((folder / "runs").read_text().split()),
        lose=lambda: (folder / "slow").touch(),
        remove=lambda: setattr(lab, "runtime", open_acting(gone, folder, lambda: AT)),
        forbid=lambda: setattr(
            lab, "runtime", open_acting(CommandRuntime(restart=(str(script),)), folder, lambda: AT)
        ),
        keeps_marks=False,
    )
    (folder / "runs").touch()
    yield lab


def workload(**more: Any) -> KubernetesWorkload:
    given = {"deployment": "sync", "kubeconfig": "kubeconfig.yaml", "timeout": "1 min", **more}
    return KubernetesWorkload.model_validate(given)


@contextmanager
def kubernetes_lab(folder: Path, cluster: Cluster | None = None) -> Iterator[Lab]:
    cluster = cluster or Cluster({"sync": Deployment()})
    deployment = cluster.deployments["sync"]
    with cluster_serving(cluster, folder):
        yield Lab(
            open_acting(workload(), folder, lambda: AT, no_wait),
            restarts=lambda: deployment.starts / 3,
            lose=lambda: cluster.api.fails.append(("PATCH", "sync", LOST)),
            remove=cluster.deployments.clear,
            forbid=lambda: cluster.api.forbidden.add("PATCH"),
        )


def service(url: str) -> CloudRunService:
    return CloudRunService(
        project="lab-project",
        region="us-central1",
        service="sync",
        api=url,
        timeout=timedelta(minutes=1),
    )


@contextmanager
def cloud_run_lab(folder: Path, lab: CloudRunLab | None = None) -> Iterator[Lab]:
    lab = lab or CloudRunLab()
    with cloud_run_serving(lab) as url:
        yield Lab(
            open_acting(service(url), folder, lambda: AT, no_wait),
            # A revision that serves nobody is none.
            restarts=lambda: len(set(lab.served) - {"sync-00001"}),
            lose=lambda: lab.api.fails.append(("PATCH", "sync", LOST)),
            remove=lambda: setattr(lab, "there", False),
            forbid=lambda: lab.api.forbidden.add("PATCH"),
        )


KINDS: dict[str, Callable[[Path], AbstractContextManager[Lab]]] = {
    "command": command_lab,
    "kubernetes": kubernetes_lab,
    "cloud_run": cloud_run_lab,
}


@pytest.fixture(params=KINDS)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    with KINDS[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture(params=[kind for kind in KINDS if kind != "command"])
def keeping(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """Those that keep a mark."""
    with KINDS[request.param](tmp_path) as opened:
        yield opened


def test_a_restart_runs_every_replica_anew_once(lab: Lab) -> None:
    assert run(lab.runtime.restart(MARK))
    assert lab.restarts() == 1
    assert (run(lab.runtime.restarted(MARK)) is not None) is lab.keeps_marks


def test_a_mark_that_was_never_used_has_restarted_nothing(lab: Lab) -> None:
    run(lab.runtime.restart("another"))
    assert run(lab.runtime.restarted(MARK)) is None


def test_the_same_mark_is_the_same_restart(keeping: Lab) -> None:
    first = run(keeping.runtime.restart(MARK))
    assert run(keeping.runtime.restart(MARK)) == first
    assert keeping.restarts() == 1
    run(keeping.runtime.restart("another"))
    assert keeping.restarts() == 2


def test_a_lost_answer_is_ambiguous(lab: Lab) -> None:
    lab.lose()
    with pytest.raises(Ambiguous):
        run(lab.runtime.restart(MARK))


def test_after_a_lost_answer_the_world_tells_what_has_happened(keeping: Lab) -> None:
    keeping.lose()
    with pytest.raises(Ambiguous):
        run(keeping.runtime.restart(MARK))
    assert run(keeping.runtime.restarted(MARK)) is None, "it is still on its way"
    told = [run(keeping.runtime.restarted(MARK)) for _ in range(9)]
    assert told[-1]
    run(keeping.runtime.restart(MARK))
    assert keeping.restarts() == 1


def test_what_is_not_there_cannot_be_acted_on(lab: Lab) -> None:
    lab.remove()
    for doing in (lab.runtime.restart(MARK), lab.runtime.replicas(), lab.runtime.scale(4)):
        with pytest.raises(Permanent):
            run(doing)


def test_without_the_right_nothing_happens(lab: Lab) -> None:
    lab.forbid()
    with pytest.raises(Permanent):
        run(lab.runtime.restart(MARK))
    assert lab.restarts() == 0


def test_it_is_scaled_and_scaled_back(lab: Lab) -> None:
    before = run(lab.runtime.replicas())
    for wanted in (before + 2, before + 2, before):
        assert str(wanted) in run(lab.runtime.scale(wanted))
        assert run(lab.runtime.replicas()) == wanted


@pytest.mark.parametrize("status", [500, 503, 429, 409, 302])
def test_each_failure_of_a_platform_is_told_for_what_it_is(status: int, tmp_path: Path) -> None:
    raised = {500: Ambiguous, 503: Ambiguous, 429: Throttled, 409: Transient, 302: Permanent}
    cluster, run_lab = Cluster({"sync": Deployment()}), CloudRunLab()
    with kubernetes_lab(tmp_path, cluster) as one, cloud_run_lab(tmp_path, run_lab) as other:
        for lab, api in ((one, cluster.api), (other, run_lab.api)):
            api.elsewhere = api.url + "/elsewhere"
            api.fails = [("PATCH", "sync", status)]
            with pytest.raises(raised[status]) as caught:
                run(lab.runtime.restart(MARK))
            assert "token" not in str(caught.value)
            assert not [call for call in api.calls if "elsewhere" in call.path]


def test_a_failed_look_is_no_failed_restart(tmp_path: Path) -> None:
    """What was begun goes on, whatever one look at it says."""
    cluster, run_lab = Cluster({"sync": Deployment()}), CloudRunLab()
    with kubernetes_lab(tmp_path, cluster) as one, cloud_run_lab(tmp_path, run_lab) as other:
        for lab, api in ((one, cluster.api), (other, run_lab.api)):
            fail_one_look_after_a_change(api)
            assert run(lab.runtime.restart(MARK))
            assert not api.fails, "the look was made, and failed"


def fail_one_look_after_a_change(api: JsonApi) -> None:
    plain = api.answer

    def answer(call: Call) -> Reply:
        if call.method == "PATCH":
            api.fails.append(("GET", "sync", 500))
        return plain(call)

    api.answer = answer


def test_nobody_answers(tmp_path: Path) -> None:
    with kubernetes_lab(tmp_path) as one, cloud_run_lab(tmp_path) as other:
        pass
    for lab in (one, other):
        with pytest.raises(Transient, match="cannot be reached"):
            run(lab.runtime.restart(MARK))


def test_a_command_that_was_not_given_is_missed_in_words(tmp_path: Path) -> None:
    runtime = open_acting(CommandRuntime(restart=("true",)), tmp_path, lambda: AT)
    with pytest.raises(Permanent, match="cannot be scaled"):
        run(runtime.replicas())
    with pytest.raises(Permanent, match="cannot be scaled"):
        run(runtime.scale(2))


@pytest.mark.parametrize("prints", ["", "three", "-1", "2 3", "3.5", "9" * 4000])
def test_a_count_is_one_whole_number(prints: str, tmp_path: Path) -> None:
    count = (sys.executable, "-Sc", f"print({prints!r})")
    runtime = open_acting(CommandRuntime(restart=("true",), replicas=count), tmp_path, lambda: AT)
    with pytest.raises(Permanent, match="whole number"):
        run(runtime.replicas())


def test_no_shell_reads_a_scale_command(tmp_path: Path) -> None:
    spec = CommandRuntime(
        restart=("true",), scale=("touch", f"{tmp_path}/{{replicas}} of $(id); true")
    )
    run(open_acting(spec, tmp_path, lambda: AT).scale(4))
    assert [path.name for path in tmp_path.iterdir()] == ["4 of $(id); true"]


# Kubernetes


def rollout_lab(tmp_path: Path, **more: Any) -> tuple[Cluster, Runtime]:
    cluster = Cluster({"sync": Deployment(**more)})
    return cluster, open_acting(workload(), tmp_path, lambda: AT, no_wait)


def test_a_rollout_is_begun_as_kubectl_begins_it(tmp_path: Path) -> None:
    cluster, runtime = rollout_lab(tmp_path, annotations={"team": "sync"})
    with cluster_serving(cluster, tmp_path):
        run(runtime.restart(MARK))
    assert cluster.deployments["sync"].annotations == {
        "team": "sync",
        "kubectl.kubernetes.io/restartedAt": "2026-03-01T10:00:00Z",
        "watchkeeper/restart": MARK,
    }
    (change,) = cluster.api.changes()
    assert change.kind == "application/strategic-merge-patch+json"


def test_a_rollout_that_does_not_end_is_ambiguous(tmp_path: Path) -> None:
    cluster, runtime = rollout_lab(tmp_path, broken=True)
    with (
        cluster_serving(cluster, tmp_path),
        pytest.raises(Ambiguous, match="0 of 3 new replicas are available; the old ones still"),
    ):
        run(runtime.restart(MARK))
    looks = [call for call in cluster.api.calls if call.method == "GET"]
    assert 30 <= len(looks) <= 33, "a minute is 31 looks"


def test_a_rollout_that_the_cluster_gives_up_has_failed(tmp_path: Path) -> None:
    cluster, runtime = rollout_lab(tmp_path, broken=True, patience=3)
    with cluster_serving(cluster, tmp_path):
        for _ in range(2):
            with pytest.raises(Permanent, match=r"0 of 3 new replicas .*ProgressDeadlineExceeded"):
                run(runtime.restart(MARK))
        assert run(runtime.restarted(MARK)) is None
    assert len(cluster.api.changes()) == 1
    assert len(cluster.api.calls) < 15, "nobody waits for what the cluster has given up"


def test_a_paused_deployment_is_left_alone(tmp_path: Path) -> None:
    cluster, runtime = rollout_lab(tmp_path, paused=True)
    with cluster_serving(cluster, tmp_path), pytest.raises(Permanent, match="paused"):
        run(runtime.restart(MARK))
    assert not cluster.api.changes()


def test_what_an_autoscaler_owns_is_not_scaled(tmp_path: Path) -> None:
    cluster, runtime = rollout_lab(tmp_path)
    cluster.autoscaled = ("other", "sync")
    with cluster_serving(cluster, tmp_path):
        with pytest.raises(Permanent, match="autoscaler sync-hpa, from 2 to 9"):
            run(runtime.scale(5))
        assert not cluster.api.changes()
        cluster.api.forbidden.add("horizontalpodautoscalers")
        assert run(runtime.scale(5)) == "5 of 5 replicas are available"


def test_it_is_scaled_to_none_and_back(tmp_path: Path) -> None:
    cluster, runtime = rollout_lab(tmp_path)
    with cluster_serving(cluster, tmp_path):
        run(runtime.scale(0))
        assert run(runtime.replicas()) == 0
        run(runtime.scale(3))
    assert cluster.deployments["sync"].pods == [1, 1, 1]


@pytest.mark.parametrize(
    ("rollout", "done", "new"),
    [
        (Rollout(MARK, "", 3, True, 3, 3, 3), True, 3),
        (Rollout(MARK, "", 3, False, 3, 3, 3), False, 3),
        (Rollout(MARK, "", 3, True, 3, 3, 4), False, 2),
        (Rollout(MARK, "", 3, True, 1, 3, 4), False, 0),
        (Rollout(MARK, "", 3, True, 3, 2, 3), False, 2),
        (Rollout(MARK, "", 0, True), True, 0),
    ],
)
def test_when_a_rollout_is_done(rollout: Rollout, done: bool, new: int) -> None:
    assert (rollout.done, rollout.new) == (done, new)


@pytest.mark.parametrize("given", [{"kubeconfig": "none.yaml"}, {"context": "elsewhere"}])
def test_a_cluster_that_is_not_configured(given: dict[str, str], tmp_path: Path) -> None:
    with cluster_serving(Cluster(), tmp_path):
        runtime = open_acting(workload(**given), tmp_path, lambda: AT, no_wait)
        with pytest.raises(Permanent, match="no cluster can be opened"):
            run(runtime.replicas())


# Cloud Run


def test_traffic_that_is_pinned_to_the_newest_revision_moves_to_the_new_one(tmp_path: Path) -> None:
    lab = CloudRunLab(traffic=[pinned("sync-00001", tag="live"), pinned("old", 0, "old")])
    with cloud_run_lab(tmp_path, lab) as opened:
        assert run(opened.runtime.restart(MARK)).startswith("sync-00002 is ready and receives all")
        assert opened.restarts() == 1
        assert run(opened.runtime.restarted(MARK))
    assert {(t["revision"], t.get("percent", 0), t.get("tag", "")) for t in lab.traffic} == {
        ("sync-00001", 0, "live"),
        ("old", 0, "old"),
        ("sync-00002", 100, ""),
    }


@pytest.mark.parametrize(
    "traffic",
    [[pinned("sync-00000")], [pinned("sync-00001", 90), pinned("sync-00000", 10)]],
    ids=["an older revision", "a split"],
)
def test_a_restart_puts_nothing_into_use_that_does_not_serve(
    traffic: list[dict[str, Any]], tmp_path: Path
) -> None:
    lab = CloudRunLab(traffic=traffic)
    with cloud_run_lab(tmp_path, lab) as opened, pytest.raises(Permanent, match="traffic"):
        run(opened.runtime.restart(MARK))
    assert not lab.api.changes()


def test_a_move_of_the_traffic_whose_answer_is_lost_is_finished_later(tmp_path: Path) -> None:
    lab = CloudRunLab(traffic=[pinned("sync-00001")], steps=0)
    with cloud_run_lab(tmp_path, lab) as opened:
        # The mark is set, the process dies, and the new revision serves nobody.
        lab.template["annotations"]["watchkeeper/restart"] = MARK
        lab.revisions.append("sync-00002")
        lab.generation += 1
        run(opened.runtime.replicas())
        assert run(opened.runtime.restarted(MARK)) is None, "it serves nobody"
        opened.lose()
        with pytest.raises(Ambiguous, match="traffic"):
            run(opened.runtime.restart(MARK))
        assert run(opened.runtime.restart(MARK))
    assert lab.revisions == ["sync-00001", "sync-00002"]


def test_a_revision_that_fails_leaves_the_traffic_to_the_old_one(tmp_path: Path) -> None:
    lab = CloudRunLab(broken=True)
    with cloud_run_lab(tmp_path, lab) as opened:
        for _ in range(2):
            with pytest.raises(Permanent, match=r"failed to start; sync-00001 keeps the traffic"):
                run(opened.runtime.restart(MARK))
    assert lab.served == ["sync-00001"]
    assert len(lab.api.changes()) == 1


def test_a_restart_mends_what_has_failed_before(tmp_path: Path) -> None:
    """What is told before the new change is taken up is about the one before."""
    lab = CloudRunLab(broken=True)
    with cloud_run_lab(tmp_path, lab) as opened:
        with pytest.raises(Permanent):
            run(opened.runtime.restart(MARK))
        lab.broken = False
        assert run(opened.runtime.restart("another")).startswith("sync-00003")


def test_a_revision_that_is_not_ready_in_time_is_ambiguous(tmp_path: Path) -> None:
    with (
        cloud_run_lab(tmp_path, CloudRunLab(steps=1000)) as opened,
        pytest.raises(Ambiguous, match="sync-00002 is not ready"),
    ):
        run(opened.runtime.restart(MARK))


def test_only_the_annotations_of_a_template_change(tmp_path: Path) -> None:
    lab = CloudRunLab()
    lab.template["revision"] = "sync-by-hand"
    with cloud_run_lab(tmp_path, lab) as opened:
        run(opened.runtime.restart(MARK))
    (change,) = lab.api.changes()
    assert change.query["updateMask"] == "template.annotations,template.revision"
    assert lab.template == {
        "annotations": {"team": "sync", "watchkeeper/restart": MARK},
        "containers": [{"image": "registry.example.com/sync:1"}],
    }


def test_who_changes_the_service_at_the_same_time_is_not_overwritten(tmp_path: Path) -> None:
    lab = CloudRunLab()
    plain = lab.api.answer

    def meddle(call: Call) -> Reply:
        lab.generation += call.method == "PATCH"
        return plain(call)

    lab.api.answer = meddle
    with cloud_run_lab(tmp_path, lab) as opened, pytest.raises(Transient, match="409"):
        run(opened.runtime.restart(MARK))


@pytest.mark.parametrize(
    ("scaling", "template", "wanted", "refused"),
    [
        ({}, {}, 4, ""),
        ({"minInstanceCount": 2, "maxInstanceCount": 3}, {}, 4, "3 instances at most"),
        ({}, {"minInstanceCount": 2}, 1, "keep 2 instances"),
        ({}, {"minInstanceCount": 2}, 3, ""),
        ({"scalingMode": "MANUAL", "manualInstanceCount": 2}, {"maxInstanceCount": 3}, 4, ""),
    ],
)
def test_how_few_instances_there_may_be(
    scaling: dict[str, Any], template: dict[str, Any], wanted: int, refused: str, tmp_path: Path
) -> None:
    lab = CloudRunLab(scaling=scaling)
    lab.template["scaling"] = template
    with cloud_run_lab(tmp_path, lab) as opened:
        if refused:
            with pytest.raises(Permanent, match=refused):
                run(opened.runtime.scale(wanted))
            return
        run(opened.runtime.scale(wanted))
        assert run(opened.runtime.replicas()) == wanted
    assert lab.revisions == ["sync-00001"], "scaling makes no revision"


def state(*wanted: Target, given: tuple[Target, ...] = (), ready: str = "r2") -> ServiceState:
    return ServiceState(MARK, True, "", "r2", ready, wanted, given)


@pytest.mark.parametrize(
    ("seen", "refused", "serves"),
    [
        (state(Target("", 100), given=(Target("", 100),)), False, True),
        (state(Target("", 100), given=(Target("", 100),), ready="r1"), False, False),
        (state(Target("r2", 100), given=(Target("r2", 100),)), False, True),
        (state(Target("r2", 100), given=(Target("r1", 100),)), False, False),
        (state(Target("r1", 100), given=(Target("r1", 100),)), True, False),
        (state(Target("r1", 50), Target("", 50), given=(Target("r2", 50),)), True, False),
        (state(Target("", 100), Target("r1", 0, "old"), given=(Target("", 100),)), False, True),
        (state(Target("", 100)), False, False),
    ],
)
def test_who_gets_the_traffic(seen: ServiceState, refused: bool, serves: bool) -> None:
    assert (refusal(seen) is not None, seen.new_serves) == (refused, serves)


def test_a_tag_stays_at_its_revision() -> None:
    before = state(Target("r1", 100, "live"), Target("r0", 0))
    assert moved(before) == (Target("r1", 0, "live"), Target("r2", 100))


# The libraries of others

EXTRAS = {"kubernetes": "watchkeeper[kubernetes]", "google.cloud.run_v2": "watchkeeper[gcp]"}


@pytest.mark.parametrize("library", EXTRAS)
def test_a_library_that_is_not_installed(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    spec = workload() if library == "kubernetes" else service("http://127.0.0.1:9")
    with pytest.raises(UserError) as caught:
        run(open_acting(spec, tmp_path, lambda: AT, no_wait).restart(MARK))
    assert EXTRAS[library] in str(caught.value)


def test_nothing_is_loaded_before_it_is_used() -> None:
    asks = (
        "import sys, watchkeeper.runtimes.acting, watchkeeper.schedulers.opening;"
        "print({'kubernetes', 'google.cloud', 'google.auth', 'urllib3'} & {*sys.modules})"
    )
    printed = subprocess.run([sys.executable, "-c", asks], capture_output=True, check=True)
    assert printed.stdout.strip() == b"set()"


# In words for a plan


def test_what_a_plan_says() -> None:
    command = CommandRuntime(restart=("systemctl", "restart", "my-sync"))
    assert calls_of_restart(command) == ("command: systemctl restart my-sync",)
    assert calls_of_scale(command, 2) == ()
    scaled = CommandRuntime(restart=("x",), scale=("fly", "scale", "count", "{replicas}"))
    assert calls_of_scale(scaled, 4) == ("command: fly scale count 4",)
    in_cluster = workload(context="prod")
    assert calls_of_restart(in_cluster) == (
        "kubernetes: PATCH deployments/sync in default of prod",
    )
    assert calls_of_scale(in_cluster, 4) == (
        "kubernetes: PATCH deployments/sync/scale in default of prod: replicas=4",
    )
    assert calls_of_scale(service("http://127.0.0.1:9"), 4) == (
        "cloud_run: PATCH services/sync in lab-project/us-central1: at least 4 instances",
    )
    assert "traffic" in calls_of_restart(service("http://127.0.0.1:9"))[1]
