"""How Prefect's server on SQLite stands a burst: 20 clients, 60 runs of 10 calls each, nothing asked
again. `python -m benchmarks.server_load [MODE...]`; the modes are those of `MODES`.

Says for each: answers 503 ("database is locked"), calls over five seconds, the longest one, calls a
second, and the server's CPU time a run.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from deployments import prefect_server
from deployments.door import Address
from deployments.server import Server, free_address, sealed_environment, secure
from watchkeeper.settings import Settings

CLIENTS = 20
RUNS = 60
SLOW_S = 5.0
# What the server does about its lock, by the mode's name.
MODES: dict[str, tuple[Callable[[], None], ...]] = {
    "as-prefect-does": (),
    "at-once": (prefect_server.lock_at_once,),
}


@dataclass
class Seen:
    """Status codes, and the seconds that each call took."""

    codes: Counter[int] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)


@dataclass
class Caller:
    client: httpx.AsyncClient
    seen: Seen

    async def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        started = time.monotonic()
        try:
            reply = await self.client.request(method, path, json=body)
            self.seen.codes[reply.status_code] += 1
        except httpx.TransportError:
            self.seen.codes[0] += 1
            return {}
        finally:
            self.seen.took_s.append(time.monotonic() - started)
        said = reply.json() if reply.is_success and reply.content else {}
        return said if isinstance(said, dict) else {}

    async def run(self, flow: str) -> None:
        """What a small run does: ten calls, whatever became of the ones before."""
        made = await self.call("POST", "/flow_runs/", {"flow_id": flow, "state": state("PENDING")})
        run = made.get("id", str(uuid4()))
        await self.call("POST", f"/flow_runs/{run}/set_state", {"state": state("RUNNING")})
        asked = {"flow_run_id": run, "task_key": "step", "dynamic_key": uuid4().hex}
        step = (await self.call("POST", "/task_runs/", asked)).get("id", str(uuid4()))
        await self.call("POST", f"/task_runs/{step}/set_state", {"state": state("RUNNING")})
        await self.call("POST", "/artifacts/", {"key": f"k-{run}", "type": "markdown", "data": "x"})
        await self.call("PATCH", f"/flow_runs/{run}", {"tags": ["seen"]})
        await self.call("GET", f"/flow_runs/{run}")
        await self.call("POST", f"/task_runs/{step}/set_state", {"state": state("COMPLETED")})
        await self.call("POST", f"/flow_runs/{run}/set_state", {"state": state("COMPLETED")})
        await self.call("POST", "/flow_runs/filter", {"limit": 20})


def state(kind: str) -> dict[str, str]:
    return {"type": kind}


async def load(address: Address, password: str) -> Seen:
    name, _, word = password.partition(":")
    me, seen = uuid4().hex, Seen()
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(
        base_url=address.api, auth=(name, word), timeout=90, trust_env=False, limits=limits
    ) as client:
        token = (await client.get("/csrf-token", params={"client": me})).json()["token"]
        client.headers.update({"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": me})
        flow = (await client.post("/flows/", json={"name": "load"})).json()["id"]
        todo = iter(range(RUNS))

        async def work() -> None:
            for _ in todo:
                await Caller(client, seen).run(flow)

        await asyncio.gather(*(work() for _ in range(CLIENTS)))
    return seen


def measure(mode: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), port=0)
        address = free_address(settings)
        secure(settings.home / "prefect")
        environment = sealed_environment(settings, address)
        server = Server(settings, address, environment, ("benchmarks.server_load", "serve", mode))
        server.spawn()
        try:
            asyncio.run(server.healthy())
            before, started = os.times().children_user, time.monotonic()
            seen = asyncio.run(load(address, environment["PREFECT_API_AUTH_STRING"]))
            took_s = time.monotonic() - started
        finally:
            server.stop()
        cpu_s = os.times().children_user - before
    other = {code: n for code, n in seen.codes.items() if code >= 400 or code == 0}
    slow = sum(each > SLOW_S for each in seen.took_s)
    return (
        f"{mode}: {other.pop(503, 0)} of {len(seen.took_s)} calls 503, {slow} over {SLOW_S:g} s, "
        f"longest {max(seen.took_s):.1f} s, {len(seen.took_s) / took_s:.0f} calls a second, "
        f"server CPU with its start {cpu_s:.0f} s, other refusals {other}"
    )


def main(words: list[str]) -> None:
    if words[:1] == ["serve"]:
        _, mode, host, port = words
        prefect_server.serve(Address(host, int(port)), *MODES[mode])
        return
    for mode in words or MODES:
        sys.stdout.write(f"{measure(mode)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
