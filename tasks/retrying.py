"""The one place that turns our errors into Prefect's retries.

Transient is asked again, to the limit; everything else is asked once. No other layer retries.
"""

from __future__ import annotations

from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from watchkeeper.errors import Transient

RETRIES = 4
DELAYS_S = [1, 2, 5, 10]


async def transient(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether another attempt may meet another answer."""
    try:
        await state.aresult()
    except Transient:
        return True
    except BaseException:  # whatever else it was, it is not for a retry to judge
        return False
    return False


# Never cached: a probe or a mitigation answered from a cache is last incident's answer.
STEP: dict[str, Any] = {
    "retries": RETRIES,
    "retry_delay_seconds": DELAYS_S,
    "retry_jitter_factor": 0.3,
    "retry_condition_fn": transient,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}
