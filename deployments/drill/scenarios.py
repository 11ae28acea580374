"""The rehearsed incidents: which fault, what should come of it, and who is killed on the way."""

from __future__ import annotations

from typing import Any

from deployments.drill.scenario import ALL_JOBS, DEFERRABLE, Scenario
from watchkeeper.errors import UserError

__all__ = ["ALL_JOBS", "SCENARIOS", "Scenario", "scenario_named"]

SURE = ("confirmed",)
LIKELY = ("likely",)


def _expired(name: str, title: str, **more: Any) -> Scenario:
    return Scenario(
        name=name,
        title=title,
        faults=({"kind": "key_expired"},),
        cause="api_key_expired",
        severity=1,
        pauses=ALL_JOBS - {"report-generator"},
        verdicts=("likely", "confirmed"),
        rotates=True,
        paused_by_person="report-generator",
        touched_at_least=200,
        **more,
    )


def _passing(name: str, title: str, cause: str, severity: int, **more: Any) -> Scenario:
    """Something that is over by itself: what can be done is to wait well, and to fill in."""
    usual = {"pauses": ALL_JOBS, "verdicts": SURE, "cleared_after_s": 2, "touched_at_least": 100}
    facts: dict[str, Any] = {**usual, **more}
    return Scenario(name=name, title=title, cause=cause, severity=severity, **facts)


_EXPIRED_KEY = (
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
)

_RATE_LIMITED = Scenario(
    name="rate-limited",
    title="the vendor throttles us; one of our own jobs asks too much",
    faults=({"kind": "throttled", "limit": 34, "window_s": 10},),
    cause="rate_limit_exceeded",
    severity=2,
    pauses=DEFERRABLE,
    verdicts=SURE,
    caps=True,
    goes_on=True,
    floods="report-generator",
    cleared_after_s=1,
    overrides={
        # The heavy consumer: each run walks every user, one to a page.
        "resources": {"users": {"page_size": 1}},
        # Throttled no more as soon as it is capped: so long the cap is seen at work.
        "causes": {"rate_limit_exceeded": {"soak": "40 s"}},
        "verification": {"interval": "3 s"},
    },
)

_NEARLY_USED = _passing(
    "budget-nearly-used",
    "somebody else with our key leaves hardly anything of the budget; nothing is refused yet",
    "rate_limit_near",
    4,
    faults=(
        {"kind": "limit_lowered", "limit": 1000, "window_s": 1},
        {"kind": "other_caller", "per_s": 940},
    ),
    pauses=DEFERRABLE,
    verdicts=LIKELY,
    pages=False,
    touched_at_least=50,
)

_VENDOR = (
    _passing(
        "vendor-outage",
        "the platform answers 503 and says so; it comes back by itself",
        "vendor_outage",
        1,
        faults=({"kind": "outage", "status": 503},),
        status_page="downtime",
        cleared_after_s=4,
    ),
    _passing(
        "intermittent-errors",
        "work orders answer 500, all else is well; we ask more slowly until it is over",
        "intermittent_errors",
        2,
        faults=({"kind": "outage", "status": 500, "endpoints": ["/workorders"]},),
        pauses=frozenset(),
        caps=True,
    ),
    _passing(
        "slow-vendor",
        "every answer takes seconds; nobody is woken for that",
        "slow_vendor",
        3,
        faults=({"kind": "slow", "delay_s": 2.5},),
        status_page="degraded",
        pauses=DEFERRABLE,
        pages=False,
        touched_at_least=50,
        overrides={"thresholds": {"slow": "2 s"}},
    ),
    _passing(
        "vendor-hangs",
        "connections are taken and nothing is answered",
        "vendor_hangs",
        1,
        faults=({"kind": "hang"},),
        status_page="degraded",
        pauses=DEFERRABLE,
        overrides={
            "thresholds": {"slow": "2 s", "probe_deadline": "3 s"},
            "detection": {"confirming_probes": 2, "needed": 2},
        },
    ),
    _passing(
        "vendor-maintenance",
        "503 in a maintenance that was announced; nobody is woken for that",
        "vendor_maintenance",
        3,
        faults=({"kind": "outage", "status": 503},),
        status_page="maintenance",
        pages=False,
        # Once it is over our service notices a poll later: that is no graver incident.
        overrides={"detection": {"confirm_within": "3 s", "needed": 3}},
    ),
    _passing(
        "answered-by-another",
        "a login page comes back where the data should",
        "answered_by_another",
        1,
        faults=({"kind": "html"},),
        verdicts=LIKELY,
    ),
)

_KEYS = (
    _passing(
        "access-denied",
        "the account is shut out: 403 everywhere, until the vendor lets it in again",
        "access_denied",
        1,
        faults=({"kind": "forbidden"},),
        verdicts=LIKELY,
    ),
    _passing(
        "vendor-auth-down",
        "the vendor refuses every key; no key of ours is rotated for that",
        "vendor_auth_down",
        1,
        faults=({"kind": "auth_down"},),
        status_page="degraded",
        second_key=True,
        verdicts=("likely", "confirmed"),
    ),
    _passing(
        "key-lost-on-the-way",
        "the key's header is taken off on the way; the key itself is good",
        "key_missing",
        1,
        faults=({"kind": "key_stripped"},),
        verdicts=("likely",),
    ),
)

_NETWORK = (
    _passing(
        "network-down",
        "nothing gets out: neither the vendor nor anybody else takes a connection",
        "network_issue",
        1,
        wire={"mode": "refuse"},
        pauses=DEFERRABLE,
    ),
    _passing(
        "slow-network",
        "everything is slow, not the vendor alone; nobody is woken for that",
        "slow_network",
        3,
        wire={"mode": "slow", "delay_s": 1.2},
        pauses=DEFERRABLE,
        verdicts=LIKELY,
        pages=False,
        touched_at_least=50,
        overrides={"thresholds": {"slow": "2 s"}},
    ),
)

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (*_EXPIRED_KEY, _RATE_LIMITED, _NEARLY_USED, *_VENDOR, *_KEYS, *_NETWORK)
}


def scenario_named(name: str) -> Scenario:
    if name not in SCENARIOS:
        raise UserError(f"{name!r} is no scenario: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
