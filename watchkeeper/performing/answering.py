"""Answers given in Prefect's form: what counts is when they were submitted, not when the run that waits
for them woke."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from watchkeeper.errors import Transient, UserError
from watchkeeper.people import Account, Origin, name_of
from watchkeeper.performing.mitigating import record_answer
from watchkeeper.performing.responding import Executor, Given
from watchkeeper.performing.watch import Watch
from watchkeeper.store import approvals, incidents
from watchkeeper.store.approvals import Approval

logger = logging.getLogger(__name__)

# Prefect fails a suspended run at its own time-out: ours comes first, and finds the run there to wake.
PREFECT_WAITS_LONGER = timedelta(minutes=30)
# A submission just before the deadline is committed at Prefect's server a moment later.
SETTLES_IN = timedelta(seconds=5)


async def end_question(watch: Watch, executor: Executor, question: Approval) -> str | None:
    """What became of a question whose time is over: answered in the form before its deadline, or run
    out. None where that cannot be known yet: it stays open, and nothing is done, until Prefect's server
    can be asked."""
    given = None
    if question.flow_run_id is not None:
        if watch.now() < question.expires_at + SETTLES_IN:
            return None
        try:
            given = await last_given(executor, question)
        except Transient:
            logger.exception("the answer to plan %s cannot be asked for", question.plan_hash)
            _note_unknown(watch, question)
            return None
    try:
        return settle(watch, question, given)
    except UserError as error:
        # Such as a second yes of one person: it does not count, and the time is over.
        logger.exception("an answer to plan %s does not count", question.plan_hash)
        said = settle(watch, question, None)
        return f"{said} ({error})"


async def last_given(executor: Executor, question: Approval) -> Given | None:
    """The newest answer in the form that our record does not have yet. Raises Transient."""
    if question.flow_run_id is None:
        return None
    written = {vote["by"] for vote in question.votes}
    found = await executor.submitted(question.flow_run_id, question.form)
    new = [given for given in found if name_of(given.by) not in written]
    return max(new, key=lambda given: given.at, default=None)


def settle(watch: Watch, question: Approval, given: Given | None) -> str:
    """Write down what was given in time; what was not, or came late, counts as a no."""
    number = question.incident_id
    with watch.store.read() as session:
        incident = incidents.get(session, number)
    if given is not None and given.at < question.expires_at:
        said = (given.decision, given.by, given.reason, question.plan_hash)
        # Whose account it was is not known in Prefect's form.
        record_answer(watch, incident, *said, account=Account(origin=Origin.UI), at=given.at)
        return f"INC-{number}: {given.by} answered in time: {given.decision}"
    with watch.store.write() as session:
        if approvals.expire(session, question.id, watch.now()) is None:
            return f"INC-{number}: its question was answered meanwhile"
        text = "nobody answered in time: the plan counts as denied"
        if given is not None:
            late = f"{given.by} answered at {given.at:%H:%M:%S}Z, after the deadline"
            text = f"{late} ({question.expires_at:%H:%M:%S}Z): the plan counts as denied"
        incidents.note(session, number, text, now=watch.now())
    return f"INC-{number}: its question ran out"


def seconds_to_wait(question: Approval, now: datetime) -> int:
    """How long Prefect lets the run wait: longer than the question lasts."""
    left = question.expires_at - now + PREFECT_WAITS_LONGER
    return max(1, int(left.total_seconds()))


def _note_unknown(watch: Watch, question: Approval) -> None:
    text = (
        f"the time to answer plan {question.plan_hash} is over, and Prefect's server cannot be asked "
        "whether somebody did: nothing is done until it can"
    )
    with watch.store.write() as session:
        if text not in {line.text for line in incidents.timeline(session, question.incident_id)}:
            incidents.note(session, question.incident_id, text, now=watch.now())
