"""What is easily taken for another fault: who wrote an error, where an answer ends, what our service
and our own record say beside it."""

from __future__ import annotations

from deployments.drill.cases.answers_table import SPENT, answers
from deployments.drill.cases.case import Case
from deployments.drill.cases.table import DOWN_MX, M, T

NOTHING_ELSE = {"control": {"mode": "refuse"}, "page": {"broken": "hang"}}

# Errors that nobody signs, answers that do not come to their end, limits of another kind.
_ANSWERS = (
    Case(name="504-before-the-api", says="504 from a front, and the page is green", vendor=M,
         wire={"mode": "answer", "status": 504}, causes=("vendor_hangs",), severity=1, proven=False),
    Case(name="504-and-red-page", says="504 from a front, and the page admits an outage", vendor=M,
         wire={"mode": "answer", "status": 504}, page=DOWN_MX, causes=("vendor_outage",), severity=1,
         proven=True),
    Case(name="502-of-anybody", says="a page says 502, and nothing else can be reached", vendor=T,
         wire={"mode": "answer", "status": 502}, **NOTHING_ELSE, causes=("network_issue",),
         severity=1, proven=False),
    Case(name="answers-break-off", says="each answer ends in its middle", vendor=T,
         wire={"mode": "cut"}, causes=("network_issue",), severity=1, proven=False),
    Case(name="limit-of-another-kind", says="403: too many calls at a time; ours are few", vendor=M,
         faults=(answers(403, {"message": "Too many concurrent requests"}),), measured=True,
         causes=("rate_limit_exceeded",), severity=2, proven=False),
    Case(name="limit-of-another-kind-spent", says="403, and the headers say that nothing is left",
         vendor=M, faults=(answers(403, {"message": "Forbidden"}, headers=SPENT),), measured=True,
         settle_s=1.5, causes=("rate_limit_shared",), severity=2, proven=False),
)  # fmt: skip

LOOK_ALIKES = _ANSWERS
