"""What Prefect says of a drill's runs: their start lag, and the artifacts that were made."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx

# Seconds before each further try.
PAUSES_S = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Start:
    """One start or resume of a run: asked for, due, running."""

    flow: str
    due: datetime
    running: datetime

    @property
    def lag_s(self) -> float:
        return max(0.0, (self.running - self.due).total_seconds())


class PrefectView:
    """Reads the server's REST API; it asks for a CSRF token as the UI does."""

    def __init__(self, api: str, password: str) -> None:
        """`password`: `name:password`, as it stands in the home."""
        # A connection that was kept is closed under us while the server is busy.
        limits = httpx.Limits(max_keepalive_connections=0)
        name, _, word = password.partition(":")
        self._client = httpx.Client(
            base_url=api, timeout=15, trust_env=False, limits=limits, auth=(name, word)
        )
        self._renew_token()

    def _renew_token(self) -> None:
        """One is good for an hour by the server's clock, which a rehearsal may move."""
        client = str(uuid4())
        token = self._get("/csrf-token", client=client)["token"]
        self._client.headers.update({"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": client})

    def close(self) -> None:
        self._client.close()

    def run(self, deployment: str) -> None:
        """Press "Quick run" on a deployment, such as `sync/asset-sync`."""
        found = self._get(f"/deployments/name/{deployment}")
        path = f"/deployments/{found['id']}/create_flow_run"
        self._ask(path, {"state": {"type": "SCHEDULED"}, "idempotency_key": str(uuid4())})

    def deploys(self, deployment: str) -> bool:
        """Whether the server answers and has this one."""
        try:
            self._get(f"/deployments/name/{deployment}")
        except httpx.HTTPError:
            return False
        return True

    def deploy(self, deployment: str) -> None:
        """A job of somebody else's on the same server, such as `export/nightly`: it never runs."""
        flow, _, name = deployment.partition("/")
        found = self._ask("/flows/", {"name": flow})
        self._ask("/deployments/", {"name": name, "flow_id": found["id"], "paused": False})

    def schedule(self, deployment: str) -> str:
        """Whether its switch in the UI is on: `running`, or `paused`."""
        found = self._get(f"/deployments/name/{deployment}")
        return "paused" if found["paused"] else "running"

    def under_way(self) -> set[str]:
        """The runs that have a process now, or will have one at once."""
        states = {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}
        runs = self._ask(
            "/flow_runs/filter",
            {"flow_runs": {"state": states, "parent_task_run_id": {"is_null_": True}}},
        )
        return {str(run["id"]) for run in runs}

    def starts(self, since: datetime) -> list[Start]:
        """Every start and resume of a top-level run of `health` and `respond` that began then or
        later."""
        found: list[Start] = []
        for flow in ("health", "respond"):
            runs = self._ask(
                "/flow_runs/filter",
                {
                    "flows": {"name": {"any_": [flow]}},
                    "flow_runs": {
                        "parent_task_run_id": {"is_null_": True},
                        "start_time": {"after_": since.isoformat()},
                    },
                },
            )
            for run in runs:
                states = self._get("/flow_run_states/", flow_run_id=run["id"])
                found += _starts(flow, states)
        return sorted(found, key=lambda start: start.running)

    def artifact(self, key: str) -> dict[str, Any] | None:
        """The latest version of an artifact."""
        rows = self._ask("/artifacts/latest/filter", {"artifacts": {"key": {"any_": [key]}}})
        return rows[0] if rows else None

    def _ask(self, path: str, body: dict[str, Any]) -> Any:
        try:
            return self._send("POST", path, json=body)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.FORBIDDEN:
                raise
        self._renew_token()
        return self._send("POST", path, json=body)

    def _get(self, path: str, **params: str) -> Any:
        return self._send("GET", path, params=params)

    def _send(self, method: str, path: str, **more: Any) -> Any:
        """Asked again a few times: under load SQLite is locked (503), or a call hangs."""
        for pause_s in (*PAUSES_S, None):
            try:
                reply = self._client.request(method, path, **more)
            except httpx.TransportError:
                if pause_s is None:
                    raise
            else:
                if pause_s is None or reply.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    break
            time.sleep(pause_s)
        reply.raise_for_status()
        return reply.json()


def _starts(flow: str, states: list[dict[str, Any]]) -> list[Start]:
    found: list[Start] = []
    due: datetime | None = None
    for state in sorted(states, key=lambda s: s["timestamp"]):
        at = datetime.fromisoformat(state["timestamp"])
        if state["type"] == "SCHEDULED":
            planned = (state.get("state_details") or {}).get("scheduled_time")
            due = max(at, datetime.fromisoformat(planned)) if planned else at
        elif state["type"] == "RUNNING" and due is not None:
            found.append(Start(flow, due, at))
            due = None
    return found
