"""Instants that are kept, against a clock that may be set back.

Whatever holds for a while is kept with its term. An expiry further ahead than its term was written
by a clock that has been set back since: it is void, however far ahead it lies.
"""

from __future__ import annotations

from datetime import datetime, timedelta

# Clocks of machines on one database may differ by so much.
DRIFT = timedelta(minutes=1)


def void(expires_at: datetime, term: timedelta | None, now: datetime) -> bool:
    """Nothing that holds now can end so late. Of a row of before terms were kept no more is known."""
    return term is not None and expires_at > now + term + DRIFT


def holds(expires_at: datetime, term: timedelta | None, now: datetime) -> bool:
    return now < expires_at and not void(expires_at, term, now)


def ahead(at: datetime, now: datetime) -> bool:
    """Of what has happened: it cannot lie in the future, unless the clock was set back."""
    return at > now + DRIFT


def due(last: datetime, every: timedelta, now: datetime) -> bool:
    """Whether what is done each `every` is due; what was last done in the future is."""
    return now - last >= every or ahead(last, now)


def seconds(kept: float | None) -> timedelta | None:
    """A term as a row keeps it."""
    return None if kept is None else timedelta(seconds=kept)
