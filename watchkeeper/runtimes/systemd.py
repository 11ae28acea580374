"""What systemd says of the unit that a service of ours runs as."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from watchkeeper.evidence import Outcome
from watchkeeper.harmless import harmless
from watchkeeper.local_command import Unreadable, output_of
from watchkeeper.runbook.telemetry import SystemdRuntime
from watchkeeper.runtimes.state import Fault, State

# So many restarts by itself, the last of them so short a while ago, are a loop.
LOOP_RESTARTS, LOOP_WITHIN_S = 3, 600.0
BUSY = 0.9
PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "Result", "NRestarts", "ExecMainStatus"),
    *("ExecMainStartTimestampMonotonic", "MemoryCurrent", "MemoryMax"),
)
_UNSET = 2**64 - 1
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SystemdState:
    spec: SystemdRuntime

    async def state(self) -> State:
        output = await output_of(systemctl_argv(self.spec))
        said = properties(output.text)
        if said.get("LoadState") == "not-found" or "ActiveState" not in said:
            raise Unreadable(f"systemd knows no unit {self.spec.unit}: is that its name?")
        return judged(said, time.monotonic())


def systemctl_argv(spec: SystemdRuntime) -> tuple[str, ...]:
    return ("systemctl", "show", "--no-pager", "-p", ",".join(PROPERTIES), "--", spec.unit)


def properties(text: bytes) -> dict[str, str]:
    """`Name=value` lines; of a name given twice the first."""
    lines = (line.partition("=") for line in text.decode(errors="replace").splitlines())
    return {name: value.strip() for name, sign, value in reversed([*lines]) if sign}


def judged(said: Mapping[str, str], monotonic_s: float) -> State:
    """The state of a unit by its properties; `monotonic_s` is the machine's clock since boot."""
    outcome, fault = _verdict(said, monotonic_s)
    return State(outcome, fault, harmless(_told(said, monotonic_s)))


def _verdict(said: Mapping[str, str], monotonic_s: float) -> tuple[Outcome, Fault | None]:
    active, result = said.get("ActiveState", ""), said.get("Result", "")
    runs = active in ("active", "reloading", "refreshing")
    if result == "oom-kill":
        return (Outcome.DEGRADED if runs else Outcome.DOWN), "oom"
    if said.get("SubState", "").startswith("auto-restart"):
        return Outcome.DOWN, "crash_loop"
    if not runs:
        return Outcome.DOWN, ("not_ready" if active == "activating" else "not_running")
    if _looping(said, monotonic_s):
        return Outcome.DEGRADED, "crash_loop"
    return (Outcome.DEGRADED, "busy") if _short_of_memory(said) else (Outcome.OK, None)


def _looping(said: Mapping[str, str], monotonic_s: float) -> bool:
    up_s = _up_s(said, monotonic_s)
    restarts = _number(said, "NRestarts") or 0
    return restarts >= LOOP_RESTARTS and up_s is not None and up_s < LOOP_WITHIN_S


def _up_s(said: Mapping[str, str], monotonic_s: float) -> float | None:
    started_us = _number(said, "ExecMainStartTimestampMonotonic")
    return max(0.0, monotonic_s - started_us / 1e6) if started_us else None


def _short_of_memory(said: Mapping[str, str]) -> bool:
    used, most = _number(said, "MemoryCurrent"), _number(said, "MemoryMax")
    return used is not None and most is not None and used >= BUSY * most


def _number(said: Mapping[str, str], name: str) -> int | None:
    """None for `infinity`, `[not set]`, and the largest number, which means the same."""
    value = said.get(name, "")
    if not (value.isascii() and value.isdecimal() and len(value) <= 20):
        return None
    return int(value) if int(value) < _UNSET else None


def _told(said: Mapping[str, str], monotonic_s: float) -> str:
    words = [f"{said.get('ActiveState')} ({said.get('SubState')})"]
    if said.get("Result", "success") != "success":
        words.append(f"result {said['Result']}, exit status {said.get('ExecMainStatus')}")
    if restarts := _number(said, "NRestarts"):
        up_s = _up_s(said, monotonic_s)
        ago = "" if up_s is None else f", the last {up_s / 60:.0f} min ago"
        words.append(f"restarted by itself {restarts}x{ago}")
    if used := _number(said, "MemoryCurrent"):
        most = _number(said, "MemoryMax")
        words.append(f"memory {used / _MIB:.0f} MiB" + (f" of {most / _MIB:.0f}" if most else ""))
    return "; ".join(words)
