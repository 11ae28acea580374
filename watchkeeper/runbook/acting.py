"""What of ours an incident may act on: where a service runs, what runs its jobs, its settings."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from watchkeeper.runbook.base import FilePath, Frozen, Name, SecretReference, Span, Url, Words
from watchkeeper.runbook.mitigations import Criticality

K8S_NAME = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
KubernetesName = Annotated[str, Field(pattern=K8S_NAME, max_length=253)]


class CommandRuntime(Frozen):
    """A restart by a local command; it must return 0 once the consumer runs again."""

    kind: Literal["command"] = "command"
    """`command`: a command of yours restarts it."""
    restart: Words
    """The command, word by word, such as `[systemctl, restart, my-sync]`; no shell reads it."""
    replicas: Words | None = None
    """A command that prints how many replicas are wanted now; it cannot be scaled without."""
    scale: Words | None = None
    """A command that sets them, with `{replicas}` for the number; it cannot be scaled without."""
    timeout: Span = timedelta(seconds=60)
    """How long each may take, such as `5 min`; it is killed then, and may have done it or not."""


class Cluster(Frozen):
    """Which Kubernetes cluster is meant: the current one of its usual configuration by default."""

    namespace: KubernetesName = "default"
    """Namespace that it lives in."""
    context: str | None = None
    """Context of the kubeconfig file; its current one where left out."""
    kubeconfig: FilePath | None = None
    """Path of a kubeconfig file; the usual one, or the pod's own account, where left out. A relative
    path counts from integrations.yaml."""


class KubernetesWorkload(Cluster):
    """A Kubernetes Deployment: restarted as `kubectl rollout restart` does, and waited for."""

    kind: Literal["kubernetes"] = "kubernetes"
    """`kubernetes`: by the cluster's API; needs the extra `kubernetes`."""
    deployment: KubernetesName
    """Name of the Deployment."""
    timeout: Span = timedelta(minutes=5)
    """How long a rollout may take until all its replicas are new and available."""


class CloudRunService(Frozen):
    """A Cloud Run service: restarted by a new revision, which must receive the traffic."""

    kind: Literal["cloud_run"] = "cloud_run"
    """`cloud_run`: by Google's API; needs the extra `gcp`."""
    project: str = Field(pattern=r"^[a-z][a-z0-9-]+$")
    """Project that it runs in."""
    region: str = Field(pattern=r"^[a-z0-9-]+$")
    """Region, such as `us-central1`."""
    service: str = Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$")
    """Name of the service."""
    api: Url | None = None
    """Another address of the API; only for a stand-in."""
    timeout: Span = timedelta(minutes=5)
    """How long a new revision may take until it is ready and receives the traffic."""


def _kind(given: Any) -> str:
    """A restart command is a command, said or not."""
    if isinstance(given, dict):
        return str(given.get("kind", "command" if "restart" in given else ""))
    return str(getattr(given, "kind", ""))


RuntimeSpec = Annotated[
    Annotated[CommandRuntime, Tag("command")]
    | Annotated[KubernetesWorkload, Tag("kubernetes")]
    | Annotated[CloudRunService, Tag("cloud_run")],
    Discriminator(_kind),
]


class CronJob(Cluster):
    """A Kubernetes CronJob: paused by suspending it."""

    kind: Literal["kubernetes"] = "kubernetes"
    """`kubernetes`: by the cluster's API; needs the extra `kubernetes`."""
    cron_job: KubernetesName
    """Name of the CronJob."""


class PrefectDeployment(Frozen):
    """A deployment of yours on a Prefect server: paused as its switch in the UI does."""

    kind: Literal["prefect"] = "prefect"
    """`prefect`: on the server that Watchkeeper uses, or another."""
    deployment: str = Field(pattern=r"^[^/]+/[^/]+$")
    """Its flow and its name, such as `export/nightly`."""
    api: Url | None = None
    """API of another Prefect server, such as `https://prefect.example.com/api`."""
    auth: SecretReference | None = None
    """Where that server's auth string is kept, by reference; none where left out."""


class ScheduledJob(Frozen):
    """A job of yours that something else runs by a clock."""

    name: Name
    """What plans and timelines call it; no job of the runbook may have the same name."""
    criticality: Criticality
    """How much it matters: jobs are paused by it."""
    scheduler: CronJob | PrefectDeployment = Field(discriminator="kind")
    """What runs it."""


class HttpSettings(Frozen):
    """Settings that a service takes over HTTP: GET shows a JSON object of them, and PATCH with some
    of them changes those; null takes one back to what it is by default."""

    kind: Literal["http"] = "http"
    """`http`: the service has an address for them."""
    url: Url
    """That address."""
    token: SecretReference | None = None
    """A bearer token for it, by reference."""
    names: dict[Name, str] = Field(default_factory=dict)
    """How your service calls a setting, where it has another name for it, such as
    `{max_requests_per_s: MAINTAINX_MAX_REQUESTS_PER_SEC}`."""


class FileSettings(Frozen):
    """Settings in a JSON file that the service watches, or reads when a command tells it to."""

    kind: Literal["file"] = "file"
    """`file`: a JSON object in a file."""
    path: FilePath
    """Path of the file; a relative one counts from integrations.yaml."""
    reload: Words | None = None
    """A command, run after each change, word by word, such as `[systemctl, reload, my-service]`."""
    names: dict[Name, str] = Field(default_factory=dict)
    """How your service calls a setting, where it has another name for it."""


SettingsSpec = HttpSettings | FileSettings
