"""Where a company's own service tells how it is: health, metrics, logs, runtime."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from watchkeeper.runbook.base import Frozen, Name, Url

Words = Annotated[tuple[str, ...], Field(min_length=1)]


class MetricsText(Frozen):
    """A `/metrics` page in Prometheus text format: two scrapes make a rate."""

    kind: Literal["text"] = "text"
    url: Url


class PrometheusServer(Frozen):
    """A Prometheus server's query API; rates are asked over `range`, such as `5m`."""

    kind: Literal["prometheus"] = "prometheus"
    url: Url
    range: Annotated[str, Field(pattern=r"^[0-9]{1,5}[smh]$")] = "5m"
    # Label matchers that every query gets, such as {job: twinmind-service}.
    where: dict[str, str] = Field(default_factory=dict)


class JournalLogs(Frozen):
    """A systemd unit's journal."""

    kind: Literal["journald"] = "journald"
    unit: str = Field(pattern=r"^[A-Za-z0-9@._:-]+$")


class FileLogs(Frozen):
    """A log file; its last part is read. A relative path counts from integrations.yaml."""

    kind: Literal["file"] = "file"
    path: str


class KubernetesLogs(Frozen):
    """Pods by label. `kubectl` is how it is called here, such as [kubectl, --context, prod]."""

    kind: Literal["kubernetes"] = "kubernetes"
    selector: str
    namespace: str = "default"
    container: str | None = None
    tail: int = Field(default=1000, ge=1, le=100_000)
    kubectl: Words = ("kubectl",)


class CommandLogs(Frozen):
    """A local command that prints lines; no shell reads it."""

    kind: Literal["command"] = "command"
    command: Words


class SystemdRuntime(Frozen):
    """The unit our service runs as."""

    kind: Literal["systemd"] = "systemd"
    unit: str = Field(pattern=r"^[A-Za-z0-9@._:-]+$")


class KubernetesRuntime(Frozen):
    """The pods our service runs in."""

    kind: Literal["kubernetes"] = "kubernetes"
    selector: str
    namespace: str = "default"
    kubectl: Words = ("kubectl",)


class Disk(Frozen):
    """A path on this machine whose disk our service needs; `bound` is the share used, 0 to 1."""

    path: str
    bound: float = Field(default=0.95, gt=0, le=1)


class Service(Frozen):
    """Our own integration service: how its faults are told from the vendor's.

    `health_urls` are further ones by name, such as one for a single vendor.
    """

    health_url: Url
    health_urls: dict[Name, Url] = Field(default_factory=dict)
    fingerprint_field: str = "keyFingerprint"
    metrics: MetricsText | PrometheusServer | None = Field(default=None, discriminator="kind")
    logs: JournalLogs | FileLogs | KubernetesLogs | CommandLogs | None = Field(
        default=None, discriminator="kind"
    )
    runtime: SystemdRuntime | KubernetesRuntime | None = Field(default=None, discriminator="kind")
    disk: Disk | None = None
