"""A small cluster on loopback: what its API answers, and what its controllers do between two looks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.json_api import Call, JsonApi, Reply, serving

MADE = "2026-01-01T00:00:00Z"
PATH = re.compile(r"/apis/([a-z]+)/v[12]/namespaces/([^/]+)/([a-z]+)(?:/([^/]+))?(/scale)?")
CONTAINER = {"name": "main", "image": "registry.example.com/sync:1"}


@dataclass
class Deployment:
    """Each pod is the number of the template that it was made of. Every look at it lets the
    controllers take one step; new pods of a `broken` template never become available."""

    pods: list[int] = field(default_factory=lambda: [1, 1, 1])
    wanted: int = 3
    template: int = 1
    generation: int = 1
    observed: int = 1
    annotations: dict[str, str] = field(default_factory=dict)
    paused: bool = False
    broken: bool = False
    patience: int = 1000
    starts: int = 0
    conditions: list[dict[str, Any]] = field(default_factory=list)

    def change(self) -> None:
        self.generation += 1
        self.conditions = []

    def step(self) -> None:
        if self.observed < self.generation:
            self.observed = self.generation
            return
        old = [n for n, pod in enumerate(self.pods) if pod != self.template]
        if self.broken and old:
            self._try_in_vain()
        elif old:
            self.pods[old[0]] = self.template
            self.starts += 1
        elif len(self.pods) < self.wanted:
            self.pods.append(self.template)
            self.starts += 1
        elif len(self.pods) > self.wanted:
            self.pods.pop()

    def _try_in_vain(self) -> None:
        if self.template not in self.pods:
            self.pods.append(self.template)
        self.patience -= 1
        if self.patience <= 0:
            self.conditions = [_condition("Progressing", "False", "ProgressDeadlineExceeded")]

    def status(self) -> dict[str, Any]:
        new = self.pods.count(self.template)
        return {
            "observedGeneration": self.observed,
            "replicas": len(self.pods),
            "updatedReplicas": new,
            "availableReplicas": len(self.pods) - (new if self.broken else 0),
            "conditions": [_condition("Available", "True", "Enough"), *self.conditions],
        }


@dataclass
class Cluster:
    """`deployments`, `cron_jobs` (whole objects) and `jobs` by name, all in one namespace."""

    deployments: dict[str, Deployment] = field(default_factory=dict)
    cron_jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    autoscaled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.api = JsonApi(self.answer, _status)

    def add_cron_job(self, name: str, schedule: str, **more: Any) -> None:
        self.cron_jobs[name] = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": _metadata(name, generation=1),
            "spec": {
                "schedule": schedule,
                "suspend": False,
                "jobTemplate": {
                    "metadata": {"labels": {"app": name}, "annotations": {"team": "sync"}},
                    "spec": {"template": _template({}, restartPolicy="Never")},
                },
                **more,
            },
            "status": {},
        }

    def edit(self, name: str, **spec: Any) -> None:
        """A person does: a generation grows with its spec."""
        cron_job = self.cron_jobs[name]
        if cron_job["spec"] != {**cron_job["spec"], **spec}:
            cron_job["spec"].update(spec)
            cron_job["metadata"]["generation"] += 1

    def starts_job(self, cron_job: str, at: datetime) -> None:
        """As the cluster's own controller does, which counts the minutes."""
        owner = self.cron_jobs[cron_job]["metadata"]["uid"]
        spec = self.cron_jobs[cron_job]["spec"]["jobTemplate"]["spec"]
        name = f"{cron_job}-{int(at.timestamp() // 60)}"
        metadata = _metadata(name, ownerReferences=[_owner(cron_job, owner)])
        self.jobs.setdefault(name, {"metadata": metadata, "spec": spec})

    def answer(self, call: Call) -> Reply:
        found = PATH.fullmatch(call.path)
        if not found or found[2] != "default":
            return 404, _status(404)
        group, _, kind, name, scale = found.groups()
        if kind == "horizontalpodautoscalers":
            return 200, _autoscalers(self.autoscaled)
        if kind == "jobs":
            return self._job(call, name)
        if kind == "cronjobs" and name in self.cron_jobs:
            if call.method == "PATCH":
                self.edit(name, **call.body["spec"])
            return 200, self.cron_jobs[name]
        if group == "apps" and name in self.deployments:
            deployment = self.deployments[name]
            return (_scaled if scale else _rolled)(call, name, deployment)
        return 404, _status(404)

    def _job(self, call: Call, name: str | None) -> Reply:
        if call.method == "GET":
            there = self.jobs.get(name or "")
            return (200, there) if there else (404, _status(404))
        name = call.body["metadata"]["name"]
        if name in self.jobs:
            return 409, _status(409)
        self.jobs[name] = call.body
        return 201, call.body


