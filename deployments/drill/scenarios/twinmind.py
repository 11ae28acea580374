"""TwinMind: the same machinery, with another vendor's API, service and jobs."""

from __future__ import annotations

from typing import Any

from deployments.drill.expects import AtLeast, AtMost, grows, no_live_call_failed, paced, shows
from deployments.drill.scenario import Duties, Scenario
from deployments.drill.scenarios.passing import LIKELY, TRANSCRIPTS, passing
from deployments.drill.scenarios.vendor import keeps_dns
from deployments.drill.setup import Setup

OVERLOADED = passing(
    "tm-overloaded",
    "our own service gets more than it can do, TwinMind is quick; nobody is woken for that",
    "slow_service",
    3,
    vendor="twinmind",
    service_faults=(
        {"kind": "overloaded", "work_per_s": 210, "capacity_per_s": 200, "waiting": 800},
    ),
    setup=Setup(
        overrides={
            "thresholds": {"slow": "2 s"},
            # Each look at a slow service takes its time.
            "detection": {"confirming_probes": 2, "needed": 2},
            # What holds the load back is at work so long.
            "causes": {"slow_service": {"soak": "20 s"}},
        }
    ),
    pauses=TRANSCRIPTS,
    held=("paused_job", "replicas", "setting"),
    cleared_after_s=8,
    pages=False,
    touched_at_least=50,
    expects=(
        shows("unit", "replicas", before=1, lasting=2, after=1),
        shows("stats", "replicas", before=1, lasting=2, after=1),
        shows("settings", "intake_per_s", before=None, lasting=5.0, after=None),
        grows("stats", "refused", "by_reason", "intake", by=AtLeast(100), until="lasting"),
        shows("stats", "queue", lasting=AtMost(20), after=0),
        *no_live_call_failed(),
    ),
)

SLOW_MODEL = passing(
    "tm-slow-model",
    "TwinMind is slow, its usual model above all; the service asks for the faster one meanwhile",
    "slow_vendor",
    3,
    vendor="twinmind",
    faults=(
        {"kind": "slow_model", "model": "ear-3", "delay_s": 2},
        {"kind": "slow", "delay_s": 2.5, "endpoints": ["/transcripts", "/models"]},
    ),
    setup=Setup(overrides={"thresholds": {"slow": "2 s"}}),
    pauses=TRANSCRIPTS,
    held=("paused_job", "setting"),
    cleared_after_s=6,
    pages=False,
    touched_at_least=50,
    expects=(
        shows("settings", "model", before=None, lasting="ear-2", after=None),
        shows("requests", "by_model", "ear-3", before=AtLeast(5), after=AtLeast(1)),
        shows("requests", "by_model", "ear-2", before=None, lasting=AtLeast(2), after=None),
        # By the service's own count: one call may have been on its way.
        grows("stats", "by_model", "ear-3", by=AtMost(1), since="early", until="lasting"),
        *no_live_call_failed(),
    ),
)

SLOW_NETWORK = passing(
    "tm-slow-network",
    "the way to TwinMind is slow, and to anywhere else; nobody is woken for that",
    "slow_network",
    3,
    vendor="twinmind",
    wire={"mode": "slow", "delay_s": 1.2},
    service_faults=({"kind": "slow_dns", "delay_s": 0.5},),
    setup=Setup(overrides={"thresholds": {"slow": "2 s"}}),
    pauses=TRANSCRIPTS,
    held=("paused_job", "setting"),
    cleared_after_s=8,
    verdicts=LIKELY,
    pages=False,
    touched_at_least=50,
    expects=keeps_dns(),
)


IMPORTER = "batch-importer"


def _rate_limited(name: str, title: str, **more: Any) -> Scenario:
    """One consumer of our service asks far more than one key may."""
    return passing(
        name,
        title,
        "rate_limit_exceeded",
        2,
        vendor="twinmind",
        faults=({"kind": "limit_lowered", "limit": 60, "window_s": 10},),
        service_faults=(
            {"kind": "heavy", "consumer": IMPORTER, "per_s": 30, "criticality": "deferrable"},
        ),
        pauses=TRANSCRIPTS,
        cleared_after_s=8,
        touched_at_least=50,
        **more,
    )


AT_ONCE = ("refuse-deferrable", "slow-service", "emergency-rate-cap", "pause-deferrable")
SOAKED = {"causes": {"rate_limit_exceeded": {"soak": "20 s"}}}
STRICTER = (
    shows("settings", "refuse", before=None, lasting="deferrable", after=None),
    shows("settings", "max_requests_per_s", before=None, lasting=1.0, after=None),
    grows("stats", "refused", "by_criticality", "deferrable", by=AtLeast(50), until="lasting"),
    shows("stats", "refused", "by_criticality", "critical", lasting=None, after=None),
    paced("calls", per_s=1),
    shows("requests", "throttled", after=0),
)

RATE_LIMITED = _rate_limited(
    "tm-rate-limited",
    "TwinMind throttles us for one consumer of our service; what can wait is refused",
    setup=Setup(overrides=SOAKED),
    # Two people must say yes to a second key, and one is there.
    does=AT_ONCE,
    held=("paused_job", "rate_cap", "setting", "setting"),
    expects=(
        *STRICTER,
        shows("settings", "keys", before=None, lasting=None, after=None),
    ),
)

APPROVED = {name: {"autonomy": "approve"} for name in (*AT_ONCE, "spread-keys")}
SPREAD_KEYS = _rate_limited(
    "tm-spread-keys",
    "TwinMind throttles us; two people say yes, and our service goes on with two keys in turn",
    setup=Setup(keys=("spare",), overrides={**SOAKED, "mitigations": APPROVED}),
    people=(Duties(), Duties(name="ben", offers=False)),
    held=("paused_job", "rate_cap", "setting", "setting", "setting"),
    expects=(
        *STRICTER,
        shows("settings", "keys", before=None, lasting=2, after=None),
        shows(
            "calls", "by_key", "initial", before=AtLeast(1), lasting=AtLeast(2), after=AtLeast(1)
        ),
        shows("calls", "by_key", "spare", before=None, lasting=AtLeast(2), after=None),
    ),
)

TWINMIND = (
    Scenario(
        name="tm-expired-key",
        title="TwinMind's key expires; a person makes a new one",
        vendor="twinmind",
        faults=({"kind": "key_expired"},),
        cause="api_key_expired",
        severity=1,
        pauses=TRANSCRIPTS,
        verdicts=("likely", "confirmed"),
        rotates=True,
        held=("paused_job",),
        touched_at_least=100,
        expects=(
            shows("keys", "initial", before="active", lasting="expired", after="expired"),
            shows("store", "current", before="initial", after="made by ada"),
            shows("service", "status", before="healthy", after="healthy"),
            grows("unit", "restarts", by=1),
        ),
    ),
    OVERLOADED,
    SLOW_MODEL,
    SLOW_NETWORK,
    RATE_LIMITED,
    SPREAD_KEYS,
)
