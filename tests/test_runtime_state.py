"""What systemd, Kubernetes and the disk say of our own service, as they say it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from watchkeeper.evidence import Outcome
from watchkeeper.local_command import Unreadable
from watchkeeper.runbook.telemetry import Disk, KubernetesRuntime, SystemdRuntime
from watchkeeper.runtimes import disk, kubernetes, systemd
from watchkeeper.runtimes.opening import open_disk, open_runtime
from watchkeeper.runtimes.pods import pods_of
from watchkeeper.runtimes.state import State
from watchkeeper.runtimes.usage import Usage, limits_of, quantity, usage_of

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
GIB, MIB = 1024**3, 1024**2
OK, DEGRADED, DOWN = Outcome.OK, Outcome.DEGRADED, Outcome.DOWN

# A unit up for an hour, by a machine's clock that says 10 000 s since boot.
UP_S = 10_000.0
UNIT = """\
Result=success
NRestarts=0
ExecMainStartTimestampMonotonic=6400000000
ExecMainStatus=0
MemoryCurrent=52428800
MemoryMax=infinity
LoadState=loaded
ActiveState=active
SubState=running
"""
UNITS = [
    ({}, OK, None, "active (running); memory 50 MiB"),
    ({"ActiveState": "reloading", "SubState": "reload"}, OK, None, "reloading"),
    ({"ActiveState": "inactive", "SubState": "dead"}, DOWN, "not_running", "inactive (dead)"),
    (
        {
            "ActiveState": "failed",
            "SubState": "failed",
            "Result": "exit-code",
            "ExecMainStatus": "1",
        },
        *(DOWN, "not_running", "failed (failed); result exit-code, exit status 1"),
    ),
    (
        {
            "ActiveState": "failed",
            "SubState": "failed",
            "Result": "oom-kill",
            "ExecMainStatus": "9",
        },
        *(DOWN, "oom", "result oom-kill, exit status 9"),
    ),
    (
        {"ActiveState": "activating", "SubState": "auto-restart", "Result": "oom-kill"},
        *(DOWN, "oom", "activating (auto-restart)"),
    ),
    ({"Result": "oom-kill"}, DEGRADED, "oom", "active (running); result oom-kill"),
    (
        {"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code"}
        | {"NRestarts": "41", "ExecMainStartTimestampMonotonic": "9998000000"},
        *(DOWN, "crash_loop", "restarted by itself 41x, the last 0 min ago"),
    ),
    (
        {"ActiveState": "activating", "SubState": "auto-restart-queued"},
        *(DOWN, "crash_loop", "auto-restart-queued"),
    ),
    ({"ActiveState": "activating", "SubState": "start"}, DOWN, "not_ready", "activating (start)"),
    (
        {"NRestarts": "3", "ExecMainStartTimestampMonotonic": "9700000000"},
        *(DEGRADED, "crash_loop", "restarted by itself 3x, the last 5 min ago"),
    ),
    ({"NRestarts": "2", "ExecMainStartTimestampMonotonic": "9700000000"}, OK, None, "itself 2x"),
    ({"NRestarts": "3"}, OK, None, "the last 60 min ago"),
    ({"MemoryMax": "57671680"}, DEGRADED, "busy", "memory 50 MiB of 55"),
    ({"MemoryMax": "104857600"}, OK, None, "memory 50 MiB of 100"),
    ({"MemoryCurrent": "18446744073709551615", "MemoryMax": "1"}, OK, None, "active (running)"),
    ({"MemoryCurrent": "[not set]", "NRestarts": ""}, OK, None, "active (running)"),
    ({"SubState": "\x1b[31mrunning\u202e"}, OK, None, "active (running?)"),
]


@pytest.mark.parametrize(("said", "outcome", "fault", "detail"), UNITS)
def test_a_unit(said: dict[str, str], outcome: Outcome, fault: str | None, detail: str) -> None:
    """What `systemctl show` prints, but for what is given."""
    state = systemd.judged({**systemd.properties(UNIT.encode()), **said}, UP_S)
    assert (state.outcome, state.fault) == (outcome, fault)
    assert detail in state.detail


def test_properties_are_taken_once() -> None:
    """A value may hold an equals sign; a line without one says nothing."""
    said = systemd.properties(b"A=1\nB=x=y\n\nnothing\nA=2\n\xff=\xff\n")
    assert said == {"A": "1", "B": "x=y", "\ufffd": "\ufffd"}


def test_systemctl_argv() -> None:
    """A unit's name is never read as an option."""
    *options, dashes, unit = systemd.systemctl_argv(SystemdRuntime(unit="-H@host"))
    assert (dashes, unit) == ("--", "-H@host")
    assert options[:4] == ["systemctl", "show", "--no-pager", "-p"]
    assert {"ActiveState", "SubState", "Result", "NRestarts"} <= {*options[4].split(",")}


