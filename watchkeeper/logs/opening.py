"""From integrations.yaml to the source that it names."""

from __future__ import annotations

from pathlib import Path

from watchkeeper.logs import LogSource, commands
from watchkeeper.logs.file import FileLog
from watchkeeper.runbook.base import zone_named
from watchkeeper.runbook.telemetry import CommandLogs, FileLogs, JournalLogs, KubernetesLogs


def open_log(spec: JournalLogs | FileLogs | KubernetesLogs | CommandLogs, base: Path) -> LogSource:
    """The source; a relative path counts from `base`. Opens nothing yet."""
    match spec:
        case JournalLogs():
            return commands.journald(spec)
        case FileLogs():
            path = base / Path(spec.path).expanduser()
            return FileLog(path, spec.path, zone=zone_named(spec.timezone))
        case KubernetesLogs():
            return commands.kubernetes(spec)
        case CommandLogs():
            return commands.command(spec)
