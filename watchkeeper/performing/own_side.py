"""What our own service's machine tells: its logs, its runtime and disk."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper import own_clock
from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.harmless import LONGEST, harmless
from watchkeeper.local_command import Unreadable
from watchkeeper.logs import Lines, LogSource, Silent
from watchkeeper.logs.counting import LogCount, count
from watchkeeper.logs.opening import open_log
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.signals import Log
from watchkeeper.runbook.telemetry import KubernetesRuntime
from watchkeeper.runtimes.opening import open_disk, open_runtime
from watchkeeper.runtimes.state import RuntimeState, State

MOST_KINDS_TOLD = 3


async def log_readings(watch: Watch, watched: Watched) -> tuple[Reading, ...]:
    """One for each log of the runbook; none where integrations.yaml names no logs. Rules that look
    equally far back are judged on the same lines."""
    service, rules = watched.integration.service, watched.runbook.logs
    if service is None or service.logs is None:
        return ()
    source = open_log(service.logs, watch.secrets_base)
    spans = dict.fromkeys(rule.within for rule in rules)
    alike = (tuple(rule for rule in rules if rule.within == span) for span in spans)
    groups = await asyncio.gather(*(_logs(watch, source, rules) for rules in alike))
    return tuple(reading for group in groups for reading in group)


async def runtime_readings(watch: Watch, watched: Watched) -> tuple[Reading, ...]:
    """`pods` or `unit`, and `disk`: those that integrations.yaml names."""
    service = watched.integration.service
    asked: list[tuple[str, RuntimeState]] = []
    if service is not None and service.runtime is not None:
        probe = "pods" if isinstance(service.runtime, KubernetesRuntime) else "unit"
        asked.append((probe, open_runtime(service.runtime, watch.now)))
    if service is not None and service.disk is not None:
        asked.append(("disk", open_disk(service.disk, watch.secrets_base)))
    return tuple(await asyncio.gather(*(_runtime(watch, *one) for one in asked)))


async def _logs(watch: Watch, source: LogSource, rules: Sequence[Log]) -> tuple[Reading, ...]:
    at, began = watch.now(), own_clock.seconds()
    lines: Lines | Unreadable
    try:
        lines = await source.lines(at, rules[0].within)
    except Unreadable as error:
        lines = error
    # In a thread: a runbook's pattern over a mebibyte of lines takes its time.
    return tuple(
        [
            await asyncio.to_thread(log_reading, r, lines, at, own_clock.seconds() - began)
            for r in rules
        ]
    )


def log_reading(rule: Log, lines: Lines | Unreadable, at: datetime, latency_s: float) -> Reading:
    """What a log says, or why it cannot be told. Nothing found is well only where all lines of that
    time were looked at, and there were some."""
    judged = _judged(rule, lines)
    return Reading(
        probe=rule.name,
        kind=Kind.LOG,
        target=f"log {rule.name}",
        at=at,
        outcome=judged.outcome,
        latency_s=latency_s,
        fault=judged.fault,
        detail=judged.detail,
        value=judged.found,
        bound=rule.bound,
        unit="lines",
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    outcome: Outcome
    detail: str
    found: int | None = None
    fault: str | None = None


def _judged(rule: Log, lines: Lines | Unreadable) -> _Judged:
    if isinstance(lines, Unreadable):
        fault = "silent" if isinstance(lines, Silent) else "unreadable"
        return _Judged(Outcome.UNKNOWN, str(lines)[:LONGEST], fault=fault)
    try:
        counted, maybe = count(lines.lines, rule), count(lines.undated, rule)
    except re.error as error:
        why = f"a pattern of it is no regular expression: {error}"[:LONGEST]
        return _Judged(Outcome.UNKNOWN, why, fault="pattern")
    detail = told(counted, lines, rule.within)
    if counted.found >= rule.bound:
        return _Judged(Outcome.DOWN, detail, counted.found)
    if (doubt := _doubt(rule, lines, counted, maybe)) is None:
        return _Judged(Outcome.OK, detail, counted.found)
    fault, why = doubt
    return _Judged(Outcome.UNKNOWN, f"{detail}; {why}"[:LONGEST], counted.found, fault)


def _doubt(rule: Log, lines: Lines, counted: LogCount, maybe: LogCount) -> tuple[str, str] | None:
    """Why too few lines found need not mean that there were too few: a fault, and words for it."""
    if counted.found + maybe.found >= rule.bound:
        return "undated", f"{maybe.found} more of unknown age: {lines.why}"
    if not lines.lines and not lines.undated:
        return "silent", "it has no line of that time"
    if not lines.lines:
        return "undated", f"{len(lines.undated)} lines are of unknown age: {lines.why}"
    if lines.cut:
        return "cut", "there were more lines in that time than are read"
    if counted.halved:
        return "cut", f"{counted.halved} lines are longer than is read"
    return None


def told(counted: LogCount, lines: Lines, within: timedelta) -> str:
    """`14 in 10 min: 9x RATE_LIMITED, 5x timeout; most by report-generator (8)`."""
    least = "at least " if lines.cut else ""
    head = f"{least}{counted.found} in {words(within)}"
    if not counted.found:
        return f"{head}, of {len(lines.lines)} lines"
    kinds = ", ".join(f"{times}x {kind}" for kind, times in counted.kinds[:MOST_KINDS_TOLD])
    tail = "".join(f"; most by {who} ({times})" for who, times in counted.consumers[:1])
    return harmless(f"{head}: {kinds}" if kinds else head, LONGEST - len(tail)) + tail


async def _runtime(watch: Watch, probe: str, runtime: RuntimeState) -> Reading:
    at, began = watch.now(), own_clock.seconds()
    try:
        state = await runtime.state()
    except Unreadable as error:
        state = State(Outcome.UNKNOWN, detail=str(error))
    return Reading(
        probe=probe,
        kind=Kind.RUNTIME,
        target=f"our service's {probe}",
        at=at,
        outcome=state.outcome,
        latency_s=own_clock.seconds() - began,
        fault=state.fault,
        detail=state.detail[:LONGEST],
        value=state.value,
        bound=state.bound,
        unit=state.unit,
    )
