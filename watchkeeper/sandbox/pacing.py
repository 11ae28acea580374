"""How the service holds itself back: its calls by a pace, its intake by a bucket."""

import threading
import time
from collections.abc import Callable

LOOK_EVERY_S = 0.1
Rate = Callable[[], float | None]


class Pacer:
    """Lets calls pass one after another, no two closer than `rate` (calls a second) allows.

    The rate is looked at again while somebody waits: a cap that is lifted must not be waited out.
    """

    def __init__(
        self,
        rate: Rate,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate, self.monotonic, self.sleep = rate, monotonic, sleep
        self._last = float("-inf")
        self._lock = threading.Lock()

    def wait(self) -> None:
        while (left_s := self._left_s()) > 0:
            self.sleep(min(left_s, LOOK_EVERY_S))

    def _left_s(self) -> float:
        with self._lock:
            rate, now = self.rate(), self.monotonic()
            left_s = self._last + 1 / rate - now if rate else 0.0
            if left_s <= 0:
                self._last = now
            return left_s


class Intake:
    """Takes so many items a second, and what a second of quiet has saved."""

    def __init__(self, rate: Rate, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.monotonic = rate, monotonic
        self._saved, self._at = 1.0, monotonic()
        self._lock = threading.Lock()

    def takes(self) -> bool:
        with self._lock:
            rate, now = self.rate(), self.monotonic()
            since_s, self._at = now - self._at, now
            if rate is None:
                return True
            self._saved = min(self._saved + since_s * rate, max(rate, 1.0)) if rate else 0.0
            if self._saved < 1:
                return False
            self._saved -= 1
            return True
