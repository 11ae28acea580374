"""The first day with a real vendor: a few requests that change nothing, and what they prove."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.credentials.reading import ask_store, unreachable
from watchkeeper.credentials.references import open_source
from watchkeeper.errors import Transient, UserError
from watchkeeper.evidence import Outcome, Reading
from watchkeeper.performing.connectors import client_of
from watchkeeper.performing.health_probe import service_readings
from watchkeeper.performing.status_probe import status_page_reading
from watchkeeper.performing.trying import Budget, Trial, try_lists, try_probes
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.vendor.trial import Check, clock_check, fails, open_, rate_check, works

MOST_REQUESTS = 10


@dataclass(frozen=True, slots=True)
class Connection:
    """What was tried with so many requests, and what came of it."""

    integration: str
    requests: int
    most: int
    checks: tuple[Check, ...]

    @property
    def works(self) -> bool:
        """Nothing that was tried fails; what could not be known does not count."""
        return all(check.verdict != "does not work" for check in self.checks)


async def connect(watch: Watch, watched: Watched, most: int = MOST_REQUESTS) -> Connection:
    """Key, probes, status page, our service, one page of each list, and with what is left of the
    budget what a first page did not show. Read-only; needs no Prefect server."""
    async with client_of(watch, watched, "probe") as client:
        on = Trial(watch, watched, client, Budget(most))
        on.put(await _key(on))
        await _try(on)
    return Connection(watched.name, on.budget.spent, most, tuple(on.checks.values()))


async def _try(on: Trial) -> None:
    has_key = on.checks["key"].verdict == "works"
    if has_key:
        await try_probes(on)
    await _status_page(on)
    await _service(on)
    if not has_key:
        on.put(open_("the vendor's API", "not tried: there is no key to ask with"))
        return
    if any(reading.outcome is not Outcome.DOWN for reading in on.readings):
        await try_lists(on)
    else:
        on.put(open_("lists", "not tried: no probe was answered well"))
    skews_s = [r.skew_s for r in on.readings if r.skew_s is not None]
    book = on.watched.runbook
    on.put(rate_check(on.replies, book.rate_limit))
    on.put(clock_check(skews_s, book.thresholds.clock_skew))


async def _key(on: Trial) -> Check:
    reference = on.watched.integration.credential.reference
    try:
        secret = await ask_store(reference, open_source(reference, on.watch.secrets_base).read)
    except UserError as error:
        return fails("key", str(error), f"put one in: watchkeeper key offer {on.watched.name}")
    except Transient as error:
        return fails("key", unreachable(error), "can this machine reach it? look again")
    return works("key", f"{reference} holds one, {secret.fingerprint}")


async def _status_page(on: Trial) -> None:
    if on.watched.status_url is None or not on.may_ask("status page"):
        return
    read = await on.budget.ask(lambda: status_page_reading(on.watch, on.watched, _patience(on)))
    if read.outcome is Outcome.UNKNOWN:
        todo = "open the page: are its kind, url, path and component right?"
        on.put(fails("status page", read.says(), todo))
    else:
        on.put(works("status page", read.says()))


async def _service(on: Trial) -> None:
    if on.watched.integration.service is None or not on.may_ask("our service"):
        return
    read = await on.budget.ask(lambda: _first_address(on))
    if read.succeeded:
        on.put(works("our service", read.says()))
    else:
        todo = "is service.health_url right, and does the service run?"
        if read.outcome is Outcome.UNKNOWN:
            todo = "is service.health_url right? A word of its own goes into service.health_words"
        on.put(fails("our service", read.says(), todo))


async def _first_address(on: Trial) -> Reading:
    """Its main address alone: each further one would be a request more."""
    entry = on.watched.integration
    assert entry.service is not None
    service = entry.service.model_copy(update={"health_urls": {}})
    alone = entry.model_copy(update={"service": service})
    watched = on.watched.model_copy(update={"integration": alone})
    (read,) = await service_readings(on.watch, watched, _patience(on))
    return read


def _patience(on: Trial) -> float:
    return on.watched.runbook.thresholds.probe_deadline.total_seconds()
