"""Signs of our own side: the service, what it runs on, what it measures, and what was changed."""

from __future__ import annotations

from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.signs.finding import UNKNOWN, Finding, Sign, both, of_any, of_one


def service_crashed(evidence: Evidence) -> Finding:
    """Our own service gives no answer at all. Where its name does not resolve, or TLS fails, it was
    not reached, and that says nothing of it."""
    service = evidence.service
    if service is not None and not service.answered and service.fault in NOT_REACHED:
        return UNKNOWN
    return of_one(service, lambda r: not r.answered)


NOT_REACHED = frozenset({"dns", "tls", "certificate", "expired"})


def service_not_reached(evidence: Evidence) -> Finding:
    """The host of health_url does not resolve, or TLS fails there: our service was not asked."""
    return of_one(evidence.service, lambda r: not r.answered and r.fault in NOT_REACHED)


def service_refuses(evidence: Evidence) -> Finding:
    """The host of our service is there, and nothing listens at its port."""
    return of_one(evidence.service, lambda r: not r.answered and r.fault == "refused")


def service_unreachable(evidence: Evidence) -> Finding:
    """Our own service gives no answer where it has answered before: at this very address."""
    before = of_one(evidence.one(Kind.HISTORY, "service"), lambda r: r.outcome is Outcome.OK)
    return both(service_crashed(evidence), before)


def service_sick(evidence: Evidence) -> Finding:
    """Our service, or a part of it, answers that it is not well."""
    return of_any(evidence.of(Kind.SERVICE), lambda r: r.answered and r.outcome is Outcome.DEGRADED)


def service_slow(evidence: Evidence) -> Finding:
    """Our service takes long to say how it is."""
    slow_s = evidence.slow.total_seconds()
    return of_one(evidence.service, lambda r: r.answered and r.latency_s > slow_s)


def service_well(evidence: Evidence) -> Finding:
    """Our service says that it is well."""
    return of_one(evidence.service, lambda r: r.outcome is Outcome.OK)


def out_of_memory(evidence: Evidence) -> Finding:
    """Our service was killed for its memory."""
    return _runtime(evidence, "oom")


def disk_full(evidence: Evidence) -> Finding:
    """The disk that our service needs is full."""
    return of_any(evidence.of(Kind.RUNTIME), lambda r: r.fault == "disk_full")


def crash_loop(evidence: Evidence) -> Finding:
    """Our service starts and dies, again and again."""
    return _runtime(evidence, "crash_loop")


def not_running(evidence: Evidence) -> Finding:
    """What should run our service does not."""
    return _runtime(evidence, "not_running", "not_ready")


def busy(evidence: Evidence) -> Finding:
    """Our service is short of processor or memory."""
    return _runtime(evidence, "busy")


def deployed_of_late(evidence: Evidence) -> Finding:
    """Somebody has written down a deployment within the last day."""
    return _changed(evidence, "deploy")


def changed_of_late(evidence: Evidence) -> Finding:
    """Somebody has written down any change within the last day."""
    changes = evidence.of(Kind.CHANGE)
    return Finding(bool(changes), changes)


def metric(name: str) -> Sign:
    """The runbook's metric of that name is beyond its bound."""
    return _named(Kind.METRIC, name)


def log(name: str) -> Sign:
    """The runbook's log of that name shows as many lines as its bound."""
    return _named(Kind.LOG, name)


def _named(kind: Kind, name: str) -> Sign:
    def sign(evidence: Evidence) -> Finding:
        return of_one(evidence.one(kind, name), lambda r: r.outcome is Outcome.DOWN)

    return sign


def _runtime(evidence: Evidence, *faults: str) -> Finding:
    """What runs it; a disk that is well says nothing of pods that could not be asked."""
    running = tuple(r for r in evidence.of(Kind.RUNTIME) if r.probe != "disk")
    return of_any(running, lambda r: r.fault in faults)


def _changed(evidence: Evidence, kind: str) -> Finding:
    changes: tuple[Reading, ...] = tuple(r for r in evidence.of(Kind.CHANGE) if r.probe == kind)
    return Finding(True, changes) if changes else UNKNOWN


SIGNS = (
    service_crashed,
    service_not_reached,
    service_refuses,
    service_unreachable,
    service_sick,
    service_slow,
    service_well,
    out_of_memory,
    disk_full,
    crash_loop,
    not_running,
    busy,
    deployed_of_late,
    changed_of_late,
)
FAMILIES = (metric, log)
