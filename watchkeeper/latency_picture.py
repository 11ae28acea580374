"""How long an endpoint took, drawn small: a bar for the terminal, a picture for Markdown."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from watchkeeper.evidence import Outcome, Reading

# Full is where slow begins.
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_STEPS = "▁▂▃▄▅▆▇█"
BEYOND = "»"
BAR_WIDTH = 10

MOST_LOOKS = 20
_STEP, _HEIGHT = 6, 24
# What failed at once is seen as well.
_LEAST, _LEAST_FAILED = 3, 9
_COLOUR = {
    Outcome.OK: "#2da44e",
    Outcome.DEGRADED: "#d4a72c",
    Outcome.DOWN: "#d1242f",
    Outcome.UNKNOWN: "#8b949e",
}


def bar(latency_s: float, slow_s: float, width: int = BAR_WIDTH) -> str:
    """To scale, in eighths of a character; at least one of them. Beyond slow it ends in `»`."""
    share = _share(latency_s, slow_s)
    if share > 1:
        return "█" * (width - 1) + BEYOND
    full, rest = divmod(max(1, round(share * width * 8)), 8)
    return ("█" * full + _EIGHTHS[rest]).rstrip()


def sparkline(latencies_s: Sequence[float], slow_s: float) -> str:
    """One character a look, the newest last."""
    top = len(_STEPS) - 1
    return "".join(_STEPS[round(min(1.0, _share(s, slow_s)) * top)] for s in latencies_s)


def picture(looks: Sequence[Reading], slow_s: float) -> str:
    """The last looks as an image in Markdown, of our own numbers alone. Who cannot see it reads the
    sparkline in its place."""
    last = looks[-MOST_LOOKS:]
    words = f"{sparkline([r.latency_s for r in last], slow_s)} of {slow_s:g} s"
    encoded = b64encode(_svg(last, slow_s).encode()).decode()
    return f"![{words}](data:image/svg+xml;base64,{encoded})"


def _svg(looks: Sequence[Reading], slow_s: float) -> str:
    width = MOST_LOOKS * _STEP
    bars = "".join(_bar(place, reading, slow_s) for place, reading in enumerate(looks))
    ground = f'<rect width="{width}" height="{_HEIGHT}" fill="#8b949e" fill-opacity="0.2"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}">'
        f"{ground}{bars}</svg>"
    )


def _bar(place: int, reading: Reading, slow_s: float) -> str:
    least = _LEAST if reading.succeeded else _LEAST_FAILED
    height = max(least, round(min(1.0, _share(reading.latency_s, slow_s)) * _HEIGHT))
    return (
        f'<rect x="{place * _STEP}" y="{_HEIGHT - height}" width="{_STEP - 1}" '
        f'height="{height}" fill="{_COLOUR[reading.outcome]}"/>'
    )


def _share(latency_s: float, slow_s: float) -> float:
    return latency_s / slow_s if slow_s > 0 else 1.0
