"""How far the rollout of a Kubernetes Deployment is. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from watchkeeper.harmless import harmless

MARK = "watchkeeper/restart"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


@dataclass(frozen=True, slots=True)
class Rollout:
    """`wanted` replicas; of the `total` that there are, `updated` are new and `available` serve.

    `seen`: the cluster has taken the last change up; the numbers before that are of the last one.
    `stuck`: the cluster has given up waiting. `trouble`: what its conditions say.
    """

    mark: str | None
    at: str
    wanted: int
    seen: bool
    updated: int = 0
    available: int = 0
    total: int = 0
    paused: bool = False
    stuck: bool = False
    trouble: str = ""

    @property
    def new(self) -> int:
        """Of the new ones at least so many are available: the old ones may all be."""
        return max(0, self.available - (self.total - self.updated))

    @property
    def done(self) -> bool:
        return self.seen and self.wanted == self.updated == self.available == self.total

    @property
    def scaled(self) -> bool:
        """As many are there as are wanted, of whatever age."""
        return self.seen and self.wanted == self.available == self.total

    def says(self) -> str:
        """A sentence without its end."""
        text = f"{self.new} of {self.wanted} new replicas are available"
        if self.total > self.updated:
            text += "; the old ones still serve"
        return f"{text} ({self.trouble})" if self.trouble else text


def rollout_of(deployment: Any) -> Rollout:
    """From the client's Deployment; what it leaves out is none."""
    spec, status, metadata = deployment.spec, deployment.status, deployment.metadata
    template = spec.template.metadata
    annotations = (template and template.annotations) or {}
    seen = ((status and status.observed_generation) or 0) >= (metadata.generation or 0)
    conditions = (status and status.conditions) or []
    return Rollout(
        mark=annotations.get(MARK),
        at=annotations.get(RESTARTED_AT, ""),
        # Kubernetes fills in 1 where none is given.
        wanted=1 if spec.replicas is None else spec.replicas,
        seen=seen,
        updated=(status and status.updated_replicas) or 0,
        available=(status and status.available_replicas) or 0,
        total=(status and status.replicas) or 0,
        paused=bool(spec.paused),
        stuck=seen and any(c.reason == "ProgressDeadlineExceeded" for c in conditions),
        trouble="; ".join(_told(c) for c in conditions if _is_trouble(c)),
    )


def _is_trouble(condition: Any) -> bool:
    wanted = "False" if condition.type == "ReplicaFailure" else "True"
    return bool(condition.status != wanted)


def _told(condition: Any) -> str:
    return harmless(f"{condition.reason or condition.type}: {condition.message or '-'}")
