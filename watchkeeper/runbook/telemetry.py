"""Where a company's own service tells how it is: health, metrics, logs, runtime."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from watchkeeper.health_body import normal
from watchkeeper.runbook.base import FilePath, Frozen, Name, Url, Words, Zone

# Neither begins as an option of kubectl's does.
Selector = Annotated[str, Field(pattern=r"^[A-Za-z0-9!(][!-~ ]*$")]
ContainerName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]


class MetricsText(Frozen):
    """A `/metrics` page in Prometheus text format: two scrapes make a rate."""

    kind: Literal["text"] = "text"
    """`text`: a page of the service's own is scraped."""
    url: Url
    """Address of the page, such as `http://localhost:3000/metrics`."""


class PrometheusServer(Frozen):
    """A Prometheus server's query API."""

    kind: Literal["prometheus"] = "prometheus"
    """`prometheus`: a server that scrapes the service is asked."""
    url: Url
    """Address of the server, such as `http://localhost:9090`; its `/api/v1/query` is asked."""
    range: Annotated[str, Field(pattern=r"^[0-9]{1,5}[smh]$")] = "5m"
    """How far back growth is measured, in Prometheus' spelling, such as `5m`."""
    where: dict[str, str] = Field(default_factory=dict)
    """Labels that every query asks for besides, such as `{job: twinmind-service}`."""


class JournalLogs(Frozen):
    """A systemd unit's journal."""

    kind: Literal["journald"] = "journald"
    """`journald`: read with journalctl."""
    unit: str = Field(pattern=r"^[A-Za-z0-9@._:-]+$")
    """Name of the unit, such as `maintainx-sync.service`."""


class FileLogs(Frozen):
    """A log file; its last part is read."""

    kind: Literal["file"] = "file"
    """`file`: read from this machine's disk."""
    path: FilePath
    """Path of the file, such as `~/sync.log`; a relative one counts from integrations.yaml. One that
    was just rotated is read with the part that was put aside (`.1`, `-20260302`)."""
    timezone: Zone | None = None
    """Zone of its times where they name none, such as `UTC` or `Asia/Tokyo`. Where left out, and this
    machine is not on UTC, the zone is told from when the file was written, or stays unknown."""


class KubernetesLogs(Frozen):
    """Pods by label."""

    kind: Literal["kubernetes"] = "kubernetes"
    """`kubernetes`: read with `kubectl logs`."""
    selector: Selector
    """Labels of the pods, such as `app=twinmind-service`."""
    namespace: ContainerName = "default"
    """Namespace of the pods."""
    container: ContainerName | None = None
    """Container whose log is read; the one that kubectl chooses where left out."""
    tail: int = Field(default=1000, ge=1, le=100_000)
    """The most lines that are read of each pod, the last ones."""
    kubectl: Words = ("kubectl",)
    """How kubectl is called here, word by word, such as `[kubectl, --context, prod]`."""


class CommandLogs(Frozen):
    """A local command that prints lines; no shell reads it."""

    kind: Literal["command"] = "command"
    """`command`: what a command of yours prints."""
    command: Words
    """The command, word by word, such as `[docker, logs, --since=10m, sync]`. Of what it prints,
    lines that tell an older time are left out."""
    timezone: Zone | None = None
    """Zone of its times where they name none, such as `UTC` or `Asia/Tokyo`. Where left out, and this
    machine is not on UTC, only lines that are old in both are left out."""


class SystemdRuntime(Frozen):
    """The unit our service runs as."""

    kind: Literal["systemd"] = "systemd"
    """`systemd`: asked with systemctl."""
    unit: str = Field(pattern=r"^[A-Za-z0-9@._:-]+$")
    """Name of the unit, such as `maintainx-sync.service`."""


class KubernetesRuntime(Frozen):
    """The pods our service runs in."""

    kind: Literal["kubernetes"] = "kubernetes"
    """`kubernetes`: asked with kubectl."""
    selector: Selector
    """Labels of the pods, such as `app=twinmind-service`."""
    namespace: ContainerName = "default"
    """Namespace of the pods."""
    kubectl: Words = ("kubectl",)
    """How kubectl is called here, word by word, such as `[kubectl, --context, prod]`."""


class Disk(Frozen):
    """A path on this machine whose disk our service needs."""

    path: FilePath
    """Path on that disk, such as `/var/lib/sync`; a relative one counts from integrations.yaml."""
    bound: float = Field(default=0.95, gt=0, le=1)
    """Share of its space or inodes in use, 0 to 1, from which on it is full."""


HealthWord = Annotated[str, Field(min_length=1, max_length=60)]


class HealthWords(Frozen):
    """Words by which a health answer is read, beside the usual ones. Capitals, spaces, `_` and `-`
    make no difference. What is in none of the lists, nor usual, is not understood."""

    well: tuple[HealthWord, ...] = ()
    """Words for well, such as `[nominal, disabled]`, beside `ok`, `UP`, `healthy`, `pass`."""
    degraded: tuple[HealthWord, ...] = ()
    """Words for degraded, beside `warn`, `degraded`, `yellow`."""
    sick: tuple[HealthWord, ...] = ()
    """Words for sick, beside `down`, `fail`, `unhealthy`, `error`, `red`."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        named = Counter(
            normal(word) for words in (self.well, self.degraded, self.sick) for word in words
        )
        if twice := [word for word, count in named.items() if count > 1]:
            raise ValueError(f"{twice[0]!r} stands there twice; one meaning is wanted")
        return self


class Service(Frozen):
    """Our own integration service: how its faults are told from the vendor's."""

    health_url: Url
    """Where it tells its health, such as `http://localhost:3000/health`: JSON of a usual kind
    (Spring Boot, health+json, ASP.NET, Terminus, Consul, `{"status": "ok"}`), or a word as text."""
    health_words: HealthWords = HealthWords()
    """Words that it uses for its health, beside the usual ones and those of the runbook."""
    health_urls: dict[Name, Url] = Field(default_factory=dict)
    """Further addresses of that kind by name, such as one for a single vendor."""
    fingerprint_field: str = "keyFingerprint"
    """Member of its health answer with the fingerprint of the key it holds: hex digits, the first 8
    or more of the key's SHA-256."""
    metrics: MetricsText | PrometheusServer | None = Field(default=None, discriminator="kind")
    """Where its metrics are read; without it the runbook's metrics and volume are not."""
    logs: JournalLogs | FileLogs | KubernetesLogs | CommandLogs | None = Field(
        default=None, discriminator="kind"
    )
    """Where its log is read; without it the runbook's logs are not looked for."""
    runtime: SystemdRuntime | KubernetesRuntime | None = Field(default=None, discriminator="kind")
    """What it runs as, to tell whether it runs, restarts or lacks memory; else nobody asks."""
    disk: Disk | None = None
    """A disk that it needs; not looked at where left out."""
