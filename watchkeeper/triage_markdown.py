"""A triage as Markdown: the answer, the matrix of endpoints with a picture of each, the proof.

What a vendor or a service of ours said stands in code, where it can be neither markup nor a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from watchkeeper.contrast_text import answer, contrast_sentences
from watchkeeper.evidence import Kind, Reading
from watchkeeper.impact import impact
from watchkeeper.latency_picture import picture
from watchkeeper.next_steps import checks, mitigations, more_commands, next_command
from watchkeeper.reading_text import around
from watchkeeper.report import escape
from watchkeeper.ruled_out_text import ruled_out_lines
from watchkeeper.told import Told
from watchkeeper.triage_text import (
    alike,
    first_minutes,
    headline,
    links,
    not_checked_line,
    other_causes,
    plain,
    severity_line,
    since_line,
    support,
)

MOST_LINES, LONGEST, WIDTH, INDENT = 20, 600, 100, 13


def triage_markdown(told: Told) -> str:
    """Text of its own for each part that there is something to say of."""
    parts = [*_answer(told), _matrix(told), *_proof(told)]
    if not told.diagnosis.healthy:
        parts += _to_do(told)
    return "\n\n".join(part for part in parts if part) + "\n"


def _answer(told: Told) -> Iterator[str]:
    if unasked := not_checked_line(told):
        yield f"**{escape(unasked)}**"
    yield f"## {escape(told.name)} is {escape(headline(told))}"
    yield escape(told.diagnosis.because)
    if severity := severity_line(told):
        yield f"**Severity**: {escape(severity)}"
    if touched := impact(told):
        yield f"**Impact**: {escape(touched)}"
    if since := since_line(told):
        yield f"**Since**: {escape(since)}"
    if command := next_command(told):
        yield f"**Next**: {code(command)}"
    yield from (f"**Or**: {code(command)}" for command in more_commands(told))


def _matrix(told: Told) -> str:
    endpoints = sorted(told.evidence.of(Kind.ENDPOINT), key=lambda r: not r.critical)
    head = ["| endpoint | answer | latency | last looks | said |", "|---|---|---|---|---|"]
    slow = f"The top of a picture is where slow begins: {told.evidence.slow.total_seconds():g} s."
    return "\n".join([*head, *(_row(told, r) for r in endpoints)]) + f"\n\n{slow}"


def _row(told: Told, now: Reading) -> str:
    looks = (*told.past.get(now.probe, ()), now)
    critical = " (critical)" if now.critical else ""
    said = code(now.detail) if now.detail else ""
    return (
        f"| {escape(now.probe)}{critical} | {now.outcome}: {escape(answer(now))} "
        f"| {now.latency_s * 1000:.0f} ms | {picture(looks, told.slow_s(now))} | {said} |"
    )


def _proof(told: Told) -> Iterator[str]:
    yield from _listed("Contrasts", contrast_sentences(told.evidence))
    lines = [f"{line.group:<{INDENT}}{line.says}" for line in around(told.evidence)]
    yield from _fenced("Around it", lines)
    leading = told.diagnosis.leading
    if leading is not None:
        yield from _fenced("For it", alike(leading.evidence))
        yield from _fenced("Against it", alike(leading.counter_evidence))
    yield from _listed("Also", other_causes(told))
    yield from _fenced("Not explained", alike(told.diagnosis.unexplained))


def _to_do(told: Told) -> Iterator[str]:
    yield from _listed("Check", checks(told))
    yield from _listed("Steps", told.rule.steps if told.rule else ())
    yield from _listed("The runbook would", mitigations(told))
    minutes = (f"{when}: {', '.join(items)}" for when, items in first_minutes(told.runbook))
    yield from _listed("First five minutes", minutes)
    pages = [f"- {escape(link.title)}: <{plain(link.url)}>" for link in links(told)]
    pages += [f"- {escape(s.title)}: {code(s.contact)}" for s in support(told)]
    yield from ("**Links**", "\n".join(pages)) if pages else ()
    yield from _fenced("Ruled out", ruled_out_lines(told.diagnosis.ruled_out))


def _listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    if said := [f"- {escape(line)}" for line in lines]:
        yield f"**{title}**"
        yield "\n".join(said)


def _fenced(title: str, lines: Iterable[str]) -> Iterator[str]:
    said = [_unfenced(line) for line in lines]
    more = [f"and {len(said) - MOST_LINES} more"] if len(said) > MOST_LINES else []
    if said:
        wrapped = (
            part
            for line in said[:MOST_LINES]
            for part in wrap(line, WIDTH, subsequent_indent=" " * INDENT)
        )
        yield f"**{title}**"
        yield "\n".join(["```text", *wrapped, *more, "```"])


def code(text: str) -> str:
    """A code span that also fits into the cell of a table."""
    return f"`{_unfenced(text).strip().replace('|', '¦')}`"


def _unfenced(text: str) -> str:
    """No backtick, so that nothing in it ends the code that it stands in."""
    flat = plain(text).replace("`", "'")
    return flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 1]}…"
