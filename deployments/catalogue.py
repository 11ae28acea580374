"""What prefect.yaml deploys, with the intervals that our settings give its schedules."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from watchkeeper.settings import Settings
from watchkeeper.shipped_files import shipped

SYNC = "flows.sync.sync"
RESPOND = "flows.respond.respond"
# Processes at once, by the cores: a backlog that starts all together is one that a small machine never
# gets through. (for each core, never fewer, never more.) Neither jobs that hang on their vendor nor
# responders that wait for one keep a look from its turn: each kind has places of its own.
PLACES = {"looks": (2, 3, 8), "responders": (3, 6, 12), "jobs": (2, 3, 8)}
PREFECT_YAML = shipped("prefect.yaml")


@dataclass(frozen=True, slots=True)
class Deployed:
    """One entry of prefect.yaml; `interval_s` is None for what only people and sweeps start."""

    name: str
    entrypoint: str
    description: str
    tags: tuple[str, ...]
    parameters: dict[str, Any]
    interval_s: float | None

    @property
    def job(self) -> str | None:
        """The runbook job that this deployment runs, if it runs one."""
        return str(self.parameters["job"]) if "job" in self.parameters else None

    @property
    def place(self) -> str:
        """Whom it shares its places with: a key of PLACES."""
        if self.job is not None:
            return "jobs"
        return "responders" if self.entrypoint == RESPOND else "looks"


def catalogue(settings: Settings, path: Path = PREFECT_YAML) -> tuple[Deployed, ...]:
    listed = yaml.safe_load(path.read_text(encoding="utf-8"))["deployments"]
    return tuple(_deployed(entry, settings) for entry in listed)


def most_runs(cores: int) -> dict[str, int]:
    """How many processes of each kind run at once on a machine with so many cores."""
    return {
        name: min(max(each * cores, least), most) for name, (each, least, most) in PLACES.items()
    }


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def health_interval_s(settings: Settings) -> float:
    """How often every integration is checked: what is older than two of these is not fresh."""
    found = next((e.interval_s for e in catalogue(settings) if e.name == "health"), None)
    return settings.health_interval_s if found is None else found


def served(settings: Settings, jobs: Mapping[str, str]) -> tuple[Deployed, ...]:
    """What `up` serves for the jobs of the watched integrations, name -> criticality: a job that
    nobody has costs no run, and one that prefect.yaml does not name is deployed all the same."""
    listed = [entry for entry in catalogue(settings) if entry.job is None or entry.job in jobs]
    missing = sorted(jobs.keys() - {entry.job for entry in listed})
    return (*listed, *(_of_job(name, jobs[name], settings) for name in missing))


def _of_job(name: str, criticality: str, settings: Settings) -> Deployed:
    return Deployed(
        name=name,
        entrypoint=SYNC,
        description=f"Runs the runbook's job {name}; {criticality}.",
        tags=("watchkeeper", "job", criticality),
        parameters={"job": name, "integration": None},
        interval_s=settings.sync_interval_s,
    )


def _deployed(entry: dict[str, Any], settings: Settings) -> Deployed:
    parameters = dict(entry.get("parameters") or {})
    return Deployed(
        name=entry["name"],
        entrypoint=entry["entrypoint"],
        description=entry["description"],
        tags=tuple(entry.get("tags", ())),
        parameters=parameters,
        interval_s=_interval_s(entry, parameters, settings),
    )


def _interval_s(
    entry: dict[str, Any], parameters: dict[str, Any], settings: Settings
) -> float | None:
    """The file says that there is a schedule and what is usual; a setting that was given wins."""
    if not entry.get("schedules"):
        return None
    given = settings.model_fields_set
    name = "sync_interval_s" if "job" in parameters else "health_interval_s"
    return float(getattr(settings, name) if name in given else entry["schedules"][0]["interval"])
