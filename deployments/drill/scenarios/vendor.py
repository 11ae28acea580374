"""The vendor is down, slow or somebody else, and the network between us."""

from __future__ import annotations

from deployments.drill.expects import AtLeast, AtMost, Expect, grows, paced, shows
from deployments.drill.scenario import HUNG, Scenario
from deployments.drill.scenarios.passing import DEFERRABLE, LIKELY, SURE, passing
from deployments.drill.setup import Setup


def keeps_dns() -> tuple[Expect, ...]:
    """Our service looks the vendor's name up at each call, but for while it lasts."""
    return (
        shows("settings", "dns_cache_s", before=None, lasting=300.0, after=None),
        grows("stats", "lookups", by=AtLeast(1), until="early"),
        grows("stats", "lookups", by=AtMost(1), since="early", until="lasting"),
        grows("stats", "ok", by=AtLeast(1), since="early", until="lasting"),
        grows("stats", "lookups", by=AtLeast(1), since="lasting"),
    )


VENDOR = (
    passing(
        "vendor-outage",
        "the platform answers 503 and says so; it comes back by itself",
        "vendor_outage",
        1,
        faults=({"kind": "outage", "status": 503},),
        status_page="downtime",
        held=("wait", *("paused_job",) * 3),
        cleared_after_s=4,
        expects=(shows("pages", lasting=AtLeast(2)),),
    ),
    passing(
        "intermittent-errors",
        "work orders answer 500, all else is well; we ask more slowly, and again, until it is over",
        "intermittent_errors",
        2,
        faults=({"kind": "outage", "status": 500, "endpoints": ["/workorders"]},),
        service_faults=({"kind": "heavy", "consumer": "dispatch-board", "per_s": 8},),
        pauses=frozenset(),
        held=("rate_cap", "setting", "setting"),
        cleared_after_s=6,
        # Half of it is two a second.
        setup=Setup(overrides={"rate_limit": {"requests": 40, "per": "10 s"}}),
        expects=(
            shows("settings", "max_retries", before=None, lasting=3, after=None),
            shows("settings", "max_requests_per_s", before=None, lasting=2.0, after=None),
            paced("calls", per_s=2),
            grows("stats", "retried", by=AtLeast(2), since="early", until="lasting"),
        ),
    ),
    passing(
        "slow-vendor",
        "every answer takes seconds; nobody is woken for that",
        "slow_vendor",
        3,
        faults=({"kind": "slow", "delay_s": 2.5},),
        status_page="degraded",
        pauses=DEFERRABLE,
        pages=False,
        touched_at_least=50,
        setup=Setup(overrides={"thresholds": {"slow": "2 s"}}),
    ),
    passing(
        "vendor-hangs",
        "connections are taken and nothing is answered",
        "vendor_hangs",
        1,
        faults=({"kind": "hang"},),
        status_page="degraded",
        pauses=DEFERRABLE,
        setup=Setup(
            overrides={
                "thresholds": {"slow": "2 s", "probe_deadline": "3 s"},
                "detection": {"confirming_probes": 2, "needed": 2},
            }
        ),
    ),
    passing(
        "vendor-maintenance",
        "503 in a maintenance that was announced; nobody is woken for that",
        "vendor_maintenance",
        3,
        faults=({"kind": "outage", "status": 503},),
        status_page="maintenance",
        pages=False,
        held=("wait", *("paused_job",) * 3),
        # Once it is over our service notices a poll later: that is no graver incident.
        setup=Setup(overrides={"detection": {"confirm_within": "3 s", "needed": 3}}),
    ),
    passing(
        "answered-by-another",
        "a login page comes back where the data should",
        "answered_by_another",
        1,
        faults=({"kind": "html"},),
        verdicts=LIKELY,
    ),
)

NETWORK = (
    passing(
        "network-down",
        "nothing gets out: neither the vendor nor anybody else takes a connection",
        "network_issue",
        1,
        wire={"mode": "refuse"},
        status_page=HUNG,
        pauses=DEFERRABLE,
    ),
    passing(
        "slow-network",
        "everything is slow, not the vendor alone; nobody is woken for that",
        "slow_network",
        3,
        wire={"mode": "slow", "delay_s": 1.2},
        service_faults=({"kind": "slow_dns", "delay_s": 0.5},),
        held=("paused_job", "paused_job", "setting"),
        cleared_after_s=8,
        expects=keeps_dns(),
        pauses=DEFERRABLE,
        verdicts=LIKELY,
        pages=False,
        touched_at_least=50,
        setup=Setup(overrides={"thresholds": {"slow": "2 s"}}),
    ),
)

OURS = (
    Scenario(
        name="service-crash",
        title="our own service dies, the vendor is well; it is restarted once",
        service_faults=({"kind": "crash"},),
        cause="service_crash",
        severity=1,
        pauses=frozenset(),
        verdicts=SURE,
        held=(),
        expects=(
            shows("service", "status", before="healthy", after="healthy"),
            shows("unit", "restarts", before=0, lasting=1, after=1),
            shows("unit", "running", before=True, lasting=True, after=True),
            shows("unit", "history", "0", "came", lasting="restarted"),
            shows("unit", "history", "1", after=None),
        ),
    ),
)
