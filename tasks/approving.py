"""A person's yes or no to a plan, by Prefect's form or by `watchkeeper approve`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Literal

from prefect.input import RunInput
from prefect.runtime import flow_run
from pydantic import Field

from tasks.context import current
from tasks.executing import PrefectExecutor
from watchkeeper.incident import Incident
from watchkeeper.performing.answering import last_given, seconds_to_wait, settle
from watchkeeper.performing.asking import build_question_text
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.responding import Given, resumed, suspended
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


async def form_of(question: Approval) -> str:
    """What a person reads above the fields: until when, on what evidence, whether the key is there."""
    return await asyncio.to_thread(build_question_text, current(), question)


def seconds_to_answer(question: Approval) -> int:
    return seconds_to_wait(question, current().now())


async def take_answer(duty: Duty, incident: Incident, question: Approval, answer: Decision) -> None:
    """An answer by command is in our record already; one by the form is written down now, with the time
    at which it was submitted: the deadline is for the person, not for the run that wakes."""
    watch = current()
    resumed(watch, duty)
    with watch.store.read() as session:
        open_now = {asked.id: asked for asked in approvals.unanswered(session, incident.id)}
    asked = open_now.get(question.id)
    if asked is None:
        return
    given = await last_given(PrefectExecutor(), replace(asked, flow_run_id=str(flow_run.id)))
    settle(
        watch,
        asked,
        given or Given(answer.decision, answer.by, answer.reason, watch.now()),
    )
