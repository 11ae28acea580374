"""Prefect as the executor: starting deployed flows, and waking suspended ones."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRunInput
from prefect.client.schemas.responses import SetStateStatus
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound

from tasks.plain_times import plain_utc
from watchkeeper.errors import Permanent, Transient
from watchkeeper.performing.responding import Given
from watchkeeper.store.approvals import APPROVE, DENY

# Of one question: a form for each yes that is wanted, with three rows each.
MOST_ANSWERS = 50


class PrefectExecutor:
    """Speaks to the server that this process was pointed at."""

    async def start(self, deployment: str, parameters: dict[str, object], key: str) -> None:
        try:
            await arun_deployment(
                deployment,
                parameters=dict(parameters),
                timeout=0,
                as_subflow=False,
                idempotency_key=key,
            )
        except ObjectNotFound:
            raise Permanent(f"Prefect has no deployment {deployment}: is `up` running?") from None
        except (httpx.HTTPError, RuntimeError) as error:
            raise Transient(
                f"{deployment} could not be started: Prefect does not answer "
                f"({type(error).__name__})"
            ) from None

    async def wake(self, flow_run_id: str, decision: str, by: str, reason: str) -> None:
        # Whatever is not a yes (a no, or no answer in time) reaches the run as a no.
        said = decision if decision == APPROVE else DENY
        answer: dict[str, Any] = {"decision": said, "by": by, "reason": reason}
        try:
            async with get_client() as client:
                answered = await client.resume_flow_run(UUID(flow_run_id), run_input=answer)
        except (httpx.HTTPError, RuntimeError) as error:
            raise Transient(
                f"run {flow_run_id} could not be woken ({type(error).__name__})"
            ) from None
        # A refused answer comes with HTTP 200. A run that is not suspended is no error of ours.
        if answered.status is SetStateStatus.REJECT:
            reason_given = getattr(answered.details, "reason", "")
            raise Transient(f"run {flow_run_id} was not woken: {str(reason_given)[:200]}")

    async def submitted(self, flow_run_id: str, form: str) -> tuple[Given, ...]:
        prefix, ending = f"suspended-{form}-", "-response"
        try:
            async with get_client() as client:
                found = await client.filter_flow_run_input(
                    UUID(flow_run_id), key_prefix=prefix, limit=MOST_ANSWERS, exclude_keys=set()
                )
        except ObjectNotFound:
            return ()
        except (httpx.HTTPError, RuntimeError) as error:
            raise Transient(
                f"run {flow_run_id} could not be asked for its answer ({type(error).__name__})"
            ) from None
        given = (_given(one) for one in found if one.key.endswith(ending))
        return tuple(one for one in given if one is not None)


def _given(one: FlowRunInput) -> Given | None:
    """None for what is no answer: anybody with the server's password can write one."""
    said, at = one.decoded_value, one.created
    if not isinstance(said, dict) or at is None or said.get("decision") not in (APPROVE, DENY):
        return None
    by, reason = said.get("by"), said.get("reason", "")
    if not isinstance(by, str) or not by.strip() or not isinstance(reason, str):
        return None
    return Given(said["decision"], by, reason, plain_utc(at))
