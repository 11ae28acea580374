"""The incident report, rendered from the record alone.

The shape is the source runbook's own template. What needs a person's judgement is left open with
an owner and a due date, beside the facts it should be judged on; it is never made up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.diagnosis import RuledOut
from watchkeeper.exposure import Exposure
from watchkeeper.gaps import Gap
from watchkeeper.incident import Incident, Milestone, TimelineEntry
from watchkeeper.mitigation.lease import Lease
from watchkeeper.ruled_out_text import ruled_out_lines
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.model import Runbook

MAX_TEXT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseEntry:
    """One dated verdict of the incident."""

    at: datetime
    cause: str | None
    verdict: str
    severity: int
    said_by: str
    because: str
    evidence: tuple[str, ...]
    counter_evidence: tuple[str, ...]
    ruled_out: tuple[RuledOut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectEntry:
    """One line of the ledger, in words."""

    says: str
    state: str
    outcome: str
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEntry:
    """One person or team who was to be called. `taken_at`: when a channel first took the page;
    `reason`: why none did."""

    who: str
    wanted_at: datetime | None
    taken_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All that is known of one incident. `not_by_time`: resources that the vendor cannot be asked for by
    time of change, so that all of their records are counted, whenever they changed."""

    incident: Incident
    causes: tuple[CauseEntry, ...]
    timeline: tuple[TimelineEntry, ...]
    effects: tuple[EffectEntry, ...]
    leases: tuple[Lease, ...]
    gaps: tuple[Gap, ...]
    exposures: tuple[Exposure, ...] = ()
    calls: tuple[CallEntry, ...] = ()
    followed_by: tuple[int, ...] = ()
    not_by_time: frozenset[str] = frozenset()


def render(record: Record, runbook: Runbook, now: datetime) -> str:
    """Markdown. The same record renders to the same bytes, `now` apart while it is still open."""
    incident = record.incident
    level = runbook.severity_level(incident.severity)
    end = incident.recovered_at or incident.closed_at or now
    parts = [
        f"# Incident report: {escape(incident.title)}",
        f"**Status**: {incident.state} | **Verdict**: {incident.verdict} "
        f"| **Cause**: {escape(incident.cause or 'not known')}",
        f"**Date**: {incident.started_at:%Y-%m-%d}  \n"
        f"**Severity**: {level.word} ({escape(level.definition)})  \n"
        f"**Duration**: {words(max(end - incident.started_at, timedelta(0)))}"
        f"{'' if incident.recovered_at else ' so far'}  \n"
        f"**Impact**: {_impact(record)}{_links(record)}{_late_calls(record.calls)}",
        "## Timeline",
        _timeline(record.timeline),
        "## Root cause",
        _root_cause(record, runbook),
        "## Resolution",
        _resolution(record),
        *_leaks(record, now),
        "## Data",
        _data(record),
        "## Action items",
        _action_items(record, runbook, end),
    ]
    return "\n\n".join(parts) + "\n"


def _links(record: Record) -> str:
    """Incidents of other causes that came right before or after it."""
    said = [f"follows INC-{record.incident.follows}"] if record.incident.follows else []
    said += [f"followed by INC-{number}" for number in record.followed_by]
    return f"  \n**Linked incidents**: {', '.join(said)}" if said else ""


# A page that was taken later than this after it was wanted is told at the head of the report.
CALLED_LATE = timedelta(minutes=1)


def _late_calls(calls: tuple[CallEntry, ...]) -> str:
    """Whom no channel reached, or not in time."""
    said = []
    for call in calls:
        if call.wanted_at is None:
            continue
        since = f"{escape(call.who)} from {call.wanted_at:%H:%M:%S}Z"
        if call.taken_at is None:
            said.append(f"{since}, and never: {escape(call.reason)}")
        elif call.taken_at - call.wanted_at > CALLED_LATE:
            said.append(f"{since} to {call.taken_at:%H:%M:%S}Z")
    return f"  \n**Could not be paged**: {'; '.join(said)}" if said else ""


_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#~])")
# Controls, bidi marks, invisible characters and tags; halves of pairs, which no file can hold.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+"
)


def escape(text: str) -> str:
    """Foreign text as plain Markdown: no markup, no control or bidi characters, capped."""
    flat = _CONTROL.sub(" ", text)
    cut = flat if len(flat) <= MAX_TEXT else flat[: MAX_TEXT - 1] + "…"
    return _MARKUP.sub(r"\\\1", cut)


def _impact(record: Record) -> str:
    touched = [g for g in record.gaps if g.expected]
    if not record.gaps:
        return "no resource was behind"
    if not touched:
        names = ", ".join(sorted(g.resource for g in record.gaps))
        return f"sync of {escape(names)} halted; what it missed is not counted yet"
    touched.sort(key=lambda g: g.resource)
    in_time = [f"{g.expected} {g.resource}" for g in touched if _all_of(g, record) is None]
    said = [f"{', '.join(in_time)} in the time concerned"] if in_time else []
    said += [
        f"all {g.expected} {g.resource} ({why})" for g in touched if (why := _all_of(g, record))
    ]
    return f"sync halted; the vendor holds {'; '.join(map(escape, said))}"


def _all_of(gap: Gap, record: Record) -> str | None:
    """Why what was counted is not of the gap's time alone; None where it is."""
    if gap.resource in record.not_by_time:
        return "cannot be asked by time"
    return "no walk was complete before" if gap.since is None else None


