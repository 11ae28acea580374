"""A Cloud Run service as values, and where its traffic goes. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from watchkeeper.harmless import harmless

MARK = "watchkeeper/restart"
ALL = 100
# Google's numbers.
_LATEST = 1
_FAILED, _SUCCEEDED = 3, 4
_MANUAL = 2


@dataclass(frozen=True, slots=True)
class Target:
    """Where a share of the traffic goes, in percent: the latest revision that is ready where none
    is named. A `tag` gives it an address of its own."""

    revision: str
    percent: int
    tag: str = ""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """`settled`: Cloud Run is done with the last change; `failed` says why it could not be made.

    `created` and `ready` are the newest revision, and the newest that is ready.
    """

    mark: str | None
    settled: bool
    failed: str
    created: str
    ready: str
    wanted: tuple[Target, ...]
    given: tuple[Target, ...]
    etag: str = ""

    @property
    def pinned(self) -> str | None:
        """The revision that all traffic is sent to by name; None where it goes to the latest."""
        named = [t for t in self.wanted if t.percent]
        return named[0].revision or None if len(named) == 1 else None

    @property
    def split(self) -> bool:
        return len([t for t in self.wanted if t.percent]) > 1

    @property
    def new_is_ready(self) -> bool:
        return (
            self.settled and not self.failed and bool(self.created) and self.ready == self.created
        )

    @property
    def new_serves(self) -> bool:
        """The newest revision is ready, and receives all of the traffic."""
        shares = {(t.revision or self.ready, t.percent) for t in self.given if t.percent}
        return self.new_is_ready and shares == {(self.created, ALL)}


def refusal(state: ServiceState) -> str | None:
    """Why a new revision must not be made of the template, or None."""
    if state.split:
        return "its traffic is split between revisions: send it all to one first"
    if state.pinned not in (None, state.created):
        return (
            f"its traffic is pinned to {state.pinned}, and a new revision would be made as"
            f" {state.created} is, which does not serve: send the traffic to that one first"
        )
    return None


def moved(state: ServiceState) -> tuple[Target, ...]:
    """All the traffic to the newest revision. A tag stays at its revision, without traffic."""
    tagged = tuple(replace(t, percent=0) for t in state.wanted if t.tag)
    return (*tagged, Target(state.created, ALL))


def state_of(service: Any) -> ServiceState:
    """From the client's Service."""
    condition = service.terminal_condition
    taken_up = service.observed_generation >= service.generation
    state = int(condition.state)
    return ServiceState(
        mark=service.template.annotations.get(MARK),
        settled=taken_up and not service.reconciling and state in (_FAILED, _SUCCEEDED),
        failed=harmless(condition.message or "it failed") if state == _FAILED else "",
        created=_short(service.latest_created_revision),
        ready=_short(service.latest_ready_revision),
        wanted=_targets(service.traffic) or (Target("", ALL),),
        given=_targets(service.traffic_statuses),
        etag=service.etag,
    )


@dataclass(frozen=True, slots=True)
class Scaling:
    """`least` instances run, and `most` may; `floor` of them by the revision's own settings.
    `manual`: exactly `least`, whatever the traffic."""

    least: int
    floor: int
    most: int | None
    manual: bool


def scaling_of(service: Any) -> Scaling:
    """From the client's Service. Where both the service and its revision tell, the larger rules."""
    whole, each = service.scaling, service.template.scaling
    if int(whole.scaling_mode) == _MANUAL:
        return Scaling(whole.manual_instance_count or 0, 0, None, manual=True)
    bounds = [n for n in (whole.max_instance_count, each.max_instance_count) if n]
    return Scaling(
        least=max(whole.min_instance_count, each.min_instance_count),
        floor=each.min_instance_count,
        most=min(bounds, default=None),
        manual=False,
    )


def _targets(listed: Any) -> tuple[Target, ...]:
    # The status names the revision behind the latest one sometimes.
    return tuple(
        Target("" if int(t.type_) == _LATEST else _short(t.revision), t.percent, t.tag)
        for t in listed
    )


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]
