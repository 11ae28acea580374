"""What a triage looks like in the terminal: the answer first, then the proof, part by part.

Foreign text is never markup here: it is put into Text, and only its printable characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from watchkeeper.contrast_text import contrast_sentences
from watchkeeper.diagnosis import Verdict
from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.impact import impact
from watchkeeper.latency_picture import BAR_WIDTH, bar
from watchkeeper.next_steps import checks, mitigations, more_commands, next_command
from watchkeeper.reading_text import around
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

COLOUR = {
    Outcome.OK: "green",
    Outcome.DEGRADED: "yellow",
    Outcome.DOWN: "red",
    Outcome.UNKNOWN: "dim",
}
_VERDICT_COLOUR = {
    Verdict.CONFIRMED: "bold red",
    Verdict.LIKELY: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.HEALTHY: "bold green",
}
MOST_FOR, MOST_AGAINST, MOST_RULED_OUT, MOST_LINKS = 6, 4, 12, 4


def answer(told: Told) -> Iterator[Text]:
    """What to know at 3 a.m.; each is one line that a terminal may wrap and a person may copy."""
    diagnosis = told.diagnosis
    if unasked := not_checked_line(told):
        yield Text(plain(unasked), "yellow")
    first = Text(f"{told.name} at {told.evidence.at:%Y-%m-%d %H:%M:%S}Z · ")
    first.append(headline(told), _VERDICT_COLOUR[diagnosis.verdict])
    yield first
    yield Text(plain(diagnosis.because))
    if severity := severity_line(told):
        yield Text(plain(severity))
    if touched := impact(told):
        yield Text(plain(f"impact: {touched}"))
    if since := since_line(told):
        yield Text(plain(f"since {since}"))
    if command := next_command(told):
        yield Text("next: ").append(plain(command), "bold")
    yield from (Text(f"or:   {plain(command)}") for command in more_commands(told))


def matrix(told: Told) -> Table:
    """Every endpoint, with a bar that is full where slow begins."""
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("* critical", no_wrap=True, style="bold")
    table.add_column("answer", no_wrap=True)
    table.add_column("latency", no_wrap=True, justify="right")
    table.add_column(
        f"slow: {told.evidence.slow.total_seconds():g} s", no_wrap=True, width=BAR_WIDTH
    )
    table.add_column("", overflow="fold")
    for reading in endpoints(told):
        table.add_row(*_row(told, reading))
    return table


def endpoints(told: Told) -> list[Reading]:
    """Those that matter most first."""
    return sorted(told.evidence.of(Kind.ENDPOINT), key=lambda r: not r.critical)


def _row(told: Told, reading: Reading) -> Iterator[Text]:
    yield Text("*" if reading.critical else "")
    yield Text(plain(reading.probe))
    yield Text(plain(_answered(reading)), COLOUR[reading.outcome])
    yield Text(took(reading.latency_s))
    yield Text(bar(reading.latency_s, told.slow_s(reading)), COLOUR[reading.outcome])
    yield Text(plain(reading.detail))


def _answered(reading: Reading) -> str:
    if not reading.answered:
        return (reading.fault or "nothing").replace("_", " ")
    return f"{reading.status} {reading.fault or ''}".replace("_", " ").rstrip()


def took(latency_s: float) -> str:
    return f"{latency_s * 1000:.0f} ms" if latency_s < 1 else f"{latency_s:.1f} s"


def proof(told: Told, everything: bool) -> Table:
    """All else that is told, each part under its name."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, lines in _parts(told, everything):
        for place, line in enumerate(lines):
            table.add_row(Text(name if place == 0 else ""), line)
    return table


def _parts(told: Told, everything: bool) -> Iterator[tuple[str, Iterable[RenderableType]]]:
    leading = told.diagnosis.leading
    yield "contrasts", map(_said, contrast_sentences(told.evidence))
    yield from _around(told, everything)
    if told.diagnosis.healthy:
        return
    if leading is not None:
        yield "for it", _cut(alike(leading.evidence), everything, MOST_FOR)
        yield "against it", _cut(alike(leading.counter_evidence), everything, MOST_AGAINST)
    yield "also", map(_said, other_causes(told))
    yield "unexplained", _cut(alike(told.diagnosis.unexplained), everything, MOST_FOR)
    yield "check", map(_said, checks(told))
    yield "steps", map(_said, told.rule.steps if told.rule else ())
    yield "runbook", map(_said, mitigations(told) or ("no mitigation: people",))
    for when, items in first_minutes(told.runbook):
        yield plain(when), (_said(" · ".join(items)),)
    out = ruled_out_lines(told.diagnosis.ruled_out, everything=everything)
    yield "ruled out", _cut(out, everything, MOST_RULED_OUT, "dim")


def _around(told: Told, everything: bool) -> Iterator[tuple[str, Iterable[RenderableType]]]:
    lines = around(told.evidence, everything=everything)
    for group in dict.fromkeys(line.group for line in lines):
        yield (
            group,
            [
                Text(plain(line.says), "" if line.outcome is Outcome.OK else COLOUR[line.outcome])
                for line in lines
                if line.group == group
            ],
        )


def _cut(said: tuple[str, ...], everything: bool, most: int, style: str = "") -> Iterator[Text]:
    """The last line says how many were left out."""
    shown = said if everything or len(said) <= most else said[: most - 1]
    yield from (Text(plain(line), style) for line in shown)
    if len(shown) < len(said):
        yield Text(f"and {len(said) - len(shown)} more: --all", "dim")


def _said(text: str) -> Text:
    return Text(plain(text))


def pages(told: Told, everything: bool) -> Iterator[Text]:
    """Links and people, each whole on its line."""
    if told.diagnosis.healthy:
        return
    every = links(told)
    own = len(told.rule.links) if told.rule else 0
    for link in every if everything else every[: max(own, MOST_LINKS)]:
        yield Text(f"{plain(link.title)}: {plain(link.url)}")
    ways = [f"{plain(way.title)} {plain(way.contact)}" for way in support(told)]
    if ways:
        yield Text(f"support: {', '.join(ways)}")