def ago(**span: int) -> str:
    return f"{T0 - timedelta(**span):%Y-%m-%dT%H:%M:%SZ}"


RUNNING = {"running": {"startedAt": ago(days=2)}}
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting"}}


def ended(reason: str, code: int, at: str) -> dict[str, Any]:
    return {"terminated": {"reason": reason, "exitCode": code, "finishedAt": at}}


def container(state: dict[str, Any] = RUNNING, **status: Any) -> dict[str, Any]:
    named = {"name": "app", "state": state, "ready": state is RUNNING, "restartCount": 0}
    return {**named, "lastState": {}, **status}


def pod(*containers: dict[str, Any], ready: bool = True, **more: Any) -> dict[str, Any]:
    """As kubectl prints it, trimmed; `more` is of its status, `meta` of its metadata."""
    meta = more.pop("meta", {})
    status = {
        "phase": "Running",
        "startTime": ago(days=2),
        "conditions": [
            {"type": "Initialized", "status": "True", "lastTransitionTime": ago(days=2)},
            {"type": "Ready", "status": str(ready), "lastTransitionTime": ago(days=2)},
        ],
        "containerStatuses": list(containers or (container(),)),
    }
    limits = {"resources": {"limits": {"cpu": "500m", "memory": "512Mi"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "twinmind-service-7d9f8b6c5d-x2x4z", **meta},
        "spec": {"containers": [{"name": "app", **limits}]},
        "status": {**status, **more},
    }


def evicted(message: str, at: str) -> dict[str, Any]:
    gone = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": at}
    said = {"phase": "Failed", "reason": "Evicted", "message": message}
    return pod(ready=False, conditions=[gone], containerStatuses=[], **said)


WELL = pod()
KILLED = container(BACK_OFF, restartCount=12, lastState=ended("OOMKilled", 137, ago(minutes=4)))
CRASHING = container(BACK_OFF, restartCount=7, lastState=ended("Error", 1, ago(minutes=2)))
COMING = {"waiting": {"reason": "ContainerCreating"}}
UNPULLED = {"waiting": {"reason": "ImagePullBackOff"}}
OOM_LATE = ended("OOMKilled", 137, ago(minutes=20))
LOW_DISK = "The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi"
PRESSED = "The node had condition: [DiskPressure]. "
LOW_MEMORY = "The node was low on resource: memory. Threshold quantity: 100Mi"

PODS: list[tuple[str, list[dict[str, Any]], Outcome, str | None, str]] = [
    ("well", [WELL, WELL], OK, None, "2 of 2 ready"),
    ("killed", [pod(KILLED, ready=False)], DOWN, "oom", "0 of 1 ready; 1x OOMKilled; 12 restarts"),
    ("killed now", [pod(container(ended("OOMKilled", 137, ago())), ready=False)], DOWN, "oom", ""),
    ("one of two", [pod(KILLED, ready=False), WELL], DEGRADED, "oom", "1 of 2 ready"),
    ("late", [pod(container(restartCount=1, lastState=OOM_LATE))], DEGRADED, "oom", "1 restarts"),
    (
        *("long ago", [pod(container(lastState=ended("OOMKilled", 137, ago(hours=2))))]),
        *(OK, None, "1 of 1 ready"),
    ),
    (
        "crashing",
        [pod(CRASHING, ready=False)],
        DOWN,
        "crash_loop",
        "1x CrashLoopBackOff; 7 restarts",
    ),
    (
        *("crashed", [pod(container(ended("Error", 1, ago()), restartCount=1), ready=False)]),
        *(DOWN, "crash_loop", "restarts after Error"),
    ),
    (
        *("crashed once", [pod(container(ended("Error", 1, ago())), ready=False)]),
        *(DOWN, "not_running", "1x Error"),
    ),
    (
        *(
            "up again",
            [pod(container(restartCount=3, lastState=ended("Error", 1, ago(minutes=9))))],
        ),
        *(DEGRADED, "crash_loop", "1 of 1 ready"),
    ),
    (
        *(
            "up again once",
            [pod(container(restartCount=2, lastState=ended("E", 1, ago(minutes=9))))],
        ),
        *(OK, None, "2 restarts"),
    ),
    ("no image", [pod(container(UNPULLED), ready=False)], DOWN, "not_running", "ImagePullBackOff"),
    (
        *("sidecar", [pod(container(), KILLED, ready=False), WELL]),
        *(DEGRADED, "oom", "1 of 2 ready"),
    ),
    (
        "init",
        [pod(ready=False, phase="Pending", initContainerStatuses=[CRASHING], containerStatuses=[])],
        *(DOWN, "crash_loop", ""),
    ),
    (
        "init is over",
        [pod(initContainerStatuses=[container(ended("Completed", 0, ago(days=2)))])],
        *(OK, None, ""),
    ),
    ("not ready", [pod(ready=False), WELL], DEGRADED, "not_ready", "1 of 2 ready"),
    ("none ready", [pod(ready=False)], DOWN, "not_ready", "0 of 1 ready"),
    (
        "rolling out",
        [pod(container(COMING), ready=False, startTime=ago(seconds=30)), WELL],
        *(DEGRADED, None, "1 of 2 ready; 1x ContainerCreating"),
    ),
    (
        "does not come",
        [pod(container(COMING), ready=False, startTime=ago(minutes=9)), WELL],
        *(DEGRADED, "not_ready", ""),
    ),
    (
        "unscheduled",
        [pod(ready=False, phase="Pending", containerStatuses=[], startTime=None)],
        *(DOWN, "not_ready", "0 of 1 ready"),
    ),
    (
        "being ended",
        [pod(ready=False, meta={"deletionTimestamp": ago()}), WELL],
        *(OK, None, "1 of 1 ready"),
    ),
    ("ended", [pod(phase="Succeeded", ready=False)], DOWN, "not_running", "0 of 0 ready"),
    (
        *("evicted", [evicted(LOW_DISK, ago(minutes=5)), WELL]),
        *(DEGRADED, "disk_full", "1 of 1 ready; 1x Evicted for its disk"),
    ),
    ("disk pressure", [evicted(PRESSED, ago(minutes=5))], DOWN, "disk_full", ""),
    ("evicted for memory", [evicted(LOW_MEMORY, ago(minutes=5))], DOWN, "oom", ""),
    ("evicted long ago", [evicted(LOW_DISK, ago(days=1)), WELL], OK, None, "1 of 1 ready"),
    (
        "worst first",
        [pod(CRASHING, ready=False), pod(KILLED, ready=False), pod(ready=False)],
        *(DOWN, "oom", "0 of 3 ready; 1x CrashLoopBackOff; 1x OOMKilled; 19 restarts"),
    ),
    ("nothing known", [{}], DOWN, "not_ready", "0 of 1 ready"),
    (
        "nonsense",
        [{"metadata": 1, "spec": [], "status": {"containerStatuses": [1, {"state": "x"}]}}],
        *(DOWN, "not_ready", "0 of 1 ready"),
    ),
]


@pytest.mark.parametrize(
    ("items", "outcome", "fault", "detail"), [case[1:] for case in PODS], ids=[c[0] for c in PODS]
)
def test_pods(
    items: list[dict[str, Any]], outcome: Outcome, fault: str | None, detail: str
) -> None:
    """By their phases, what their containers wait for, and what they last died of."""
    state = kubernetes.judged(pods_of({"kind": "List", "items": items}, T0), {})
    assert (state.outcome, state.fault) == (outcome, fault)
    assert detail in state.detail


@pytest.mark.parametrize("body", [None, [], {}, {"items": None}, {"items": "x"}])
def test_what_is_no_list_of_pods(body: object) -> None:
    """An error's body is no empty list."""
    with pytest.raises(ValueError, match="not a list of pods"):
        pods_of(body, T0)


def test_foreign_words_are_made_harmless() -> None:
    """A reason is whatever a cluster says."""
    odd = {"waiting": {"reason": "\x1b[31mBearer abcdef\n" + "x" * 400}}
    detail = kubernetes.judged(
        pods_of({"items": [pod(container(odd), ready=False)]}, T0), {}
    ).detail
    assert detail.isprintable() and "abcdef" not in detail and len(detail) <= 160


QUANTITIES = [
    *[("250m", 0.25), ("1", 1.0), ("2.5", 2.5), ("1500000n", 0.0015), ("0", 0.0)],
    *[("512Mi", 512 * MIB), ("1Gi", GIB), ("1M", 1e6), ("64Ki", 65536)],
    *[("", None), ("x", None), ("1e3", None), ("-1", None), ("\u0661", None), (5, None)],
]


@pytest.mark.parametrize(("text", "value"), QUANTITIES)
def test_quantities(text: object, value: float | None) -> None:
    assert quantity(text) == (None if value is None else pytest.approx(value))


TOP = b"""\
twinmind-service-7d9f8b6c5d-x2x4z   480m   300Mi
other-6b5c   <unknown>   100Mi
nothing
"""


def test_usage() -> None:
    """Rows of `kubectl top`; what is not known is not zero."""
    used = usage_of(TOP)
    assert used["twinmind-service-7d9f8b6c5d-x2x4z"] == Usage(0.48, 300 * MIB)
    assert used["other-6b5c"] == Usage(None, 100 * MIB)
    assert len(used) == 2


LIMITS = [
    ([{"cpu": "500m", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}], Usage(1.5, 2 * GIB)),
    ([{"cpu": "500m"}, {"memory": "1Gi"}], Usage()),
    ([None], Usage()),
    ([], Usage()),
]


@pytest.mark.parametrize(("limits", "usage"), LIMITS)
def test_limits(limits: list[dict[str, str] | None], usage: Usage) -> None:
    """A pod's are the sum, and none where a container has none."""
    containers = [{} if each is None else {"resources": {"limits": each}} for each in limits]
    assert limits_of(containers) == usage


BUSY = [
    (Usage(0.44, 300 * MIB), OK, "CPU 0.44 of 0.50, memory 300 of 512 MiB"),
    (Usage(0.45, 300 * MIB), DEGRADED, "CPU 0.45 of 0.50"),
    (Usage(0.1, 500 * MIB), DEGRADED, "memory 500 of 512 MiB"),
    (Usage(None, 1 * MIB), OK, "CPU unknown of 0.50"),
]


@pytest.mark.parametrize(("used", "outcome", "detail"), BUSY)
def test_pods_close_to_their_limits(used: Usage, outcome: Outcome, detail: str) -> None:
    """Are busy, which is told only where nothing worse is."""
    by_name = {"twinmind-service-7d9f8b6c5d-x2x4z": used}
    state = kubernetes.judged(pods_of({"items": [WELL]}, T0), by_name)
    assert (state.outcome, state.fault) == (outcome, None if outcome is OK else "busy")
    assert detail in state.detail
    killed = kubernetes.judged(pods_of({"items": [pod(KILLED, ready=False)]}, T0), by_name)
    assert killed.fault == "oom"


def test_kubectl_argv() -> None:
    """As kubectl is called here."""
    spec = KubernetesRuntime(selector="app=x", namespace="ns", kubectl=("kubectl", "--context=c"))
    pods, top = kubernetes.pods_argv(spec), kubernetes.top_argv(spec)
    assert " ".join(pods) == "kubectl --context=c get pods -l app=x -n ns -o json"
    assert " ".join(top) == "kubectl --context=c top pods -l app=x -n ns --no-headers"


DISKS = [
    (disk.Space(90, 10), disk.Space(1, 99), OK, "90.0% of the space at /data used"),
    (disk.Space(91, 9), disk.Space(1, 99), DEGRADED, "91.0% of the space"),
    (disk.Space(95, 5), disk.Space(1, 99), DOWN, "95.0% of the space"),
    (disk.Space(96 * GIB, 0), disk.Space(0, 0), DOWN, "100.0% of the space at /data used, 0.0 GiB"),
    (
        disk.Space(5 * GIB, 5 * GIB),
        disk.Space(1, 0),
        DOWN,
        "100.0% of the inodes at /data used, 5.0",
    ),
    (disk.Space(0, 0), disk.Space(0, 0), OK, "0.0%"),
]


@pytest.mark.parametrize(("space", "inodes", "outcome", "detail"), DISKS)
def test_a_disk(space: disk.Space, inodes: disk.Space, outcome: Outcome, detail: str) -> None:
    """Full at its bound; a little below it is told, without the word for full."""
    spec = Disk.model_validate({"path": "/data", "bound": 0.955 if space.used == 90 else 0.95})
    state = disk.judged(space, inodes, spec)
    assert (state.outcome, state.fault) == (outcome, "disk_full" if outcome is DOWN else None)
    assert detail in state.detail
    assert state.bound == spec.bound and state.unit == "share"


def script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def now() -> datetime:
    return T0


def test_systemctl_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found by its name; a unit that is not there is no unit that is down."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    runtime = open_runtime(SystemdRuntime(unit="maintainx-sync"), now)
    (tmp_path / "said").write_text(UNIT.replace("active\n", "failed\n"), encoding="utf-8")
    script(tmp_path, "systemctl", f'[ "$6" = maintainx-sync ] && cat {tmp_path}/said')
    assert asyncio.run(runtime.state()).fault == "not_running"
    script(tmp_path, "systemctl", "echo LoadState=not-found; echo ActiveState=inactive")
    with pytest.raises(Unreadable, match="systemd knows no unit maintainx-sync"):
        asyncio.run(runtime.state())
    script(tmp_path, "systemctl", "echo 'Failed to connect to bus: Host is down' >&2; exit 1")
    with pytest.raises(Unreadable, match="systemctl ended 1: Failed to connect to bus"):
        asyncio.run(runtime.state())


def asked(folder: Path, pods: str, top: str = "exit 1") -> State:
    """By a kubectl that prints what a file holds."""
    (folder / "pods").write_text(pods, encoding="utf-8")
    words = script(folder, "kubectl", f'if [ "$1" = top ]; then {top}; else cat {folder}/pods; fi')
    spec = KubernetesRuntime(selector="app=x", kubectl=(str(words),))
    return asyncio.run(open_runtime(spec, now).state())


def test_kubectl_is_asked(tmp_path: Path) -> None:
    """A cluster that measures nothing is no fault; one that does adds to the detail."""
    listed = json.dumps({"items": [WELL]})
    assert asked(tmp_path, listed) == State(OK, None, "1 of 1 ready", 1, 1, "pods")
    (tmp_path / "top").write_bytes(TOP)
    busy = asked(tmp_path, listed, f"cat {tmp_path}/top")
    assert (busy.fault, busy.outcome) == ("busy", DEGRADED)


UNREADABLE = [
    ('{"items": []}', "no pod matches app=x in default"),
    ("Error from server", "no list of pods"),
    ('{"kind": "Status"}', "no list of pods"),
    ('{"items": [], "items": []}', "no list of pods"),
    ("", "no list of pods"),
    (" " * (8 * MIB + 1), "more of the pods than we read"),
]


@pytest.mark.parametrize(("printed", "why"), UNREADABLE, ids=[why for _, why in UNREADABLE])
def test_what_kubectl_prints_may_say_nothing(tmp_path: Path, printed: str, why: str) -> None:
    """No pods at all look the same as the wrong place."""
    with pytest.raises(Unreadable, match=why):
        asked(tmp_path, printed)


def test_kubectl_that_does_not_end(tmp_path: Path) -> None:
    spec = KubernetesRuntime(selector="a", kubectl=(str(script(tmp_path, "kubectl", "sleep 99")),))
    with pytest.raises(Unreadable, match=r"kubectl did not end in 0\.2 s"):
        asyncio.run(kubernetes.KubernetesState(spec, now, deadline_s=0.2).state())


def test_a_real_disk(tmp_path: Path) -> None:
    """Near what the system says of it; a path that is not there cannot be measured."""
    state = asyncio.run(open_disk(Disk(path="."), tmp_path).state())
    told = shutil.disk_usage(tmp_path)
    assert state.value is not None and state.value >= told.used / told.total - 0.02
    with pytest.raises(Unreadable, match="the disk of none: No such file"):
        asyncio.run(open_disk(Disk(path="none"), tmp_path).state())
