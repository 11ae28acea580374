"""What was ruled out, in lines: the rivals that were weighed, and of the rest how many there are."""

from __future__ import annotations

from watchkeeper.diagnosis import RuledOut


def ruled_out_lines(found: tuple[RuledOut, ...], *, everything: bool = False) -> tuple[str, ...]:
    """A line for each reason, with all that it rules out: `vendor_outage, slow_vendor: /x answered
    200`. Of what showed no sign only the number comes last; with `everything` the names."""
    by_reason: dict[str, list[str]] = {}
    for out in found:
        if out.weighed:
            by_reason.setdefault(out.because, []).append(out.cause)
    lines = [f"{', '.join(causes)}: {reason}" for reason, causes in by_reason.items()]
    unseen = [out.cause for out in found if not out.weighed]
    if not unseen:
        return tuple(lines)
    more = "more " if lines else ""
    number = f"{len(unseen)} {more}{'cause' if len(unseen) == 1 else 'causes'} of the runbook"
    return (*lines, f"no sign of {', '.join(unseen) if everything else number}")
