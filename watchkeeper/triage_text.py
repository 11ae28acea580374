"""The words of a triage that every place shows alike: the answer, and what speaks for and against."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from watchkeeper.not_checked import not_checked
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.people import Link, Support
from watchkeeper.told import Told

FIRST_MINUTES = "first five minutes"
UNEXPLAINED = " (not all of it is explained)"
_TOOK = re.compile(r" in \d+\.\d\d s\b")


def headline(told: Told) -> str:
    """`likely: api_key_expired`."""
    cause = told.diagnosis.cause
    return f"{told.diagnosis.verdict}: {cause}" if cause else str(told.diagnosis.verdict)


def not_checked_line(told: Told) -> str:
    """`not checked: status page (timeout), users (no turn in our budget)`; empty where all was."""
    found = ", ".join(str(one) for one in not_checked(told.evidence))
    return f"not checked: {found}" if found else ""


def severity_word(told: Told, level: int | None = None) -> str:
    severity = told.diagnosis.severity if level is None else level
    return "" if severity is None else told.runbook.severity_level(severity).word


def severity_line(told: Told) -> str:
    """The word, what it means here, and why it is this one; empty where all is well."""
    severity = told.diagnosis.severity
    if severity is None:
        return ""
    level = told.runbook.severity_level(severity)
    why = next((c.severity_because for c in told.diagnosis.causes if c.severity == severity), None)
    limit = level.respond_within
    within = limit if isinstance(limit, str) else f"within {words(limit)}"
    reason = UNEXPLAINED if why is None else "" if why in told.diagnosis.because else f" ({why})"
    return f"{level.word}{reason}: {level.definition}; act {within}"


def since_line(told: Told) -> str:
    """Since when the open incident is, and what has become of it; empty without one."""
    found = told.incident
    if found is None:
        return ""
    taken = f", taken by {found.taken_by}" if found.taken_by else ""
    now = told.evidence.at
    ago = words(max(now - found.started_at, timedelta(0)))
    return f"{_when(found.started_at, now)}, {ago} ago: INC-{found.id}, {found.state}{taken}"


def links(told: Told) -> tuple[Link, ...]:
    """Those of the cause first, then the runbook's own; each once."""
    titles = {link.url: link.title for link in told.runbook.links}
    own = told.rule.links if told.rule else ()
    urls = dict.fromkeys((*own, *titles))
    return tuple(Link(title=titles.get(url, told.diagnosis.cause or ""), url=url) for url in urls)


def support(told: Told) -> tuple[Support, ...]:
    """The vendor's people, but for those whom a link reaches already."""
    linked = {link.url for link in links(told)}
    return tuple(way for way in told.runbook.support if way.contact not in linked)


def first_minutes(runbook: Runbook) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(`acknowledge`, its items) of the checklists for the first five minutes."""
    return tuple(
        (c.title[len(FIRST_MINUTES) :].lstrip(" :-") or FIRST_MINUTES, c.items)
        for c in runbook.checklists
        if c.title.lower().startswith(FIRST_MINUTES)
    )


def other_causes(told: Told) -> tuple[str, ...]:
    """`intermittent_errors (likely, SEV-2): ...`, the worst first, without the leading one."""
    return tuple(
        f"{c.cause} ({c.verdict}, {severity_word(told, c.severity)}): {c.because}"
        for c in told.diagnosis.causes[1:]
    )


def alike(said: Iterable[str]) -> tuple[str, ...]:
    """What differs only in how long it took is told once: `4 times: /x answered 401`."""
    lines: dict[str, list[str]] = {}
    for line in said:
        lines.setdefault(_TOOK.sub("", line), []).append(line)
    return tuple(
        those[0] if len(those) == 1 else f"{len(those)} times: {short}"
        for short, those in lines.items()
    )


def plain(text: str) -> str:
    """One line of printable characters, spaces for what is none: nothing in it commands a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _when(at: datetime, now: datetime) -> str:
    return f"{at:%H:%M:%S}Z" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S}Z"
