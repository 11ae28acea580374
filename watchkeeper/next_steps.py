"""What a person does after a triage: the commands, then what the runbook says to check and to do."""

from __future__ import annotations

from collections.abc import Iterator

from watchkeeper.diagnosis import Verdict
from watchkeeper.evidence import Kind, Outcome
from watchkeeper.incident import State
from watchkeeper.signs import sign_named
from watchkeeper.told import Told


def next_command(told: Told) -> str | None:
    """The one command to give now; None where there is nothing to do."""
    found, name = told.incident, told.name
    if told.diagnosis.healthy:
        return "watchkeeper status" if found else None
    if found is None:
        return f'watchkeeper incident open {name} --reason "{told.diagnosis.cause or "not well"}"'
    if told.question:
        return told.question
    if told.runbook.mitigations_for(told.diagnosis.cause) and not found.has_reached(
        State.MITIGATED
    ):
        return f"watchkeeper mitigate {name}"
    return f"watchkeeper incident show INC-{found.id}"


def more_commands(told: Told) -> tuple[str, ...]:
    """What would make the diagnosis surer, unless the first command says it already."""
    first = next_command(told) or ""
    return tuple(command for command in _more_commands(told) if command not in first)


def _more_commands(told: Told) -> Iterator[str]:
    if told.diagnosis.healthy:
        return
    if _wants_key(told):
        yield f"watchkeeper key offer {told.name}"
    asked = {r.probe for r in told.evidence.of(Kind.ENDPOINT)}
    unasked = [p.name for p in told.runbook.probes if p.costs and p.name not in asked]
    if told.diagnosis.verdict is Verdict.INCONCLUSIVE and unasked:
        yield f"watchkeeper triage {told.name} --with {' --with '.join(unasked)}"


def _wants_key(told: Told) -> bool:
    store = told.evidence.one(Kind.KEY, "store")
    if store is not None and store.outcome is Outcome.DOWN:
        return True
    named = told.runbook.mitigations_for(told.diagnosis.cause)
    rotates = any(m.action == "rotate_key" for m in named)
    return rotates and told.evidence.contrast("other_key") is None


def checks(told: Told) -> tuple[str, ...]:
    """What to look at, in the runbook's words, and what would prove it where it is only likely."""
    rule, leading = told.rule, told.diagnosis.leading
    if rule is None or leading is None:
        return ()
    open_ends = (tuple(s for s in way if not _holds(told, s)) for way in rule.ways)
    ways = list(dict.fromkeys(" and ".join(map(_sign_words, way)) for way in open_ends))
    unproven = leading.verdict is Verdict.LIKELY and ways
    proof = (f"it would be confirmed by: {', or '.join(ways)}",) if unproven else ()
    return (rule.check, *proof)


def _holds(told: Told, sign: str) -> bool:
    """What is seen already need not be told as missing."""
    return sign_named(sign)(told.evidence).holds is True


def next_steps(told: Told) -> tuple[str, ...]:
    """Everything to do, the first thing first: commands, then what to check, then the steps."""
    first = next_command(told)
    commands = ((first,) if first else ()) + more_commands(told)
    return (*commands, *checks(told), *(told.rule.steps if told.rule else ()))


def mitigations(told: Told) -> tuple[str, ...]:
    """`rotate-key (approve): Stage a new key, ...`."""
    named = told.runbook.mitigations_for(told.diagnosis.cause)
    return tuple(f"{m.name} ({m.autonomy}): {m.summary}" for m in named)


def _sign_words(sign: str) -> str:
    return sign.replace("_", " ").replace(":", " ")