@contextmanager
def cluster_serving(cluster: Cluster, folder: Path) -> Iterator[Path]:
    """Yields the path of a kubeconfig file for it."""
    with serving(cluster.api) as api:
        path = folder / "kubeconfig.yaml"
        path.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
            f"clusters: [{{name: lab, cluster: {{server: '{api.url}'}}}}]\n"
            "contexts: [{name: here, context: {cluster: lab, user: us}}]\n"
            "users: [{name: us, user: {token: test_cluster_token_0001}}]\n"
        )
        yield path


def _rolled(call: Call, name: str, deployment: Deployment) -> Reply:
    if call.method == "PATCH":
        given = call.body["spec"]["template"]["metadata"]["annotations"]
        if deployment.annotations != {**deployment.annotations, **given}:
            deployment.annotations.update(given)
            deployment.template += 1
            deployment.change()
    answer = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name, generation=deployment.generation),
        "spec": {
            "replicas": deployment.wanted,
            "paused": deployment.paused,
            "selector": {"matchLabels": {"app": name}},
            "template": _template(deployment.annotations),
        },
        "status": deployment.status(),
    }
    if call.method == "GET":
        deployment.step()
    return 200, answer


def _scaled(call: Call, name: str, deployment: Deployment) -> Reply:
    if call.method == "PATCH":
        deployment.wanted = call.body["spec"]["replicas"]
        deployment.change()
    # As on the wire, where none wanted is left out.
    spec = {"replicas": deployment.wanted} if deployment.wanted else {}
    status = {"replicas": len(deployment.pods), "selector": f"app={name}"}
    about = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": _metadata(name)}
    return 200, {**about, "spec": spec, "status": status}


def _autoscalers(names: tuple[str, ...]) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment"}
    items = [
        {
            "metadata": _metadata(f"{name}-hpa"),
            "spec": {
                "scaleTargetRef": {**target, "name": name},
                "minReplicas": 2,
                "maxReplicas": 9,
            },
        }
        for name in names
    ]
    kind = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscalerList"}
    return {**kind, "metadata": {"resourceVersion": "1"}, "items": items}


def _metadata(name: str, **more: Any) -> dict[str, Any]:
    about = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return {**about, "creationTimestamp": MADE, "resourceVersion": "1", **more}


def _template(annotations: dict[str, str], **spec: Any) -> dict[str, Any]:
    metadata = {"labels": {"app": "sync"}, "annotations": dict(annotations)}
    return {"metadata": metadata, "spec": {"containers": [CONTAINER], **spec}}


def _owner(name: str, uid: str) -> dict[str, Any]:
    return {"apiVersion": "batch/v1", "kind": "CronJob", "name": name, "uid": uid}


def _condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    said = {"message": f"{reason} in words", "lastTransitionTime": MADE, "lastUpdateTime": MADE}
    return {"type": kind, "status": status, "reason": reason, **said}


def _status(code: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "message": f"the lab says {code}",
        "code": code,
    }


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
