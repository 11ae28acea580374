"""Counters, gauges and histograms, and their page in Prometheus' text format 0.0.4."""

import threading
from collections.abc import Iterable

BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Kept by name and labels; a metric without a name is not kept."""

    def __init__(self) -> None:
        self._counters: dict[str, dict[Labels, float]] = {}
        self._gauges: dict[str, float] = {}
        self._histograms: dict[str, dict[Labels, list[float]]] = {}
        self._lock = threading.Lock()

    def count(self, name: str | None, **labels: str) -> None:
        self.add(name, 1, **labels)

    def add(self, name: str | None, amount: float, /, **labels: str) -> None:
        if name is None:
            return
        with self._lock:
            series = self._counters.setdefault(name, {})
            key = tuple(labels.items())
            series[key] = series.get(key, 0.0) + amount

    def gauge(self, name: str | None, value: float) -> None:
        if name is not None:
            with self._lock:
                self._gauges[name] = value

    def observe(self, name: str | None, seconds: float, **labels: str) -> None:
        if name is None:
            return
        with self._lock:
            series = self._histograms.setdefault(name, {})
            sums = series.setdefault(tuple(labels.items()), [0.0] * (len(BUCKETS_S) + 2))
            for place, bound in enumerate(BUCKETS_S):
                sums[place] += seconds <= bound
            sums[-2] += 1
            sums[-1] += seconds

    def text(self) -> str:
        with self._lock:
            lines = [*self._counted(), *self._gauged(), *self._observed()]
        return "".join(f"{line}\n" for line in lines)

    def _counted(self) -> Iterable[str]:
        for name, series in self._counters.items():
            yield f"# TYPE {name} counter"
            yield from (f"{name}{_braced(key)} {value:g}" for key, value in series.items())

    def _gauged(self) -> Iterable[str]:
        for name, value in self._gauges.items():
            yield f"# TYPE {name} gauge"
            # A Unix time has more digits than `g` gives.
            yield f"{name} {value:.13g}"

    def _observed(self) -> Iterable[str]:
        for name, series in self._histograms.items():
            yield f"# TYPE {name} histogram"
            for key, sums in series.items():
                bounds = [*(f"{bound:g}" for bound in BUCKETS_S), "+Inf"]
                for bound, value in zip(bounds, sums[:-1], strict=True):
                    yield f"{name}_bucket{_braced((*key, ('le', bound)))} {value:g}"
                yield f"{name}_count{_braced(key)} {sums[-2]:g}"
                yield f"{name}_sum{_braced(key)} {sums[-1]:.6f}"


def _braced(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
