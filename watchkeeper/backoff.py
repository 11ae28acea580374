"""How long to wait before the next try, when it is not known how many it will take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles from `first_s` to `cap_s`; `jitter` is the share by which a pause may be shorter."""

    first_s: float = 1.0
    cap_s: float = 60.0
    jitter: float = 0.3

    def pause_s(self, failures: int, draw: float) -> float:
        """After so many failures in a row; `draw` in [0, 1) is chance, handed in."""
        # 2.0 ** 1024 overflows, and the cap is reached long before.
        full = min(self.cap_s, self.first_s * 2.0 ** min(max(failures - 1, 0), 60))
        return full * (1 - self.jitter * draw)
