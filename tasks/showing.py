"""What the Prefect UI shows: one report an incident, one table an integration, one bar a backfill.

Artifacts are written when they say something new; the description carries what a card shows.
"""

from __future__ import annotations

import hashlib
import re
from uuid import UUID

from prefect import task
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.cache_policies import NO_CACHE

from tasks.context import current
from watchkeeper.evidence import Evidence
from watchkeeper.incident import Incident
from watchkeeper.mitigation import Plan
from watchkeeper.performing.reporting import report_of
from watchkeeper.plan_text import plan_text
from watchkeeper.report import escape

_shown: dict[str, str] = {}


def artifact_key(*parts: object) -> str:
    """Prefect takes lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(map(str, parts)).lower()).strip("-")


def _news(key: str, content: str) -> bool:
    digest = hashlib.sha256(content.encode()).hexdigest()
    if _shown.get(key) == digest:
        return False
    _shown[key] = digest
    return True


@task(name="show incident", cache_policy=NO_CACHE, persist_result=False)
async def show_incident(incident: Incident) -> None:
    """The incident's report as it stands now."""
    watch = current()
    watched = watch.integration(incident.integration)
    word = watched.runbook.severity_level(incident.severity).word
    text = report_of(watch, watched, incident.id)
    key = artifact_key("incident", incident.id)
    if _news(key, text):
        cause = incident.cause or "cause not known"
        await acreate_markdown_artifact(
            markdown=text,
            key=key,
            description=f"{word} · {incident.state} · {cause} ({incident.verdict})",
        )


@task(name="show endpoint health", cache_policy=NO_CACHE, persist_result=False)
async def show_endpoint_health(evidence: Evidence) -> None:
    """What each probe saw last."""
    rows = [
        {
            "probe": r.probe,
            "kind": r.kind.value,
            "outcome": r.outcome.value,
            "status": r.status or r.fault or "",
            "latency ms": round(r.latency_s * 1000),
            "said": escape(r.detail),
        }
        for r in evidence.readings
    ]
    failing = [r for r in evidence.readings if not r.succeeded]
    key = artifact_key("endpoint-health", evidence.integration)
    if _news(key, str([(r["probe"], r["outcome"], r["status"]) for r in rows])):
        await acreate_table_artifact(
            table=rows,
            key=key,
            description=f"{len(rows) - len(failing)} of {len(rows)} answer well",
        )


@task(name="show plan", cache_policy=NO_CACHE, persist_result=False)
async def show_plan(plan: Plan, dry_run: bool) -> None:
    """What would be done, before anything is."""
    await acreate_markdown_artifact(
        markdown=plan_text(plan),
        key=artifact_key("plan", plan.integration),
        description=f"{'dry run' if dry_run else 'to be applied'} · {plan.hash}",
    )


async def begin_progress(name: str, says: str) -> UUID:
    made = await acreate_progress_artifact(progress=0.0, key=artifact_key(name), description=says)
    assert isinstance(made, UUID)
    return made


async def show_progress(artifact: UUID, done: int, of: int) -> None:
    await aupdate_progress_artifact(artifact, progress=100.0 * done / max(of, 1))
