"""Which one thing to vary next: the contrast probes that could still tell causes apart.

Pure: from what the first answers are, within the runbook's probe budget. While the vendor throttles
us nothing more is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from watchkeeper.evidence import Evidence, Reading
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.probes import ContrastProbe
from watchkeeper.signs.answers import Answer, failing, those
from watchkeeper.signs.ours import service_sick

# How often an endpoint is asked again, by how it answered at first. What failed: half of the
# requests failing is then seen 15 times of 16. What was well: did it begin to fail meanwhile? What
# was silent: each time may last until the deadline.
AGAIN_FAILED, AGAIN_WELL, AGAIN_SILENT = 4, 3, 2
# What can prove something comes first: a small budget has turns for the first few only.
KEYS = ("other_key", "second_key", "no_key", "made_up_key")
_REFUSALS = (Answer.REFUSED, Answer.FORBIDDEN)
_BROKEN = (Answer.SERVER_ERROR, Answer.SILENT, Answer.PAGE)


@dataclass(frozen=True, slots=True)
class Contrast:
    """One request: what it varies, its path, and the endpoint that it is held against."""

    varies: str
    path: str
    of: str = ""


def worth_asking(evidence: Evidence, runbook: Runbook) -> tuple[Contrast, ...]:
    """The most telling first; no more than the budget allows."""
    if those(evidence, Answer.THROTTLED) or not (failing(evidence) or service_sick(evidence).holds):
        return ()
    offered: dict[str, ContrastProbe] = {probe.varies: probe for probe in runbook.contrast_probes}
    return tuple(islice(_wanted(evidence, offered), runbook.thresholds.contrast_requests))


def _wanted(evidence: Evidence, offered: dict[str, ContrastProbe]) -> Iterator[Contrast]:
    refused, broken = those(evidence, *_REFUSALS), those(evidence, *_BROKEN)
    missing = those(evidence, Answer.MISSING)
    if refused:
        # At an endpoint that is refused, so that the key is all that differs.
        target = _worst(refused)
        yield from (Contrast(v, target.target, target.probe) for v in KEYS if v in offered)
    elif broken and "no_key" in offered:
        target = _worst(broken)
        yield Contrast("no_key", target.target, target.probe)
    if broken and (direct := offered.get("direct")) and direct.path:
        yield Contrast("direct", direct.path)
    if missing and "description" in offered:
        yield from (Contrast("description", r.target, r.probe) for r in missing)
    if "again" in offered:
        yield from _again(_worth_again(evidence, bool(refused or broken)))


def _worth_again(evidence: Evidence, wavers: bool) -> tuple[Reading, ...]:
    """`wavers`: what was seen can come and go, so all are asked again."""
    if wavers:
        return evidence.endpoints
    if failing(evidence):
        # A wrong answer stays wrong; but did it begin while we looked, and is it everywhere by now?
        return tuple(r for r in evidence.endpoints if r.succeeded)
    # Our service is unwell and the vendor answers us: do we see what it sees?
    return tuple(r for r in evidence.endpoints if r.critical)


def _again(readings: tuple[Reading, ...]) -> Iterator[Contrast]:
    """Round by round, what fails first, so that a small budget still asks each of them once."""
    ordered = sorted(readings, key=lambda r: (r.succeeded, r.probe))
    for turn in range(AGAIN_FAILED):
        for reading in ordered:
            most = AGAIN_WELL if reading.succeeded else AGAIN_FAILED
            if turn < (most if reading.answered else AGAIN_SILENT):
                yield Contrast("again", reading.target, reading.probe)


def as_of_last(
    endpoints: tuple[Reading, ...], contrasts: tuple[Reading, ...]
) -> tuple[Reading, ...]:
    """The endpoints, with the last word of those that were well at first and failed every time
    after: the trouble began while we looked."""
    return tuple(_last_word(first, contrasts) for first in endpoints)


def _last_word(first: Reading, contrasts: tuple[Reading, ...]) -> Reading:
    later = [r for r in contrasts if r.probe == "again" and r.of == first.probe]
    if not later or not first.succeeded or any(r.succeeded for r in later):
        return first
    last = max(later, key=lambda r: (r.at, r.latency_s))
    return replace(last, probe=first.probe, kind=first.kind, of=first.of)


def _worst(readings: tuple[Reading, ...]) -> Reading:
    """A critical one where there is one."""
    return next((r for r in readings if r.critical), readings[0])
