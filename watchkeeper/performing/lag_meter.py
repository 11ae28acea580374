"""Measuring how late this machine is: a thread that only sleeps, and when scheduled runs began."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from watchkeeper.heartbeat import Part, Result
from watchkeeper.lag import SAMPLE_S, WINDOW_S, Lag, lag_of
from watchkeeper.performing.watch import Watch
from watchkeeper.store import heartbeats


class LagMeter:
    """Use as a context manager. Its own thread sleeps and sees how late it wakes: what the event loop
    does meanwhile does not count, only what the machine and the interpreter withhold."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._late_s: deque[float] = deque(maxlen=int(WINDOW_S / SAMPLE_S))
        self._starts: deque[tuple[datetime, float]] = deque(maxlen=200)
        self._ended = threading.Event()
        self._monotonic = monotonic
        self._thread = threading.Thread(target=self._measure, daemon=True, name="lag")
        self.lag = Lag()

    def __enter__(self) -> LagMeter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)

    def record(
        self, watch: Watch, runs_since: datetime | None = None, interval: timedelta | None = None
    ) -> Lag:
        """Into our database, for whatever judges ages. `runs_since`: from when on runs may start, each
        `interval` one; None while none may."""
        now = watch.now()
        every = max(timedelta(seconds=watch.settings.sweep_interval_s), timedelta(minutes=1))
        with watch.store.write() as session:
            begun = heartbeats.last(session, Part.SCHEDULE)
            if begun is not None and begun.value is not None:
                start = (begun.at, begun.value)
                if not self._starts or self._starts[-1][0] < begun.at:
                    self._starts.append(start)
            waiting = timedelta(0)
            if runs_since is not None and interval is not None:
                began = self._starts[-1][0] if self._starts else runs_since
                waiting = now - max(began, runs_since) - interval
            self.lag = lag_of(tuple(self._late_s), tuple(self._starts), now, waiting)
            heartbeats.beat(
                session,
                Part.LAG,
                now,
                Result.WELL,
                self.lag.says(),
                every=every,
                value=self.lag.seconds,
            )
        return self.lag

    def _measure(self) -> None:
        began = self._monotonic()
        while not self._ended.wait(SAMPLE_S):
            now = self._monotonic()
            self._late_s.append(max(0.0, now - began - SAMPLE_S))
            began = now
