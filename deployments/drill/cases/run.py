"""Running many cases, in several labs beside each other, and what came of them as figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

from deployments.drill.cases.case import Case, Found
from deployments.drill.cases.lab import Lab
from deployments.drill.cases.variants import onset
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
    """Each in a lab of its vendor, several labs at once in processes of their own."""
    shares = list(_shares(sorted(cases, key=lambda case: case.vendor), labs))
    found: list[Found] = []
    with ProcessPoolExecutor(labs, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_in_one_lab, share, runbooks) for share in shares]
        for done in as_completed(running):
            for one in done.result():
                tell(one)
                found.append(one)
    return found


def _shares(cases: list[Case], labs: int) -> Iterator[list[Case]]:
    for _, same in groupby(cases, key=lambda case: case.vendor):
        listed = list(same)
        yield from filter(None, (listed[n::labs] for n in range(labs)))


def _in_one_lab(cases: list[Case], runbooks: Path) -> list[Found]:
    with Lab(cases[0].vendor, runbooks) as lab:
        return [lab.run(_begun(case)) for case in cases]


def _begun(case: Case) -> Case:
    return onset(case, Random(case.name)) if case.late else case


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
