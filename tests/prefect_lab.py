"""Small flows on which tests/test_prefect_facts.py tries Prefect. Each tells what it did in a file."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Literal

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.deployments.flow_runs import arun_deployment
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.states import Completed


class Approval(RunInput):
    """What a person decides: the decision has no default, so that silence approves nothing."""

    decision: Literal["approve", "deny"]
    reason: str = ""


def mark(diary: str, what: str, **facts: Any) -> None:
    """Append one line to the diary of this test; short appends of separate processes do not mix."""
    line = {"what": what, "pid": os.getpid(), "at": time.time(), "run": flow_run.id} | facts
    with Path(diary).open("a") as file:
        file.write(json.dumps(line) + "\n")


@flow
async def phase(diary: str, name: str) -> None:
    mark(diary, name)


@flow
async def approval(diary: str) -> None:
    """Two phases with a question after each: the shape of our responder."""
    mark(diary, "top")
    await phase(diary, "first phase")
    first = await asuspend_flow_run(wait_for_input=Approval, key="first", timeout=300)
    mark(diary, "first answer", decision=first.decision)
    await phase(diary, "second phase")
    second = await asuspend_flow_run(wait_for_input=Approval, key="second", timeout=300)
    mark(diary, "second answer", decision=second.decision)


@flow
async def asks_inside(diary: str) -> None:
    mark(diary, "inside")
    await asuspend_flow_run(wait_for_input=Approval, key="inside", timeout=300)


@flow
async def expiring(diary: str) -> None:
    """A question that nobody answers in time."""
    mark(diary, "top")
    await asuspend_flow_run(wait_for_input=Approval, key="expiring", timeout=2)
    mark(diary, "answered")


@flow
async def nested(diary: str) -> None:
    """A question asked where it is not allowed: in a subflow."""
    try:
        await asks_inside(diary)
    except Exception as error:
        mark(diary, "refused", error=str(error))
        raise


@task
async def long_task(diary: str) -> None:
    mark(diary, "task")
    await asyncio.sleep(300)


@flow
async def sleeper(diary: str) -> None:
    """Something to kill."""
    mark(diary, "top")
    await long_task(diary)


@flow
async def quick(diary: str) -> None:
    mark(diary, "quick", scheduled=flow_run.scheduled_start_time.timestamp())


@flow
async def caller(diary: str) -> None:
    """Start another run twice with one idempotency key."""
    for _ in range(2):
        run = await arun_deployment(
            "quick/lab",
            parameters={"diary": diary},
            timeout=0,
            as_subflow=False,
            idempotency_key=diary,
        )
        mark(diary, "asked", child=str(run.id), parent=str(run.parent_task_run_id))


@flow
async def whereabouts(diary: str) -> None:
    """Tell which module the run executes, and where it stands."""
    here, colour = str(Path.cwd()), os.environ.get("LAB_COLOUR")
    mark(diary, "whereabouts", module=__name__, cwd=here, colour=colour, path=sys.path)


@flow
async def nothing_to_do() -> State[None]:
    return Completed(name="Paused", message="the job is paused by incident 7")
