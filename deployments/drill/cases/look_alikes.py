"""What is easily taken for another fault: who wrote an error, where an answer ends, what our service
and our own record say beside it."""

from __future__ import annotations

from typing import Any

from deployments.drill.cases.answers_table import answers
from deployments.drill.cases.case import Case
from deployments.drill.cases.table import CRITICAL, DOWN_MX, M, T, fault

NOTHING_ELSE: dict[str, Any] = {"control": {"mode": "refuse"}, "page": {"broken": "hang"}}

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
)  # fmt: skip

ORDER = {"id": 7, "updatedAt": "2026-01-01T00:00:00Z"}
OLD, NEW = {"Age": "90000", "X-Cache": "HIT"}, {"Age": "30", "X-Cache": "HIT"}

# Good by their status and their shape.
_GOOD_ANSWERS = (
    Case(name="copy-of-yesterday", says="a cache on the way answers with work orders of yesterday",
         vendor=M, faults=(answers(200, {"workOrders": [ORDER]}, *CRITICAL, headers=OLD),),
         record=("well_walked",), causes=("answered_by_another",), severity=1, proven=False),
    Case(name="copy-of-now", says="a cache answers with what is half a minute old", vendor=M,
         faults=(answers(200, {"workOrders": [ORDER]}, *CRITICAL, headers=NEW),),
         record=("well_walked",), causes=(), severity=None),
    Case(name="list-emptied", says="a list is empty, and we hold its records", vendor=M,
         faults=(fault("empty", "/assets"),), record=("well_walked", "records_held"),
         causes=("source_gone_quiet",), severity=2, proven=False),
    Case(name="list-empty-of-old", says="a list is empty, and we never had a record of it", vendor=M,
         faults=(fault("empty", "/assets"),), record=("well_walked",), causes=(), severity=None),
    Case(name="label-that-breaks-our-service", says="declared gzip, and plain; our service fails",
         vendor=M, faults=(fault("encoded", declared="gzip"),), settle_s=1.5,
         causes=("api_contract_changed",), severity=1, proven=False),
)  # fmt: skip

# Our service is well at this moment.
_OUR_SERVICE = (
    Case(name="service-dies-of-memory", says="killed for memory, again and again; well just now",
         vendor=M, log="killed_again", causes=("service_crash",), severity=1, proven=False),
    Case(name="service-panics", says="it panics, again and again; well just now", vendor=T,
         log="panics", causes=("service_crash",), severity=1, proven=False),
    Case(name="service-killed-once", says="killed for memory once, and well since then", vendor=M,
         record=("well_walked",), log="killed_once", causes=(), severity=None),
    Case(name="service-syncs-no-more", says="healthy, no error, and its last sync was long ago",
         vendor=M, service=({"kind": "metric_lost", "value": "1700000000",
                             "metric": "maintainx_last_success_timestamp_seconds"},),
         measured=True, settle_s=1.5, causes=("sync_stalled",), severity=2, proven=False),
    Case(name="service-syncs", says="its last sync was just now", vendor=M, measured=True,
         record=("well_walked",), settle_s=1.5, causes=(), severity=None,
         read_as={"last_sync": "ok"}),
)  # fmt: skip

LOOK_ALIKES = (*_ANSWERS, *_GOOD_ANSWERS, *_OUR_SERVICE)
