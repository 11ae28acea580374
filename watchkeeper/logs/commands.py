"""Logs that a command prints: journalctl, kubectl, or one of the company's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.local_command import DEADLINE_S, Unreadable, output_of
from watchkeeper.logs import LARGEST, Lines, lines_of
from watchkeeper.runbook.telemetry import CommandLogs, JournalLogs, KubernetesLogs

Argv = tuple[str, ...]
# What journalctl prints, of some versions on its output, where it has nothing.
_NO_ENTRIES = "-- No entries --"


@dataclass(frozen=True, slots=True)
class PrintedLog:
    """`argv` is made for the moment and the time looked back. `never_silent`: no line at all means
    that the wrong place was asked."""

    argv: Callable[[datetime, timedelta], Argv]
    never_silent: str = ""
    deadline_s: float = DEADLINE_S

    async def lines(self, now: datetime, within: timedelta) -> Lines:
        argv = self.argv(now, within)
        output = await output_of(argv, deadline_s=self.deadline_s, largest=LARGEST)
        read = lines_of(output.text, output.cut)
        kept = tuple(line for line in read.lines if line != _NO_ENTRIES)
        # `No resources found` and `you are not seeing messages of others` end with 0, too.
        why = output.complaint or self.never_silent
        if why and not kept:
            raise Unreadable(why)
        return Lines(kept, read.cut)


def journald(spec: JournalLogs) -> PrintedLog:
    """A unit's journal. Of a name that is not there it is empty, so that silence tells nothing."""
    return PrintedLog(
        lambda now, within: journald_argv(spec, now, within),
        never_silent=f"the journal of {spec.unit} has no line of that time: is that its name?",
    )


def kubernetes(spec: KubernetesLogs) -> PrintedLog:
    return PrintedLog(lambda _now, within: kubernetes_argv(spec, within))


def command(spec: CommandLogs) -> PrintedLog:
    """The company's own command knows by itself how far to look back."""
    return PrintedLog(lambda _now, _within: spec.command)


def journald_argv(spec: JournalLogs, now: datetime, within: timedelta) -> Argv:
    since = math.floor((now - within).timestamp())
    return ("journalctl", "-u", spec.unit, f"--since=@{since}", "--no-pager", "-o", "cat")


def kubernetes_argv(spec: KubernetesLogs, within: timedelta) -> Argv:
    since = max(1, math.ceil(within.total_seconds()))
    container = () if spec.container is None else (f"--container={spec.container}",)
    named = ("logs", "-l", spec.selector, "-n", spec.namespace)
    return (*spec.kubectl, *named, f"--tail={spec.tail}", f"--since={since}s", *container)
