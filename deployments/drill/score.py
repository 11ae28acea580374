"""Whether a drill passed: facts against what its scenario promises. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deployments.drill.scenario import ALL_JOBS, Scenario
from watchkeeper.incident import Milestone

PAGE_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was seen, from outside where it can be. Times are aware UTC."""

    incident: dict[str, Any] | None
    verdicts: tuple[str, ...] = ()
    milestones: dict[str, datetime] = field(default_factory=dict)
    opened_at: datetime | None = None
    opened_by: str = ""
    job_states: dict[str, str] = field(default_factory=dict)
    jobs_paused_in_incident: frozenset[str] = frozenset()
    leases_left: int = 0
    pages: dict[str, Any] = field(default_factory=dict)
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    first_key: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    service_key: str | None = None
    restarts: int = 0
    key_tested_at: datetime | None = None
    key_promoted_at: datetime | None = None
    consumers: int = 0
    consumers_proven: int = 0
    requests_per_s: dict[str, float] = field(default_factory=dict)
    synced_while_capped: int = 0
    held: tuple[str, ...] = ()
    killed: bool = False
    responders: int = 0
    report: str | None = None
    artifact: str | None = None
    off_loopback: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()


def failures(scenario: Scenario, facts: Facts) -> list[str]:
    """Every promise that was not kept, in words; empty when the drill passed."""
    if facts.incident is None:
        return ["no incident was opened"]
    if facts.incident["state"] != "closed":
        return [f"the incident did not close: {facts.incident['state']}"]
    return [
        *_diagnosis(scenario, facts),
        *(_pages(facts) if scenario.pages else _silence(facts)),
        *_jobs(scenario, facts),
        *_data(scenario, facts),
        *(_rotation(facts) if scenario.rotates else _key_left_alone(facts)),
        *(_held(scenario, facts) if scenario.cleared_after_s is not None else []),
        *(_cap(facts) if scenario.goes_on else []),
        *(_kill(facts) if scenario.kill else []),
        *_paper(facts),
    ]


def _diagnosis(scenario: Scenario, facts: Facts) -> list[str]:
    incident, said = facts.incident or {}, []
    if facts.opened_by != "health":
        said.append(f"opened by {facts.opened_by}, not detected by health")
    if incident["cause"] != scenario.cause:
        said.append(f"cause {incident['cause']}, expected {scenario.cause}")
    if incident["severity"] != scenario.severity:
        said.append(f"severity {incident['severity']}, expected {scenario.severity}")
    seen = tuple(v for i, v in enumerate(facts.verdicts) if i == 0 or facts.verdicts[i - 1] != v)
    if seen[-len(scenario.verdicts) :] != scenario.verdicts:
        said.append(f"verdicts {seen}, expected {scenario.verdicts}")
    due = [m for m in Milestone if scenario.pages or m is not Milestone.PAGED]
    said += [f"no milestone {m}" for m in due if m.value not in facts.milestones]
    order = list(facts.milestones.values())
    if order != sorted(order):
        said.append(f"milestones out of order: {list(facts.milestones)}")
    return said


def _pages(facts: Facts) -> list[str]:
    alerts = facts.pages.get("incidents", {})
    said = []
    if not alerts:
        return ["nobody was paged"]
    if any(one["state"] != "resolved" for one in alerts.values()):
        said.append("a page was left unresolved")
    if any(one["alerts"] != 1 for one in alerts.values()):
        said.append("a page was opened more than once at the pager")
    paged = facts.milestones.get("paged")
    if paged and facts.opened_at and (paged - facts.opened_at).total_seconds() > PAGE_WITHIN_S:
        late = (paged - facts.opened_at).total_seconds()
        said.append(f"the page went out {late:.1f} s after the incident's row")
    return said


def _silence(facts: Facts) -> list[str]:
    """Told of this incident, nobody may be woken: neither by our word nor by the pager's."""
    alerts = facts.pages.get("incidents", {})
    said = [f"{len(alerts)} pages went out, and nobody was to be woken"] if alerts else []
    if Milestone.PAGED in facts.milestones:
        said.append("the timeline tells of a page, and nobody was to be woken")
    return said


def _jobs(scenario: Scenario, facts: Facts) -> list[str]:
    said = []
    if facts.jobs_paused_in_incident != scenario.pauses:
        said.append(
            f"paused {sorted(facts.jobs_paused_in_incident)}, not {sorted(scenario.pauses)}"
        )
    for job in sorted(ALL_JOBS):
        expected = "paused" if job == scenario.paused_by_person else "running"
        if facts.job_states.get(job) != expected:
            said.append(f"job {job} was left {facts.job_states.get(job)}, before it was {expected}")
    if facts.leases_left:
        said.append(f"{facts.leases_left} leases were left")
    return said


def _data(scenario: Scenario, facts: Facts) -> list[str]:
    said = [] if facts.data else ["nothing was judged"]
    said += [
        f"{resource}: {count} {what}"
        for resource, found in facts.data.items()
        for what in ("missing", "duplicates", "stale")
        if (count := found[what])
    ]
    touched = sum(found["touched_since"] for found in facts.data.values())
    if touched < scenario.touched_at_least:
        said.append(f"only {touched} records changed in the outage: too few to prove anything")
    return said


def _rotation(facts: Facts) -> list[str]:
    said = []
    active = {key["fingerprint"] for key in facts.keys if key["state"] == "active"}
    if facts.first_key in active:
        said.append("the old key is still alive")
    if facts.service_key not in active:
        said.append("the service does not run on a key that the vendor accepts")
    if facts.restarts != 1:
        said.append(f"the service was restarted {facts.restarts} times, not once")
    if facts.consumers_proven != facts.consumers:
        said.append(
            f"{facts.consumers_proven} of {facts.consumers} consumers proven on the new key"
        )
    tested, promoted = facts.key_tested_at, facts.key_promoted_at
    if tested is None or promoted is None or tested > promoted:
        said.append("the new key was not tested before it became current")
    return said


def _key_left_alone(facts: Facts) -> list[str]:
    changed = facts.key_promoted_at is not None
    return ["a key was made current, and ours was good"] if changed else []


def _held(scenario: Scenario, facts: Facts) -> list[str]:
    if facts.held == scenario.holds:
        return []
    return [f"held while it lasted: {facts.held}, not {scenario.holds}"]


def _cap(facts: Facts) -> list[str]:
    before, during = (
        facts.requests_per_s.get("before", 0.0),
        facts.requests_per_s.get("during", 0.0),
    )
    said = []
    if not 0 < during < before / 2:
        said.append(f"the simulator saw {during:.1f} requests/s under the cap, {before:.1f} before")
    if not facts.synced_while_capped:
        said.append("the critical sync moved nothing while the cap was in force")
    return said


def _kill(facts: Facts) -> list[str]:
    said = []
    if not facts.killed:
        said.append("the responder was never killed: the failpoint was not met")
    if facts.responders < 2:
        said.append("the sweep started no second responder")
    return said


def _paper(facts: Facts) -> list[str]:
    said = []
    if facts.report is None:
        said.append("no report file was written")
    if facts.artifact is None:
        said.append("no report is in the Prefect UI")
    if facts.off_loopback:
        said.append(f"connections off loopback: {', '.join(facts.off_loopback)}")
    said += [f"a key value was found in {where}" for where in facts.leaks]
    return said
