"""How a service manager fails: it says so, or it does not."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

RESTART_FAILS, KEEPS_OLD_KEY, SCALE_FAILS = "restart_fails", "keeps_old_key", "scale_fails"
KINDS = (RESTART_FAILS, KEEPS_OLD_KEY, SCALE_FAILS)


class UnitFaults:
    """Each strikes so many `times`. `restart_fails`: a restart is refused, and the process goes on
    as it was; `keeps_old_key`: the same, and the manager says that all went well; `scale_fails`:
    the number of replicas stays."""

    def __init__(self) -> None:
        self._left: Counter[str] = Counter()

    def add(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Raises ValueError."""
        kind, times = raw.get("kind"), raw.get("times", 1)
        if kind not in KINDS or raw.keys() - {"kind", "times"}:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, and times is a number")
        if isinstance(times, bool) or not isinstance(times, int) or times < 1:
            raise ValueError("times is a whole number from 1")
        self._left[kind] += times
        return {"kind": kind, "times": self._left[kind]}

    def strikes(self, kind: str) -> bool:
        """Once less from now on."""
        if not self._left[kind]:
            return False
        self._left[kind] -= 1
        return True

    def end(self) -> list[str]:
        ended = [kind for kind, times in self._left.items() if times]
        self._left.clear()
        return ended

    def shown(self) -> list[dict[str, Any]]:
        return [{"kind": k, "times": n} for k, n in self._left.items() if n]
