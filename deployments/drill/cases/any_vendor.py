"""The cases that any vendor can be rehearsed with, from its runbook alone.

A row of the usual name is expected where the runbook has one; else that any row explains the fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from deployments.drill.cases.case import ANY, Case
from deployments.drill.cases.table import EXPIRED, fault, outage
from deployments.drill.shape import PAGE_WORDS
from watchkeeper.runbook.api import StatusPage
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.probes import Probe


def cases_of(book: Runbook, file: str | None = None) -> tuple[Case, ...]:
    """Each failure that a runbook should know, planted in a simulator of its own vendor.

    `file`: the name of its file without `.yaml`, where that is not the vendor's.
    """
    return tuple(replace(c, vendor=file or book.vendor) for c in _cases(book, _lists(book)))


def _cases(book: Runbook, probes: list[Probe]) -> Iterator[Case]:
    page = {"page": _down(book.status_page)} if book.status_page else {}
    every = (
        ("key-expired", "the key is refused everywhere", "api_key_expired", {"faults": (EXPIRED,)}),
        (
            "key-expired-new-one-offered",
            "the key is refused, a new one is let in",
            "api_key_expired",
            {"faults": (EXPIRED,), "pending": "good"},
        ),
        ("key-missing", "there is no key to send", "key_missing", {"stored": "missing"}),
        (
            "outage",
            "server errors everywhere, and the vendor says so",
            "vendor_outage",
            {"faults": (outage(),), **page},
        ),
        (
            "throttled",
            "every request is too many",
            "rate_limit_exceeded",
            {"faults": (fault("throttled", limit=0, window_s=10),)},
        ),
        ("forbidden", "403 everywhere", "access_denied", {"faults": (fault("forbidden"),)}),
        ("gone", "404 everywhere", "api_path_changed", {"faults": (fault("not_found"),)}),
        (
            "unreachable",
            "nothing can be reached",
            "network_issue",
            {"wire": {"mode": "refuse"}, "control": {"mode": "refuse"}},
        ),
        (
            "slow",
            "every answer takes long",
            "slow_vendor",
            {"faults": (fault("slow", delay_s=_slow_s(book)),)},
        ),
        (
            "service-crash",
            "our own service is gone",
            "service_crash",
            {"service": ({"kind": "crash"},)},
        ),
    )
    for name, says, cause, planted in every:
        yield _case(book, name, says, cause, planted)
    for probe in probes[: len(probes) - 1] if len(probes) > 1 else ():
        path = probe.path.partition("?")[0]
        failing = {"faults": (outage(path),)}
        yield _case(book, f"down-{probe.name}", f"{path} fails", "intermittent_errors", failing)
    yield _case(book, "all-well", "all is well", None, {})


def _down(page: StatusPage) -> dict[str, str]:
    """The page's own word for a component that is down."""
    return {page.component or "API": PAGE_WORDS[page.kind][-1]}


def _lists(book: Runbook) -> list[Probe]:
    return [probe for probe in book.probes if not probe.costs and not probe.record]


def _slow_s(book: Runbook) -> float:
    """Slower than any bound of the lab, or of a probe of its own."""
    bounds = [p.expect.slow.total_seconds() for p in book.probes if p.expect.slow]
    return max([*bounds, 1.0]) + 0.4


def _case(book: Runbook, name: str, says: str, cause: str | None, planted: dict[str, Any]) -> Case:
    known = cause is not None and book.cause(cause) is not None
    return Case(
        name=f"{book.vendor}-{name}",
        says=says,
        vendor=book.vendor,
        causes=() if cause is None else (cause,) if known else (ANY,),
        severity=None,
        any_severity=True,
        mixed=True,
        **planted,
    )
