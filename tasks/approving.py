"""A person's yes or no to a plan, by Prefect's form or by `watchkeeper approve`."""

from __future__ import annotations

from typing import Literal

from prefect.input import RunInput
from prefect.runtime import flow_run
from pydantic import Field

from tasks.context import current
from tasks.mitigating import record_answer
from watchkeeper.incident import Incident
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.responding import resumed, suspended
from watchkeeper.store import approvals
from watchkeeper.store.approvals import Approval


class Decision(RunInput):
    """The form of a suspended run. The decision has no default: an empty resume approves nothing."""

    decision: Literal["approve", "deny"]
    by: str = Field(min_length=1, description="Your name, for the timeline")
    reason: str = Field(default="", description="Why, for the timeline")


def going_to_wait(duty: Duty, question: Approval) -> None:
    """From here the run has no process: it counts as alive until the question runs out."""
    watch = current()
    with watch.store.write() as session:
        approvals.waits_in(session, question.id, str(flow_run.id))
    suspended(watch, duty, question.expires_at)


def seconds_to_answer(question: Approval) -> int:
    return max(1, int((question.expires_at - current().now()).total_seconds()))


async def take_answer(duty: Duty, incident: Incident, question: Approval, answer: Decision) -> None:
    """An answer by command is in our record already; one by the form is written down now."""
    resumed(current(), duty)
    with current().store.read() as session:
        written = {asked.id for asked in approvals.unanswered(session, incident.id)}
    if question.id in written:
        given = (answer.decision, answer.by, answer.reason)
        await record_answer(incident, *given, question.plan_hash)
