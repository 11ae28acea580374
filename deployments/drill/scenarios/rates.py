"""Budgets of requests: overdrawn by us, by others, or nearly so."""

from __future__ import annotations

from deployments.drill.expects import AtLeast, paced, shows
from deployments.drill.scenario import Scenario
from deployments.drill.scenarios.passing import DEFERRABLE, LIKELY, SURE, passing
from deployments.drill.setup import MEASURED, Setup

RATE_LIMITED = Scenario(
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
    # Our service asks too much as well.
    service_faults=({"kind": "heavy", "consumer": "dispatch-board", "per_s": 5},),
    held=("paused_job", "paused_job", "rate_cap", "setting"),
    cleared_after_s=6,
    expects=(
        shows("settings", "max_requests_per_s", before=None, lasting=1.0, after=None),
        shows("calls", "count", before=AtLeast(5)),
        paced("calls", per_s=1),
        shows("requests", "throttled", after=0),
    ),
    setup=Setup(
        # Both are counted: the sum is what the vendor refuses.
        entry=MEASURED,
        overrides={
            # The heavy consumer: each run walks every user, one to a page.
            "resources": {"users": {"page_size": 1}},
            # Throttled no more as soon as it is capped: so long the cap is seen at work.
            "causes": {"rate_limit_exceeded": {"soak": "40 s"}},
            "verification": {"interval": "3 s"},
        },
    ),
)

NEARLY_USED = passing(
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

SHARED = passing(
    "rate-limit-shared",
    "somebody else with our key spends its whole budget; ours is refused with 429",
    "rate_limit_shared",
    2,
    faults=(
        {"kind": "limit_lowered", "limit": 1000, "window_s": 10},
        {"kind": "other_caller", "per_s": 900},
    ),
    setup=Setup(entry=MEASURED),
    pauses=DEFERRABLE,
    verdicts=LIKELY,
)

RATES = (RATE_LIMITED, NEARLY_USED, SHARED)
