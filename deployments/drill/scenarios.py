"""The rehearsed incidents: which fault, what should come of it, and who is killed on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from watchkeeper.errors import UserError

ALL_JOBS = frozenset({"workorder-sync", "asset-sync", "report-generator"})
DEFERRABLE = frozenset({"asset-sync", "report-generator"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`fault` is set at the vendor; the rest is what a passed drill must show.

    `cleared_after_s`: the vendor mends itself so long after the mitigation, None: never by itself.
    `kill`: the failpoint at which the responder gets SIGKILL. `paused_by_person`: a job that a
    person had paused before, and that must stay so.
    """

    name: str
    title: str
    fault: dict[str, Any]
    cause: str
    severity: int
    pauses: frozenset[str]
    verdicts: tuple[str, ...]
    rotates: bool = False
    caps: bool = False
    cleared_after_s: float | None = None
    status_page: str | None = None
    kill: str | None = None
    paused_by_person: str | None = None
    touched_at_least: int = 0
    overrides: dict[str, Any] = field(default_factory=dict)


def _expired(name: str, title: str, **more: Any) -> Scenario:
    return Scenario(
        name=name,
        title=title,
        fault={"kind": "key_expired"},
        cause="api_key_expired",
        severity=1,
        pauses=ALL_JOBS - {"report-generator"},
        verdicts=("likely", "confirmed"),
        rotates=True,
        paused_by_person="report-generator",
        touched_at_least=200,
        **more,
    )


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        _expired("expired-key", "the API key expires; a person makes a new one"),
        _expired(
            "expired-key-killed-after-effect",
            "the responder dies after a consumer's restart, before it is written down",
            kill="effect.consumer.restart.after",
        ),
        _expired(
            "expired-key-killed-between-phases",
            "the responder dies between mitigation and verification",
            kill="after.mitigate",
        ),
        _expired(
            "expired-key-killed-in-backfill",
            "the responder dies in the middle of the backfill",
            kill="backfill.page",
        ),
        Scenario(
            name="rate-limited",
            title="the vendor throttles us; one of our own jobs asks too much",
            fault={"kind": "throttled", "limit": 120, "window_s": 30},
            cause="rate_limit_exceeded",
            severity=2,
            pauses=DEFERRABLE,
            verdicts=("confirmed",),
            caps=True,
            cleared_after_s=1,
            overrides={
                # The heavy consumer: each run walks every user, one to a page.
                "resources": {"users": {"page_size": 1}},
                "causes": {"rate_limit_exceeded": {"soak": "30 s"}},
                "verification": {"interval": "3 s"},
            },
        ),
        Scenario(
            name="vendor-outage",
            title="the platform answers 503 and says so; it comes back by itself",
            fault={"kind": "outage", "status": 503},
            cause="vendor_outage",
            severity=1,
            pauses=ALL_JOBS,
            verdicts=("confirmed",),
            cleared_after_s=4,
            status_page="downtime",
            touched_at_least=100,
        ),
    )
}


def scenario_named(name: str) -> Scenario:
    if name not in SCENARIOS:
        raise UserError(f"{name!r} is no scenario: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
