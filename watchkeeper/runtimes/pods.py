"""Pods as values, from what `kubectl get pods -o json` prints. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchkeeper.runtimes.state import Fault, worst
from watchkeeper.runtimes.usage import NOTHING_KNOWN, Usage, limits_of

# What happened longer ago is history: a pod keeps its last end for as long as it lives.
RECENT = timedelta(hours=1)
STARTING = timedelta(minutes=2)
LOOP_RESTARTS = 3
_STILL_COMING = ("ContainerCreating", "PodInitializing")
_DISK_WORDS = ("disk", "ephemeral", "emptydir", "inodes")
# A fault, and Kubernetes' own word for it.
Seen = tuple[Fault | None, str]


@dataclass(frozen=True, slots=True)
class Pod:
    """`live`: it runs, or should. One that has ended or is being ended will not come back; it has
    a fault only where it was evicted of late."""

    name: str
    live: bool
    ready: bool
    fault: Fault | None = None
    words: tuple[str, ...] = ()
    restarts: int = 0
    limits: Usage = NOTHING_KNOWN


def pods_of(body: Any, at: datetime) -> tuple[Pod, ...]:
    """Raises ValueError where it is not a list of pods."""
    items = _field(body, "items")
    if not isinstance(items, list):
        raise ValueError("not a list of pods")
    return tuple(_pod(item, at) for item in items)


def _pod(item: Any, at: datetime) -> Pod:
    metadata, status = _field(item, "metadata"), _field(item, "status")
    ended = _field(status, "phase") in ("Succeeded", "Failed")
    live = not ended and _field(metadata, "deletionTimestamp") is None
    containers = _listed(status, "initContainerStatuses") + _listed(status, "containerStatuses")
    seen = [_container(c, at) for c in containers] if live else [_evicted(status, at)]
    ready = live and _is_ready(status)
    fault = worst(tuple(fault for fault, _ in seen if fault))
    if live and not ready and fault is None and not _within(_field(status, "startTime"), at):
        fault = "not_ready"
    return Pod(
        name=str(_field(metadata, "name")),
        live=live,
        ready=ready,
        fault=fault,
        words=tuple(dict.fromkeys(word for _, word in seen if word)),
        restarts=sum(_restarts(c) for c in containers) if live else 0,
        limits=limits_of(_listed(_field(item, "spec"), "containers")),
    )


def _is_ready(status: Any) -> bool:
    conditions = _listed(status, "conditions")
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _container(status: dict[str, Any], at: datetime) -> Seen:
    """What is the matter with it now; else what was, a short while ago."""
    now, last = _field(status, "state"), _field(_field(status, "lastState"), "terminated")
    waiting, ended = _field(now, "waiting"), _field(now, "terminated")
    if waiting is not None:
        return _waiting(_reason(waiting), last)
    if ended is not None and _field(ended, "exitCode") != 0:
        return _ended(ended, _restarts(status), 1) or ("not_running", _reason(ended))
    if last is not None and _within(_field(last, "finishedAt"), at, RECENT):
        return _ended(last, _restarts(status), LOOP_RESTARTS) or (None, "")
    return None, ""


def _waiting(reason: str, last: Any) -> Seen:
    if reason in _STILL_COMING:
        return None, reason
    if reason != "CrashLoopBackOff":
        return "not_running", reason
    killed = _reason(last) == "OOMKilled"
    return ("oom", "OOMKilled") if killed else ("crash_loop", reason)


def _ended(end: Any, restarts: int, loop: int) -> Seen | None:
    if _reason(end) == "OOMKilled":
        return "oom", "OOMKilled"
    return ("crash_loop", f"restarts after {_reason(end)}") if restarts >= loop else None


def _evicted(status: Any, at: datetime) -> Seen:
    """A pod that its node has thrown out stays listed, often for days."""
    times = [c.get("lastTransitionTime") for c in _listed(status, "conditions")]
    known = [t for t in (*times, _field(status, "startTime")) if _instant(t)]
    recent = not known or any(_within(t, at, RECENT) for t in known)
    if _field(status, "reason") != "Evicted" or not recent:
        return None, ""
    message = str(_field(status, "message")).lower()
    if any(word in message for word in _DISK_WORDS):
        return "disk_full", "Evicted for its disk"
    return ("oom", "Evicted for memory") if "memory" in message else ("not_running", "Evicted")


def _reason(why: Any) -> str:
    return str(_field(why, "reason") or "no reason given")


def _restarts(status: dict[str, Any]) -> int:
    count = status.get("restartCount")
    return count if type(count) is int else 0


def _within(text: Any, at: datetime, span: timedelta = STARTING) -> bool:
    then = _instant(text)
    return then is not None and at - then < span


def _instant(text: Any) -> datetime | None:
    try:
        then = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return then if then.tzinfo else None


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _listed(value: Any, name: str) -> list[dict[str, Any]]:
    found = _field(value, name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
