"""Which one thing to vary next: the contrast probes that could still tell causes apart.

Pure: from what the first answers are, within the runbook's probe budget. While the vendor throttles
us nothing more is asked of it; after a wait of a second or two that it asked for, only what it refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from watchkeeper.evidence import Evidence, Outcome, Reading
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.probes import ContrastProbe
from watchkeeper.signs.answers import WELL, Answer, answer_of, failing, those
from watchkeeper.signs.ours import service_sick

# How often an endpoint is asked again, by how it answered at first. What failed: half of the
# requests failing is then seen 15 times of 16. What was well: did it begin to fail meanwhile? What
# was silent: each time may last until the deadline.
AGAIN_FAILED, AGAIN_WELL, AGAIN_SILENT = 4, 3, 2
# A critical one that was well may only have been lucky.
AGAIN_CRITICAL = 5
# One that was throttled, and how long a look waits to ask it again.
AGAIN_THROTTLED, SHORT_WAIT_S = 3, 2.0
# What can prove something comes first: a small budget has turns for the first few only.
KEYS = ("other_key", "second_key", "no_key", "made_up_key")
_REFUSALS = (Answer.REFUSED, Answer.FORBIDDEN)
_BROKEN = (
    *(Answer.SERVER_ERROR, Answer.SILENT, Answer.PAGE),
    *(Answer.SHUT_OUT, Answer.INTERCEPTED, Answer.STRANGE),
)


@dataclass(frozen=True, slots=True)
class Contrast:
    """One request: what it varies, its path, and the endpoint that it is held against."""

    varies: str
    path: str
    of: str = ""
    # The vendor asked for so short a wait that the same look can ask again.
    after_s: float = 0.0
    # Sent before other repeats: it can prove something.
    first: bool = False


def worth_asking(
    evidence: Evidence, runbook: Runbook, restless: frozenset[str] = frozenset()
) -> tuple[Contrast, ...]:
    """The most telling first; no more than the budget allows. `restless`: endpoints that failed in
    a check of the last minutes: one good answer of theirs may be luck."""
    if throttled := those(evidence, Answer.THROTTLED):
        return _after_the_wait(evidence, runbook, throttled)
    if not (failing(evidence) or service_sick(evidence).holds or restless):
        return ()
    offered: dict[str, ContrastProbe] = {probe.varies: probe for probe in runbook.contrast_probes}
    wanted = _wanted(evidence, offered, restless)
    return tuple(islice(wanted, runbook.thresholds.contrast_requests))


def _after_the_wait(
    evidence: Evidence, runbook: Runbook, throttled: tuple[Reading, ...]
) -> tuple[Contrast, ...]:
    """Was it that one request? Asked once the vendor lets us, and only where it is soon, one endpoint
    alone was refused, and all others are well."""
    only = throttled[0]
    offered = any(probe.varies == "again" for probe in runbook.contrast_probes)
    if not offered or len(failing(evidence)) > 1 or len(evidence.endpoints) < 2:
        return ()
    if only.wait_s is None or only.wait_s > SHORT_WAIT_S:
        return ()
    once_more = Contrast("again", only.target, only.probe, only.wait_s)
    return (once_more,) * min(AGAIN_THROTTLED, runbook.thresholds.contrast_requests)


def _wanted(
    evidence: Evidence, offered: dict[str, ContrastProbe], restless: frozenset[str]
) -> Iterator[Contrast]:
    refused, broken = those(evidence, *_REFUSALS), those(evidence, *_BROKEN)
    missing = those(evidence, Answer.MISSING)
    if refused:
        # At an endpoint that is refused, so that the key is all that differs.
        target = _worst(refused)
        yield from (Contrast(v, target.target, target.probe) for v in KEYS if v in offered)
    elif broken and "no_key" in offered:
        target = _at(broken, offered)
        yield Contrast("no_key", target.target, target.probe)
    if broken and "direct" in offered:
        # The same path, so that the way there is all that differs.
        target = _at(broken, offered)
        yield Contrast("direct", target.target, target.probe)
    if missing and "description" in offered:
        yield from (Contrast("description", r.target, r.probe) for r in missing)
    if "again" in offered:
        yield from _again(_worth_again(evidence, bool(refused or broken), restless))


def _at(broken: tuple[Reading, ...], offered: dict[str, ContrastProbe]) -> Reading:
    """The endpoint that the direct probe names, where it fails; else the worst that does."""
    named = offered["direct"].path if "direct" in offered else None
    return next((r for r in broken if r.target == named), _worst(broken))


def _worth_again(evidence: Evidence, wavers: bool, restless: frozenset[str]) -> tuple[Reading, ...]:
    """`wavers`: what was seen can come and go, so all are asked again."""
    if wavers:
        return evidence.endpoints
    if failing(evidence):
        # A wrong answer stays wrong; but did it begin while we looked, and is it everywhere by now?
        return tuple(r for r in evidence.endpoints if r.succeeded)
    if restless:
        return tuple(r for r in evidence.endpoints if r.probe in restless or r.critical)
    # Our service is unwell and the vendor answers us: do we see what it sees?
    return tuple(r for r in evidence.endpoints if r.critical)


def _again(readings: tuple[Reading, ...]) -> Iterator[Contrast]:
    """Round by round, what fails first, so that a small budget still asks each of them once."""
    ordered = sorted(readings, key=lambda r: (r.succeeded, r.probe))
    bad = [r for r in ordered if not r.succeeded]
    if len(bad) == 1 and _kind(bad[0]) is Answer.SERVER_ERROR:
        # One that failed alone may have failed once: that takes all of its repeats to know.
        most = AGAIN_CRITICAL if bad[0].critical else AGAIN_FAILED
        yield from (Contrast("again", bad[0].target, bad[0].probe, first=True),) * most
        ordered = [r for r in ordered if r is not bad[0]]
    for turn in range(AGAIN_CRITICAL):
        for reading in ordered:
            well = AGAIN_CRITICAL if reading.critical else AGAIN_WELL
            most = well if reading.succeeded else AGAIN_FAILED
            if turn < (most if reading.answered else AGAIN_SILENT):
                yield Contrast("again", reading.target, reading.probe)


def as_of_last(
    endpoints: tuple[Reading, ...], contrasts: tuple[Reading, ...]
) -> tuple[Reading, ...]:
    """The endpoints by all of their answers: one that failed when it was asked again fails, though
    the first answer was a good one. That was luck, or the trouble began while we looked."""
    return tuple(_last_word(first, contrasts) for first in endpoints)


def _last_word(first: Reading, contrasts: tuple[Reading, ...]) -> Reading:
    later = [
        r
        for r in contrasts
        if r.probe == "again" and r.of == first.probe and r.outcome is not Outcome.UNKNOWN
    ]
    bad = [r for r in later if _kind(r) not in WELL]
    if _kind(first) not in WELL or not bad:
        return first
    # Some that our own repeats may have caused: too many requests, or too little time left for them.
    ever_after = first.succeeded and len(bad) == len(later)
    counted = bad if ever_after else [r for r in bad if not _may_be_ours(r)]
    if not counted:
        return first
    last = max(counted, key=lambda r: (r.at, r.latency_s))
    said = f"{len(bad)} of {len(later) + 1} requests failed"
    detail = f"{last.detail}; {said}" if last.detail else said
    return replace(last, probe=first.probe, kind=first.kind, of=first.of, detail=detail)


def _may_be_ours(reading: Reading) -> bool:
    return _kind(reading) is Answer.THROTTLED or reading.fault == "timeout"


def _kind(reading: Reading) -> Answer:
    return answer_of(reading, float("inf"))


def _worst(readings: tuple[Reading, ...]) -> Reading:
    """A critical one where there is one."""
    return next((r for r in readings if r.critical), readings[0])
