"""How often an endpoint failed of late: what comes and goes shows in no single look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.incident import State
from watchkeeper.network.stages import Place
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.policy import Detection
from watchkeeper.runbook.probes import Probe
from watchkeeper.store import incidents, observations

# Fewer checks than these are no history.
ENOUGH = 3


# So long ago our service may have answered for the last time, and still be known to be there.
REMEMBERED = timedelta(days=7)


def restless(watch: Watch, watched: Watched) -> frozenset[str]:
    """The endpoints of which one of the last checks failed: one good answer of theirs may be luck."""
    probes = [probe.name for probe in watched.runbook.probes if not probe.costs]
    most = watched.runbook.detection.occasional_of
    with watch.store.read() as session:
        over = incidents.last_recovery(session, watched.name)
        return frozenset(
            name
            for name in probes
            for reading in observations.last_of_probe(session, watched.name, name, most)
            if (over is None or reading.at > over) and _failed(reading)
        )


def service_history(watch: Watch, watched: Watched) -> tuple[Reading, ...]:
    """When our service last answered at the address that it is asked at now, if it ever did."""
    service = watched.integration.service
    if service is None:
        return ()
    now = watch.now()
    with watch.store.read() as session:
        last = observations.last_answer(
            session, watched.name, "service", address_of(service.health_url), now - REMEMBERED
        )
    return (
        Reading(
            probe="service",
            kind=Kind.HISTORY,
            target="our service",
            at=now,
            outcome=Outcome.UNKNOWN if last is None else Outcome.OK,
            latency_s=0.0,
            detail="never seen to answer here" if last is None else f"last answered at {_at(last)}",
        ),
    )


def address_of(url: str) -> str:
    """`host:port`, and nothing of a URL that might be secret."""
    place = Place.of(url)
    return "" if place is None else f"{place.host}:{place.port}"


def _at(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S}Z"


def history_readings(watch: Watch, watched: Watched) -> tuple[Reading, ...]:
    """A reading of each endpoint: how many (value) of its last checks failed, and how many are too
    many (bound). What an incident is, or was, about is no history of its own."""
    rule, now = watched.runbook.detection, watch.now()
    probes = [probe for probe in watched.runbook.probes if not probe.costs]
    with watch.store.read() as session:
        trouble = incidents.current(session, watched.name)
        if trouble is not None and not trouble.has_reached(State.RESOLVED):
            return ()
        over = incidents.last_recovery(session, watched.name)
        seen = [
            tuple(
                reading
                for reading in observations.last_of_probe(
                    session, watched.name, probe.name, rule.occasional_of
                )
                if over is None or reading.at > over
            )
            for probe in probes
        ]
    return tuple(
        history_reading(probe, past, rule, now) for probe, past in zip(probes, seen, strict=True)
    )


def history_reading(
    probe: Probe, past: Sequence[Reading], rule: Detection, now: datetime
) -> Reading:
    """Pure. `past`: what the last checks saw of this endpoint, the newest first."""
    told = [reading for reading in past if reading.outcome is not Outcome.UNKNOWN]
    failed = [reading for reading in told if _failed(reading)]
    fault = Counter(_word(reading) for reading in failed).most_common(1)
    outcome = Outcome.DEGRADED if len(failed) >= rule.occasional_needed else Outcome.OK
    said = f"{len(failed)} of the last {len(told)} checks failed"
    said += f", the last at {failed[0].at:%H:%M:%S}Z ({_word(failed[0])})" if failed else ""
    return Reading(
        probe=probe.name,
        kind=Kind.HISTORY,
        target=f"history of {probe.name}",
        at=now,
        outcome=outcome if len(told) >= ENOUGH else Outcome.UNKNOWN,
        latency_s=0.0,
        fault=fault[0][0] if fault else None,
        detail=said,
        critical=probe.critical,
        value=float(len(failed)),
        bound=float(rule.occasional_needed),
        unit="checks",
    )


def _failed(reading: Reading) -> bool:
    """Not what it was asked for. An answer that was merely slow is an answer."""
    if reading.outcome is Outcome.DEGRADED:
        return reading.fault is not None or not 200 <= (reading.status or 0) < 300
    return reading.outcome is Outcome.DOWN


def _word(reading: Reading) -> str:
    return reading.fault or (str(reading.status) if reading.status is not None else "no answer")
