"""Logs that a command prints: journalctl, kubectl, or one of the company's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from watchkeeper.local_command import DEADLINE_S, Unreadable, output_of
from watchkeeper.logs import LARGEST, Lines, Silent, lines_of
from watchkeeper.logs.ages import Clock, sort
from watchkeeper.runbook.base import zone_named
from watchkeeper.runbook.telemetry import CommandLogs, JournalLogs, KubernetesLogs

Argv = tuple[str, ...]
# What journalctl prints, of some versions on its output, where it has nothing.
_NO_ENTRIES = "-- No entries --"


@dataclass(frozen=True, slots=True)
class PrintedLog:
    """`argv` is made for the moment and the time looked back. `never_silent`: no line at all means
    that the wrong place was asked. `most`: it prints no more lines, so that there may have been.
    `dated`: lines that tell an older time are left out; `zone`: of times without one."""

    argv: Callable[[datetime, timedelta], Argv]
    never_silent: str = ""
    deadline_s: float = DEADLINE_S
    most: int | None = None
    dated: bool = False
    zone: tzinfo | None = None

    async def lines(self, now: datetime, within: timedelta) -> Lines:
        argv = self.argv(now, within)
        output = await output_of(argv, deadline_s=self.deadline_s, largest=LARGEST)
        read = lines_of(output.text, output.cut)
        kept = tuple(line for line in read.lines if line != _NO_ENTRIES)
        # `No resources found` and `you are not seeing messages of others` end with 0, too.
        why = output.complaint or self.never_silent
        if why and not kept:
            raise Unreadable(why)
        cut = read.cut or (self.most is not None and len(kept) >= self.most)
        if self.dated:
            kept = _not_old(kept, Clock(now, now - within, stated=self.zone))
        if not kept:
            raise Silent(f"{argv[0].rpartition('/')[2]} printed no line of that time")
        return Lines(kept, cut)


def _not_old(lines: tuple[str, ...], clock: Clock) -> tuple[str, ...]:
    """The command was asked for that time: what tells none is of it."""
    found = sort(lines, clock)
    return (*found.undated, *found.recent)


def journald(spec: JournalLogs) -> PrintedLog:
    """A unit's journal. Of a name that is not there it is empty, so that silence tells nothing."""
    return PrintedLog(
        lambda now, within: journald_argv(spec, now, within),
        never_silent=f"the journal of {spec.unit} has no line of that time: is that its name?",
    )


def kubernetes(spec: KubernetesLogs) -> PrintedLog:
    return PrintedLog(lambda _now, within: kubernetes_argv(spec, within), most=spec.tail)


def command(spec: CommandLogs) -> PrintedLog:
    """The company's own command decides how far to look back."""
    zone = zone_named(spec.timezone)
    return PrintedLog(lambda _now, _within: spec.command, dated=True, zone=zone)


def journald_argv(spec: JournalLogs, now: datetime, within: timedelta) -> Argv:
    since = math.floor((now - within).timestamp())
    return ("journalctl", "-u", spec.unit, f"--since=@{since}", "--no-pager", "-o", "cat")


def kubernetes_argv(spec: KubernetesLogs, within: timedelta) -> Argv:
    since = max(1, math.ceil(within.total_seconds()))
    container = () if spec.container is None else (f"--container={spec.container}",)
    named = ("logs", "-l", spec.selector, "-n", spec.namespace)
    return (*spec.kubectl, *named, f"--tail={spec.tail}", f"--since={since}s", *container)
