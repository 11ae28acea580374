"""Running many cases, in several labs beside each other, and what came of them as figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from deployments.drill.cases.case import Case, Found
from deployments.drill.cases.lab import Lab
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS

LABS = 2

Tell = Callable[[Found], None]


@dataclass(frozen=True, slots=True)
class Tally:
    """The figures that a campaign is judged by."""

    cases: int
    right: int
    inconclusive: int
    wrongly_confirmed: int
    slowest_s: float

    @property
    def share_right(self) -> float:
        return self.right / self.cases if self.cases else 0.0

    def says(self) -> str:
        return (
            f"{self.right} of {self.cases} right ({100 * self.share_right:.1f} %), "
            f"{self.inconclusive} inconclusive, {self.wrongly_confirmed} wrongly confirmed, "
            f"slowest {self.slowest_s:.1f} s"
        )


def tally(found: Sequence[Found]) -> Tally:
    return Tally(
        cases=len(found),
        right=sum(one.right for one in found),
        inconclusive=sum(one.inconclusive for one in found),
        wrongly_confirmed=sum(one.wrongly_confirmed for one in found),
        slowest_s=max((one.took_s for one in found), default=0.0),
    )


def run_cases(
    cases: Iterable[Case], tell: Tell, labs: int = LABS, runbooks: Path = SHIPPED_RUNBOOKS
) -> list[Found]:
    """Each in a lab of its vendor, several labs at once in processes of their own; `tell` gets
    each as it is done."""
    found: list[Found] = []
    spawn = get_context("spawn")
    with ProcessPoolExecutor(
        labs, mp_context=spawn, initializer=_begin, initargs=(runbooks,)
    ) as pool:
        running = [pool.submit(_one, case) for case in sorted(cases, key=lambda c: c.vendor)]
        for done in as_completed(running):
            found.append(done.result())
            tell(found[-1])
    return found


# --- in a process of its own ----------------------------------------------------------------------

_labs: dict[str, Lab] = {}
_runbooks = SHIPPED_RUNBOOKS


def _begin(runbooks: Path) -> None:
    global _runbooks
    _runbooks = runbooks
    # A worker ends without its exit handlers, but not without these.
    Finalize(None, _end, exitpriority=10)


def _end() -> None:
    for lab in _labs.values():
        lab.__exit__(None, None, None)


def _one(case: Case) -> Found:
    if case.vendor not in _labs:
        _labs[case.vendor] = Lab(case.vendor, _runbooks).__enter__()
    return _labs[case.vendor].run(case)


def as_json(found: Found) -> dict[str, Any]:
    """One object of `rehearse --json`."""
    return {
        "case": found.case.name,
        "says": found.case.says,
        "passed": found.right,
        "cause": {"expected": list(found.case.causes), "found": list(found.causes)},
        "verdict": found.verdict,
        "severity": {"expected": found.case.severity, "found": found.severity},
        "wrongly_confirmed": found.wrongly_confirmed,
        "took_s": round(found.took_s, 2),
        "failures": list(found.faults),
    }
