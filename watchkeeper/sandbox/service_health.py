"""What the service says of its health, in whichever of the two shapes of checks."""

from collections.abc import Mapping
from typing import Any

from watchkeeper.sandbox.service_calls import Poll, verdict
from watchkeeper.sandbox.service_config import Setup

WORST_FIRST = ("unhealthy", "degraded", "healthy")
LIST_WORDS = {"healthy": "pass", "degraded": "warn", "unhealthy": "fail"}


def status_of(lasts: Mapping[str, Poll], sheds: bool) -> str:
    """`sheds`: it turns work away, and may have none left to tell its health by."""
    if not lasts:
        return "degraded" if sheds else "unhealthy"
    return min((verdict(poll) for poll in lasts.values()), key=WORST_FIRST.index)


def worst(lasts: Mapping[str, Poll]) -> Poll:
    polls = sorted(lasts.values(), key=lambda p: (WORST_FIRST.index(verdict(p)), -p.latency_ms))
    return polls[0] if polls else Poll("none", 0)


def health(setup: Setup, status: str, poll: Poll, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The body of /health."""
    name, vendor = f"{setup.vendor}_api", verdict(poll)
    if setup.health == "mapping":
        checks: Any = {name: {"status": poll.ok, "latencyMs": poll.latency_ms}}
    else:
        message = {} if poll.ok else {"message": poll.error_type}
        one = {"name": name, "status": LIST_WORDS[vendor], "latencyMs": poll.latency_ms}
        checks = [{**one, **message}]
    return {"status": status, "checks": checks, **facts}
