"""A Job for a time that a CronJob missed, made as the cluster and `kubectl create job` make theirs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

KEY = "watchkeeper/key"
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
BY_HAND = "cronjob.kubernetes.io/instantiate"


def name_of(cron_job: str, at: datetime) -> str:
    """The name that the cluster itself gives to the Job for a time."""
    return f"{cron_job}-{int(at.timestamp()) // 60}"


def job_of(cron_job: Any, at: datetime, key: str) -> Any:
    """The client's Job. The CronJob owns it: its limits on history apply, and it goes with it."""
    from kubernetes.client import V1Job, V1ObjectMeta, V1OwnerReference

    template, about = cron_job.spec.job_template, cron_job.metadata
    labels = (template.metadata and template.metadata.labels) or {}
    annotations = (template.metadata and template.metadata.annotations) or {}
    ours = {KEY: key, SCHEDULED: f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", BY_HAND: "manual"}
    owner = V1OwnerReference(
        api_version="batch/v1", kind="CronJob", name=about.name, uid=about.uid, controller=True
    )
    metadata = V1ObjectMeta(
        name=name_of(about.name, at),
        labels=dict(labels),
        annotations={**annotations, **ours},
        owner_references=[owner],
    )
    return V1Job(api_version="batch/v1", kind="Job", metadata=metadata, spec=template.spec)


def is_of(job: Any, cron_job: Any) -> bool:
    """Whether a Job was made for this CronJob, by whomever."""
    owners = job.metadata.owner_references or []
    return any(owner.uid == cron_job.metadata.uid for owner in owners)
