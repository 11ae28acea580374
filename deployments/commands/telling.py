"""Triage and status in the terminal, and triage as JSON."""

from __future__ import annotations

import re
from typing import Any

from rich.markup import escape
from rich.table import Table

from deployments.commands.edge import words
from watchkeeper.evidence import Outcome
from watchkeeper.performing.triaging import Triage
from watchkeeper.runbook.integration import Watched

_COLOUR = {
    Outcome.OK: "green",
    Outcome.DEGRADED: "yellow",
    Outcome.DOWN: "red",
    Outcome.UNKNOWN: "dim",
}


def triage_json(watched: Watched, found: Triage) -> dict[str, Any]:
    """The answer of `triage --json`."""
    leading = found.diagnosis.leading
    rule = watched.runbook.cause(leading.cause) if leading else None
    return {
        "integration": watched.name,
        "at": found.evidence.at.isoformat(),
        "verdict": found.diagnosis.verdict.value,
        "cause": found.diagnosis.cause,
        "severity": found.diagnosis.severity,
        "because": found.diagnosis.because,
        "evidence": list(leading.evidence) if leading else [],
        "counter_evidence": list(leading.counter_evidence) if leading else [],
        "ruled_out": [{"cause": r.cause, "because": r.because} for r in found.diagnosis.ruled_out],
        "probes": [
            {
                "probe": r.probe,
                "kind": r.kind.value,
                "target": r.target,
                "outcome": r.outcome.value,
                "status": r.status,
                "fault": r.fault,
                "latency_s": round(r.latency_s, 4),
                "detail": r.detail,
            }
            for r in found.evidence.readings
        ],
        "mitigations": list(rule.mitigations) if rule else [],
    }


def tell_triage(watched: Watched, found: Triage) -> None:
    table = Table("probe", "kind", "outcome", "answer", "ms", "", title=f"triage {watched.name}")
    for r in found.evidence.readings:
        colour = _COLOUR[r.outcome]
        answer = str(r.status) if r.answered else str(r.fault)
        table.add_row(
            r.probe,
            r.kind.value,
            f"[{colour}]{r.outcome.value}[/]",
            answer,
            f"{r.latency_s * 1000:.0f}",
            escape(r.detail),
        )
    words.print(table)
    diagnosis, leading = found.diagnosis, found.diagnosis.leading
    words.print(f"[bold]{diagnosis.verdict.value}[/]: {escape(diagnosis.because)}")
    if leading is None:
        return
    level = watched.runbook.severity_level(leading.severity)
    rule = watched.runbook.cause(leading.cause)
    words.print(f"cause {leading.cause}, {level.word}: {escape(level.definition)}")
    for said in leading.counter_evidence:
        words.print(f"  against it: {escape(said)}")
    for out in diagnosis.ruled_out:
        words.print(f"  [dim]ruled out {out.cause}: {escape(out.because)}[/]")
    if rule is not None:
        words.print(f"check: {escape(rule.check)}")
        words.print(f"runbook: {', '.join(rule.mitigations) or 'no mitigation: people'}")
        for link in rule.links:
            words.print(f"  {link}")
    words.print(f"next: watchkeeper mitigate {watched.name}")


_ESCAPED = re.compile(r"\\([\\`*_{}\[\]<>|#~])")


def tell_markdown(text: str) -> None:
    """Markdown as a terminal wants it: without its marks and escapes."""
    words.print(_ESCAPED.sub(r"\1", text.replace("**", "")), markup=False)


def tell_status(now: dict[str, Any]) -> None:
    if now["halted"]:
        words.print(f"[red bold]HALTED[/]: {escape(now['halted'])}")
    for incident in now["incidents"]:
        words.print(
            f"[red]INC-{incident['id']}[/] {incident['integration']} · severity "
            f"{incident['severity']} · {incident['state']} · {incident['cause'] or 'no cause yet'} "
            f"({incident['verdict']}) · since {incident['opened_at'][11:19]}Z"
        )
        words.print(f"  {escape(incident['summary'])}")
        words.print(f"  responder: {incident['responder'] or 'none'}")
        for need in (incident["question"] or {}).get("needs", []):
            words.print(f"  needs {escape(need)}")
        words.print(f"  next: {escape(incident['next'])}")
    if not now["incidents"]:
        words.print("[green]nothing is broken[/]")
    for integration in now["integrations"]:
        for job in integration["jobs"]:
            if job["desired"] == "paused":
                name = f"{integration['name']} {job['name']}"
                words.print(f"paused: {name} by {escape(job['by'])} ({escape(job['why'])})")
    for lease in now["leases"]:
        words.print(
            f"held: {lease['kind']} on {lease['target']} by INC-{lease['incident']} "
            f"until {lease['expires_at'][11:19]}Z"
        )
    for gap in now["gaps"]:
        since = gap["since"][11:19] if gap["since"] else "the beginning"
        until = gap["until"][11:19] if gap["until"] else "now"
        words.print(f"gap: {gap['integration']} {gap['resource']} {since}–{until} {gap['state']}")