def _timeline(entries: tuple[TimelineEntry, ...]) -> str:
    lines = []
    for entry in sorted(entries, key=lambda e: (e.occurred_at, e.recorded_at)):
        name = f"**{_MILESTONE_WORDS[entry.milestone]}** — " if entry.milestone else ""
        lines.append(
            f"- {entry.occurred_at:%H:%M:%S} - {name}{escape(entry.text)} ({escape(entry.actor)})"
        )
    return "\n".join(lines) or "- nothing was recorded"


_MILESTONE_WORDS = {
    Milestone.STARTED: "Harm started",
    Milestone.DETECTED: "Alert triggered",
    Milestone.PAGED: "On-call paged",
    Milestone.DIAGNOSED: "Root cause identified",
    Milestone.MITIGATED: "Mitigation applied",
    Milestone.VERIFIED: "Recovery verified",
    Milestone.RESOLVED: "Full recovery confirmed",
    Milestone.CLOSED: "Closed: data whole",
}


def _root_cause(record: Record, runbook: Runbook) -> str:
    if not record.causes:
        return "No cause was found; nothing was changed on suspicion."
    last = record.causes[-1]
    rule = runbook.cause(last.cause) if last.cause else None
    lines = [f"{escape(last.because)} (**{last.verdict}**, said by {escape(last.said_by)})"]
    if rule:
        lines.append(f"Runbook: {escape(rule.likely_cause)}. Check: {escape(rule.check)}")
    lines += _bullets("For it", last.evidence)
    lines += _bullets("Against it", last.counter_evidence)
    lines += _bullets("Ruled out", ruled_out_lines(last.ruled_out))
    earlier = [f"{c.at:%H:%M:%S} {c.cause or 'unknown'} ({c.verdict})" for c in record.causes[:-1]]
    lines += _bullets("Earlier verdicts", tuple(earlier))
    return "\n".join(lines)


def _bullets(title: str, items: tuple[str, ...]) -> list[str]:
    return [f"\n{title}:\n", *(f"- {escape(item)}" for item in items)] if items else []


def _resolution(record: Record) -> str:
    done = [
        f"- {escape(e.says)}: {e.state}{f' ({escape(e.outcome)})' if e.outcome else ''}"
        for e in record.effects
    ]
    left = [
        f"- still in force: {lease.kind} on {escape(lease.target)}"
        for lease in record.leases
        if lease.ended_at is None
    ]
    return "\n".join([*done, *left]) or "Nothing was changed."


def _leaks(record: Record, now: datetime) -> list[str]:
    """Of each key that others may have had: its window, and what is known of its use."""
    if not record.exposures:
        return []
    told = [
        f"- {escape(exposure.says(record.incident.closed_at or now))}"
        for exposure in record.exposures
    ]
    return ["## Leaked keys", "\n".join(told)]


def _data(record: Record) -> str:
    if not record.gaps:
        return "No gap was opened."
    head = "| resource | from | to | state | expected | present | missing | stale |"
    rows = [
        f"| {escape(g.resource)} | {_at(g.since, 'the beginning')} | {_at(g.until, _no_end(g))} "
        f"| {g.state} | {_counted(g, record)} | {_n(g.present)} | {_n(g.missing)} | {_n(g.stale)} |"
        for g in sorted(record.gaps, key=lambda g: g.resource)
    ]
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *rows])


def _at(time: datetime | None, without: str) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z" if time else without


def _no_end(gap: Gap) -> str:
    return "no end" if gap.state.over else "still open"


def _counted(gap: Gap, record: Record) -> str:
    whole = gap.expected is not None and gap.resource in record.not_by_time
    return f"{_n(gap.expected)} (all: not by time)" if whole else _n(gap.expected)


def _n(count: int | None) -> str:
    return "not counted" if count is None else str(count)


def _action_items(record: Record, runbook: Runbook, end: datetime) -> str:
    """The template's three, each with the facts to judge it on. A person fills and owns them."""
    due = f"{end + timedelta(days=7):%Y-%m-%d}"
    facts = (
        ("Implement (what would have prevented it?)", _prevention_fact(record)),
        ("Add monitoring (what did we see too late?)", _detection_fact(record)),
        ("Update runbook (what did it not say?)", _runbook_fact(record, runbook)),
    )
    items = [
        f"- [ ] {what} — fact: {escape(fact)}; owner: not yet named; due: {due}"
        for what, fact in facts
    ]
    return "\n".join([*(_audit(exposure, due) for exposure in record.exposures), *items])


def _audit(exposure: Exposure, due: str) -> str:
    """Done once a person has written down what the use of the key was."""
    what = f"Audit the use of key {exposure.fingerprint}"
    if exposure.audited:
        return f"- [x] {what} — by {escape(exposure.audited_by or '')}: {escape(exposure.finding)}"
    fact = "no API of the vendor tells who used it: its dashboard or its support may"
    return f"- [ ] {what} — fact: {fact}; owner: not yet named; due: {due}"


def _prevention_fact(record: Record) -> str:
    return f"cause {record.incident.cause or 'not known'} ({record.incident.verdict})"


def _detection_fact(record: Record) -> str:
    times = {e.milestone: e.occurred_at for e in record.timeline if e.milestone}
    if Milestone.STARTED in times and Milestone.DETECTED in times:
        late = times[Milestone.DETECTED] - times[Milestone.STARTED]
        return f"harm began at most {words(late)} before it was detected"
    return "when the harm began is not known"


def _runbook_fact(record: Record, runbook: Runbook) -> str:
    by_hand = [e for e in record.timeline if e.actor not in ("watchkeeper", "health")]
    return f"steps taken by people: {len(by_hand)}; runbook of {runbook.display_name}"
