"""What the contrast probes said, in sentences: one thing was changed, and this came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from watchkeeper.evidence import Evidence, Kind, Reading
from watchkeeper.signs.answers import WELL, answer_of

_WITH = {
    "no_key": "with no key",
    "made_up_key": "with a key that nobody has",
    "other_key": "with the key that is offered",
    "second_key": "with the second key",
}


def contrast_sentences(evidence: Evidence) -> tuple[str, ...]:
    """`with no key: 401, the same answer as ours`; `again: 3 of 4 answered well`."""
    return tuple(_sentences(evidence))


def _sentences(evidence: Evidence) -> Iterator[str]:
    for varies, words in _WITH.items():
        for reading in evidence.contrasts(varies):
            ours = evidence.one(Kind.ENDPOINT, reading.of) if reading.of else None
            yield f"{words}: {answer(reading)}{_against(ours, reading)}"
    for reading in evidence.contrasts("direct"):
        yield f"at the vendor's own address, with no key: {answer(reading)}"
    for reading in evidence.contrasts("description"):
        yield f"in the vendor's description of its API: {reading.detail or answer(reading)}"
    if again := evidence.contrasts("again"):
        yield f"again: {_again(again)}"


def answer(reading: Reading) -> str:
    """`401`, or why there is none: `no answer (timeout)`."""
    return str(reading.status) if reading.answered else f"no answer ({_word(reading.fault)})"


def _against(ours: Reading | None, reading: Reading) -> str:
    if ours is None:
        return ""
    if reading.signature and reading.signature == ours.signature:
        return ", the same answer as ours"
    if (reading.status, reading.fault) == (ours.status, ours.fault):
        return ", in other words than ours" if reading.answered else ", as ours"
    return f", where ours gets {answer(ours)}"


def _again(readings: Iterable[Reading]) -> str:
    asked: dict[str, list[bool]] = {}
    for r in readings:
        asked.setdefault(r.of or r.target, []).append(answer_of(r, float("inf")) in WELL)
    counts = {of: f"{sum(well)} of {len(well)}" for of, well in asked.items()}
    told = counts.values() if len(counts) == 1 else (f"{of} {n}" for of, n in counts.items())
    return f"{', '.join(told)} answered well"


def _word(fault: str | None) -> str:
    return (fault or "nothing came").replace("_", " ")
