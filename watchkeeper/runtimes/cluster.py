"""A Kubernetes cluster by its official client, which is loaded only here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from watchkeeper.errors import Permanent, UserError, WatchkeeperError
from watchkeeper.runbook.acting import Cluster
from watchkeeper.runtimes.cluster_errors import told

# Seconds to connect, between two bytes, and for a whole call; the last one for a login helper too.
TIMEOUTS_S = (5.0, 10.0)
CALL_S = 30.0
MERGE = "application/merge-patch+json"
# Merges what is a list by its keys, as kubectl does; only the kinds that Kubernetes brings know it.
STRATEGIC = "application/strategic-merge-patch+json"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Api:
    """The parts of a cluster's API that we use; `read` and `change` run them in a thread.

    The client is asked for nothing twice: whoever called us decides whether to try again.
    """

    apps: Any
    batch: Any
    autoscaling: Any

    async def read(self, doing: str, call: Callable[..., T], *given: Any, **more: Any) -> T:
        """Raises Transient or Permanent."""
        return await _called(doing, call, given, more, changes=False)

    async def change(self, doing: str, call: Callable[..., T], *given: Any, **more: Any) -> T:
        """Raises Ambiguous too: the answer was lost, or the cluster failed while it did it."""
        return await _called(doing, call, given, more, changes=True)


@asynccontextmanager
async def opened(spec: Cluster, base: Path) -> AsyncIterator[Api]:
    """Raises Permanent where no configuration names a cluster; UserError without the extra."""
    client = await _open(spec, base)
    from kubernetes.client import AppsV1Api, AutoscalingV2Api, BatchV1Api

    try:
        yield Api(AppsV1Api(client), BatchV1Api(client), AutoscalingV2Api(client))
    finally:
        client.close()


async def _open(spec: Cluster, base: Path) -> Any:
    failed: WatchkeeperError
    try:
        async with asyncio.timeout(CALL_S):
            return await asyncio.to_thread(_client, spec, base)
    except ImportError:
        failed = UserError(
            "Kubernetes needs the extra `kubernetes`: pip install 'watchkeeper[kubernetes]'"
        )
    except Exception:  # the libraries' own, of many kinds; their texts may quote the file
        where = spec.kubeconfig or "the usual kubeconfig, and no account of a pod"
        context = f" with the context {spec.context}" if spec.context else ""
        failed = Permanent(f"no cluster can be opened by {where}{context}")
    raise failed


def _client(spec: Cluster, base: Path) -> Any:
    from kubernetes import client, config

    # Its own retries would send a change twice, and follow redirects with our token.
    configuration = client.Configuration()
    configuration.retries = False
    from_file: Any = config.load_kube_config
    from_pod: Any = config.load_incluster_config
    named = str(base / Path(spec.kubeconfig).expanduser()) if spec.kubeconfig else None
    if named or spec.context or _is_there(config.KUBE_CONFIG_DEFAULT_LOCATION):
        from_file(named, spec.context, client_configuration=configuration)
    else:
        from_pod(client_configuration=configuration)
    return client.ApiClient(configuration)


def _is_there(location: str) -> bool:
    """`location`: one file, or several as KUBECONFIG lists them."""
    return any(Path(one).expanduser().is_file() for one in location.split(os.pathsep))


async def _called(
    doing: str,
    call: Callable[..., T],
    given: tuple[Any, ...],
    more: dict[str, Any],
    *,
    changes: bool,
) -> T:
    try:
        async with asyncio.timeout(CALL_S):
            return await asyncio.to_thread(call, *given, **more, _request_timeout=TIMEOUTS_S)
    except Exception as error:  # whatever it is, its text may hold what we sent
        failed = told(error, doing, changes=changes)
    raise failed
