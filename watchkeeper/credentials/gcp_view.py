"""Two secrets' versions, as they stand between any two of our calls, read as stages."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.credentials.gcp_secret import GcpVersion
from watchkeeper.credentials.key_text import key_in
from watchkeeper.credentials.versions import Held, Stages
from watchkeeper.errors import UserError


@dataclass(frozen=True, slots=True)
class GcpView:
    """`kept` and `waiting`: the enabled versions, the newest first. `there`: either secret is.

    `promoting`: a promotion has added the key to S and not yet taken it from those that wait; so
    has a rollback that has only begun. `rolling_back`: a rollback has put the previous key back,
    and not yet closed the version that it took back.
    """

    kept: tuple[GcpVersion, ...]
    waiting: tuple[GcpVersion, ...]
    there: bool
    stages: Stages
    promoting: bool
    rolling_back: bool


def view(
    kept: tuple[GcpVersion, ...], waiting: tuple[GcpVersion, ...], there: bool, where: str
) -> GcpView:
    """Of `kept` at most two are given, of `waiting` the first has its text.

    Raises UserError where the current or the pending version holds no usable key.
    """
    current, previous = _held(kept[:1], where), _way_back(kept[1:2], where)
    pending = _held(waiting[:1], f"{where}, pending")
    promoting = _same(pending, current)
    if promoting:
        pending = None
    # An offered key that was current before waits since after the current one was added.
    rolling_back = (
        _same(pending, previous)
        and pending is not None
        and current is not None
        and pending.since < current.since
    )
    if rolling_back or _same(previous, current):
        previous = None
    stages = Stages(current, pending, previous)
    return GcpView(kept, waiting, there, stages, promoting, rolling_back)


def _same(one: Held | None, other: Held | None) -> bool:
    return one is not None and other is not None and one.secret == other.secret


def _way_back(versions: tuple[GcpVersion, ...], where: str) -> Held | None:
    """What is no key is none: it must not stand in the way of a new one."""
    try:
        return _held(versions, where)
    except UserError:
        return None


def _held(versions: tuple[GcpVersion, ...], where: str) -> Held | None:
    for version in versions:
        secret, spaced = key_in(version.text, None, f"{where} (version {version.number})")
        return Held(secret, version.number, version.created, spaced)
    return None
