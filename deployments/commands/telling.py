"""Triage and status in the terminal, and triage as JSON."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from deployments.commands.edge import words
from deployments.commands.telling_triage import answer, matrix, pages, proof
from watchkeeper.evidence import Reading
from watchkeeper.next_steps import next_steps
from watchkeeper.not_checked import not_checked
from watchkeeper.told import Told
from watchkeeper.triage_text import links
from watchkeeper.watch_state import WatchState
from watchkeeper.watch_text import doubt_lines, unpaged_lines, watch_lines


def triage_json(told: Told) -> dict[str, Any]:
    """The answer of `triage --json`."""
    diagnosis, leading = told.diagnosis, told.diagnosis.leading
    return {
        "not_checked": [asdict(one) for one in not_checked(told.evidence)],
        "integration": told.name,
        "at": told.evidence.at.isoformat(),
        "verdict": diagnosis.verdict.value,
        "cause": diagnosis.cause,
        "severity": diagnosis.severity,
        "because": diagnosis.because,
        "evidence": list(leading.evidence) if leading else [],
        "counter_evidence": list(leading.counter_evidence) if leading else [],
        "ruled_out": [asdict(out) for out in diagnosis.ruled_out],
        "probes": [_probe(reading) for reading in told.evidence.readings],
        "mitigations": [m.name for m in told.runbook.mitigations_for(told.diagnosis.cause)],
        "causes": [asdict(cause) for cause in diagnosis.causes],
        "unexplained": list(diagnosis.unexplained),
        "next": list(next_steps(told)),
        "links": [link.model_dump() for link in links(told)],
    }


def _probe(reading: Reading) -> dict[str, Any]:
    """What was measured only where something was."""
    measured = {"value": reading.value, "bound": reading.bound}
    named = {"unit": reading.unit, "of": reading.of}
    return {
        "probe": reading.probe,
        "kind": reading.kind.value,
        "target": reading.target,
        "outcome": reading.outcome.value,
        "status": reading.status,
        "fault": reading.fault,
        "latency_s": round(reading.latency_s, 4),
        "detail": reading.detail,
        **{name: value for name, value in measured.items() if value is not None},
        **{name: value for name, value in named.items() if value},
    }


def tell_triage(told: Told, *, everything: bool = False, on: Console = words) -> None:
    """The answer, the matrix of endpoints, and the proof; a healthy one is short. `everything`:
    nothing is folded or left out."""
    for line in answer(told):
        on.print(line, soft_wrap=True)
    on.print()
    on.print(matrix(told), soft_wrap=False)
    on.print()
    on.print(proof(told, everything), soft_wrap=False)
    for line in pages(told, everything):
        on.print(line, soft_wrap=True)


_ESCAPED = re.compile(r"\\([\\`*_{}\[\]<>|#~])")


def tell_markdown(text: str) -> None:
    """Markdown as a terminal wants it: without its marks and escapes."""
    words.print(_ESCAPED.sub(r"\1", text.replace("**", "")), markup=False)


def tell_status(now: dict[str, Any], state: WatchState) -> None:
    """What is not known comes first, then the watch itself, then what is broken."""
    for page in now["untaken"]:
        words.print(
            f"[red bold]NOT PAGED[/]: INC-{page['incident']} {escape(page['who'])}, since "
            f"{page['since'][11:19]}Z: {escape(page['reason'])}"
        )
    if now["halted"]:
        words.print(f"[red bold]HALTED[/]: {escape(now['halted'])}")
    for line in doubt_lines(state):
        words.print(f"[red]{escape(line)}[/]")
    for line in unpaged_lines(state):
        words.print(f"[yellow]{escape(line)}[/]")
    for line in watch_lines(state):
        words.print(line, markup=False)
    for incident in now["incidents"]:
        words.print(
            f"[red]INC-{incident['id']}[/] {incident['integration']} · severity "
            f"{incident['severity']} · {incident['state']} · {incident['cause'] or 'no cause yet'} "
            f"({incident['verdict']}) · since {incident['opened_at'][11:19]}Z"
        )
        words.print(f"  {escape(incident['summary'])}")
        if incident["follows"]:
            words.print(f"  follows INC-{incident['follows']}, which had recovered: another matter")
        words.print(f"  responder: {incident['responder'] or 'none'}")
        for asked in incident["questions"]:
            words.print(f"  {escape(_asked(asked))}")
            for need in asked["needs"]:
                words.print(f"    first: {escape(need)}")
        for step in incident["steps"]:
            if step["state"] in ("failed", "skipped"):
                words.print(f"  {step['name']} {step['state']}: {escape(step['because'])}")
        for ask in incident["asks"]:
            when = f"by {ask['by'][11:19]}Z" if ask["by"] else "now"
            words.print(f"  [red]asked of a person[/]: {escape(ask['text'])}, {when}")
        words.print(f"  next: {escape(incident['next'])}")
    if state.nothing_broken:
        words.print("[green]nothing is broken[/]")
    for integration in now["integrations"]:
        if integration["quiet"]:
            quiet = f"{integration['name']}: nobody is paged: {integration['quiet']}"
            words.print(f"[yellow]quiet[/]: {escape(quiet)}")
        for job in integration["jobs"]:
            if job["desired"] == "paused":
                name = f"{integration['name']} {job['name']}"
                words.print(f"paused: {name} by {escape(job['by'])} ({escape(job['why'])})")
    for lease in now["leases"]:
        words.print(escape(_held(lease)))
    for audit in now["audits"]:
        words.print(f"not audited yet (INC-{audit['incident']}): {escape(audit['text'])}")
    for gap in now["gaps"]:
        since = gap["since"][11:19] if gap["since"] else "the beginning"
        until = gap["until"][11:19] if gap["until"] else "now"
        words.print(f"gap: {gap['integration']} {gap['resource']} {since}–{until} {gap['state']}")


def _asked(asked: dict[str, Any]) -> str:
    names = ", ".join(asked["actions"])
    if not asked["waits"]:
        said = f"proposes plan {asked['plan']}: {names}"
    else:
        said = (
            f"waits for a yes to plan {asked['plan']} until {asked['expires_at'][11:19]}Z: {names}"
        )
    wanted = asked["wanted"] - len(asked["yes"])
    return f"{said} ({wanted} people wanted)" if asked["wanted"] > 1 else said


def _held(lease: dict[str, Any]) -> str:
    """Each lease with its end: `held: setting model of x@y, ear-2 instead of ear-3, until ...`."""
    what = f"{lease['kind'].replace('_', ' ')} {lease['target']} of {lease['integration']}"
    is_, was = lease["is"], lease["was"]
    change = f", {is_}" + (f" instead of {was}" if was is not None else "") if is_ else ""
    return (
        f"held {lease['id']}: {what}{change}, by INC-{lease['incident']} "
        f"until {lease['expires_at'][11:19]}Z"
    )
