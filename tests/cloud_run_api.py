"""One Cloud Run service on loopback: its revisions, and where its traffic goes."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.json_api import Call, JsonApi, Reply, serving

NAME = "projects/lab-project/locations/us-central1/services/sync"
LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
FORBIDDEN = ("run.googleapis.com", "serving.knative.dev")


@dataclass
class CloudRunLab:
    """A change of the template makes a revision, which is ready after `steps` more looks, or fails
    if it is `broken`. `traffic` and `template` are as on the wire."""

    template: dict[str, Any] = field(
        default_factory=lambda: {
            "annotations": {"team": "sync"},
            "containers": [{"image": "registry.example.com/sync:1"}],
        }
    )
    traffic: list[dict[str, Any]] = field(default_factory=list)
    scaling: dict[str, Any] = field(default_factory=dict)
    there: bool = True
    broken: bool = False
    steps: int = 2
    revisions: list[str] = field(default_factory=lambda: ["sync-00001"])
    ready: str = "sync-00001"
    generation: int = 1
    left: int = 0
    served: list[str] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api = JsonApi(self.answer, _error)

    def answer(self, call: Call) -> Reply:
        if call.path != f"/v2/{NAME}" or not self.there:
            return 404, _error(404)
        if call.method == "PATCH":
            return self._patch(call)
        answer = self._service()
        self._step()
        return 200, answer

    def _patch(self, call: Call) -> Reply:
        if call.body.get("etag", self.etag) != self.etag:
            return 409, _error(409)
        before, self.before = copy.deepcopy(self.template), self._condition()
        for path in call.query["updateMask"].split(","):
            self._set(path, call.body)
        if any(key.startswith(FORBIDDEN) for key in self.template["annotations"]):
            return 400, _error(400)
        self.generation += 1
        self.left = self.steps
        if self.template != before:
            self.revisions.append(f"sync-{len(self.revisions) + 1:05}")
        return 200, {"name": f"{NAME.rsplit('/', 2)[0]}/operations/op-{self.generation}"}

    def _set(self, path: str, body: dict[str, Any]) -> None:
        """Only what the mask names changes; what the body leaves out is made empty."""
        top, *rest = (re.sub(r"_(.)", lambda m: m[1].upper(), part) for part in path.split("."))
        if not rest:
            setattr(self, top, body.get(top, []))
            return
        inside = getattr(self, top)
        inside.pop(rest[0], None)
        if body.get(top, {}).get(rest[0]):
            inside[rest[0]] = body[top][rest[0]]

    @property
    def etag(self) -> str:
        return f'"{self.generation}"'

    def _step(self) -> None:
        self.left = max(0, self.left - 1)
        if self.left == 0 and not self.broken:
            self.ready = self.revisions[-1]
        served = {self._names(t) for t in self._targets() if t.get("percent")}
        self.served += [name for name in served if name not in self.served]

    def _targets(self) -> list[dict[str, Any]]:
        return self.traffic or [{"type": LATEST, "percent": 100}]

    def _names(self, target: dict[str, Any]) -> str:
        return str(target.get("revision") or self.ready)

    def _service(self) -> dict[str, Any]:
        # What was seen before the change was taken up is what was true before it.
        taken_up, busy = self.left < self.steps or not self.steps, bool(self.left)
        if not taken_up:
            condition = self.before
        else:
            condition = {"state": "CONDITION_RECONCILING"} if busy else self._condition()
        return {
            "name": NAME,
            "generation": str(self.generation),
            "observedGeneration": str(self.generation - (not taken_up)),
            "reconciling": busy and taken_up,
            "etag": self.etag,
            "template": self.template,
            "traffic": self._targets(),
            "scaling": self.scaling,
            "trafficStatuses": self._targets(),
            "latestReadyRevision": f"{NAME}/revisions/{self.ready}",
            "latestCreatedRevision": f"{NAME}/revisions/{self.revisions[-1]}",
            "terminalCondition": {"type": "Ready", **condition},
        }

    def _condition(self) -> dict[str, Any]:
        if self.ready == self.revisions[-1]:
            return {"state": "CONDITION_SUCCEEDED"}
        return {"state": "CONDITION_FAILED", "message": "the container failed to start"}


@contextmanager
def cloud_run_serving(lab: CloudRunLab) -> Iterator[str]:
    """Yields the address of the API."""
    with serving(lab.api) as api:
        yield api.url


def pinned(revision: str, percent: int = 100, tag: str = "") -> dict[str, Any]:
    return {"type": REVISION, "revision": revision, "percent": percent, "tag": tag}


def _error(code: int) -> dict[str, Any]:
    return {"error": {"code": code, "message": f"the lab says {code}", "status": "LAB"}}
