"""What the Prefect UI shows: one report an incident, one table and one triage an integration, one
bar a backfill.

Artifacts are written when they say something new; the description carries what a card shows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect import task
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.context import current
from watchkeeper.evidence import ASKED, Evidence, Kind, Reading
from watchkeeper.incident import Incident
from watchkeeper.mitigation.plan import Plan
from watchkeeper.performing.reporting import report_of
from watchkeeper.performing.triage_told import told_of
from watchkeeper.performing.triaging import Triage
from watchkeeper.plan_text import plan_text
from watchkeeper.report import escape
from watchkeeper.told import Told
from watchkeeper.triage_markdown import triage_markdown
from watchkeeper.triage_text import headline, severity_word

_shown: dict[str, str] = {}


@contextmanager
def for_the_eye() -> Iterator[None]:
    """Showing never ends acting: what Prefect will not show now is shown at the next change."""
    try:
        yield
    except Exception as error:
        get_run_logger().warning("not shown: %s", type(error).__name__)


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
    watched = watch.of_record(incident.integration)
    word = watched.runbook.severity_level(incident.severity).word
    text = report_of(watch, watched, incident.id)
    key = artifact_key("incident", incident.id)
    if _news(key, text):
        cause = incident.cause or "cause not known"
        description = f"{word} · {incident.state} · {cause} ({incident.verdict})"
        with for_the_eye():
            await acreate_markdown_artifact(markdown=text, key=key, description=description)


@task(name="show endpoint health", cache_policy=NO_CACHE, persist_result=False)
async def show_endpoint_health(evidence: Evidence) -> None:
    """What each probe saw last."""
    rows = [
        {
            "probe": r.probe,
            "kind": r.kind.value,
            "outcome": r.outcome.value,
            "status": r.status or r.fault or "",
            "latency ms": round(r.latency_s * 1000) if r.kind in ASKED else "",
            "measured": _measured(r),
            "said": escape(r.detail),
        }
        for r in evidence.readings
    ]
    endpoints = evidence.of(Kind.ENDPOINT)
    well = sum(r.succeeded for r in endpoints)
    key = artifact_key("endpoint-health", evidence.integration)
    if _news(key, str([(r["probe"], r["outcome"], r["status"]) for r in rows])):
        description = f"{well} of {len(endpoints)} answer well"
        with for_the_eye():
            await acreate_table_artifact(table=rows, key=key, description=description)


def _measured(reading: Reading) -> str:
    """`93 of 100 requests`; empty where nothing was measured."""
    if reading.value is None:
        return ""
    bound = "" if reading.bound is None else f" of {reading.bound:g}"
    return escape(f"{reading.value:.4g}{bound} {reading.unit}".rstrip())


@task(name="show triage", cache_policy=NO_CACHE, persist_result=False)
async def show_triage(found: Triage) -> None:
    """The cause with its proof, and how long each endpoint took of late."""
    watch, name = current(), found.evidence.integration
    key = artifact_key("triage", name)
    with for_the_eye():
        told = told_of(watch, watch.integration(name), found)
        if _news(key, _gist(told)):
            description = " · ".join(filter(None, (headline(told), severity_word(told))))
            await acreate_markdown_artifact(
                markdown=triage_markdown(told), key=key, description=description
            )


def _gist(told: Told) -> str:
    """What makes a triage another one: latencies differ each time, and say nothing new."""
    answers = [(r.probe, r.outcome, r.status, r.fault) for r in told.evidence.readings]
    causes = [(c.cause, c.verdict, c.severity) for c in told.diagnosis.causes]
    incident = told.incident and (told.incident.id, told.incident.state)
    return str((told.diagnosis.verdict, causes, sorted(map(str, answers)), incident))


@task(name="show plan", cache_policy=NO_CACHE, persist_result=False)
async def show_plan(plan: Plan, dry_run: bool) -> None:
    """What would be done, before anything is."""
    description = f"{'dry run' if dry_run else 'to be applied'} · plan {', '.join(plan.ids)}"
    key = artifact_key("plan", plan.integration)
    with for_the_eye():
        await acreate_markdown_artifact(markdown=plan_text(plan), key=key, description=description)


async def begin_progress(name: str, says: str) -> UUID | None:
    """A bar at zero; None where Prefect would not make one."""
    with for_the_eye():
        key = artifact_key(name)
        made = await acreate_progress_artifact(progress=0.0, key=key, description=says)
        return made if isinstance(made, UUID) else None
    return None


async def show_progress(bar: UUID | None, done: int, of: int) -> None:
    with for_the_eye():
        if bar is not None:
            await aupdate_progress_artifact(bar, progress=100.0 * done / max(of, 1))
