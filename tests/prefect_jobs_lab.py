"""A deployment on a real Prefect server, behind a door that can lose an answer or let nobody change
anything."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
from harness import Server, pointed_at
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule

T = TypeVar("T")
PASSED_ON = (
    *("content-type", "x-prefect-api-version", "authorization"),
    *("prefect-csrf-token", "prefect-csrf-client"),
)


@dataclass
class Door:
    """`forbids`: methods that are answered 403. `loses`: methods of which the next is passed on,
    and its answer kept back."""

    url: str = ""
    forbids: set[str] = field(default_factory=set)
    loses: set[str] = field(default_factory=set)


@dataclass
class Deployed:
    """`name` as integrations.yaml has it; each call is one of a person, in a loop of its own."""

    server: Server
    door: Door
    name: str = ""
    id: UUID = field(default_factory=uuid4)

    def ask(self, do: Callable[[PrefectClient], Awaitable[T]]) -> T:
        async def asking() -> T:
            async with PrefectClient(self.server.api, auth_string=self.server.password) as client:
                return await do(client)

        return asyncio.run(asking())

    def runs(self) -> int:
        """Those that somebody asked for, not the schedule's own."""

        async def count(client: PrefectClient) -> int:
            runs = await client.read_flow_runs()
            return sum(r.deployment_id == self.id and not r.auto_scheduled for r in runs)

        return self.ask(count)

    def made_at(self, at: datetime) -> None:
        """As if it had been there since then."""
        with closing(sqlite3.connect(self.server.home / "prefect.db", timeout=30)) as database:
            database.execute(
                "UPDATE deployment SET created = ? WHERE id = ?",
                (f"{at:%Y-%m-%d %H:%M:%S.%f}", str(self.id)),
            )
            database.commit()


@contextmanager
def deployed(server: Server) -> Iterator[Deployed]:
    """One that runs each full hour, and goes with the block."""
    with pointed_at(server), _door(server.url) as door:
        made = Deployed(server, door)
        name = f"export-{uuid4().hex[:8]}"

        async def make(client: PrefectClient) -> UUID:
            hourly = CronSchedule(cron="0 * * * *", timezone="UTC")
            flow = await client.create_flow_from_name(name)
            schedule = DeploymentScheduleCreate(schedule=hourly, max_scheduled_runs=3)
            return await client.create_deployment(flow, "nightly", schedules=[schedule])

        made.name, made.id = f"{name}/nightly", made.ask(make)
        try:
            yield made
        finally:
            server.ask("DELETE", f"/deployments/{made.id}")


@contextmanager
def _door(behind: str) -> Iterator[Door]:
    door = Door()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.command in door.forbids:
                return self.say(403, b"")
            headers = {n: self.headers[n] for n in PASSED_ON if n in self.headers}
            reply = httpx.request(
                self.command,
                f"{behind}{self.path}",
                content=body,
                headers=headers,
                trust_env=False,
                timeout=30,
            )
            if self.command in door.loses and reply.is_success:
                door.loses.discard(self.command)
                return None
            return self.say(reply.status_code, reply.content)

        do_GET = do_POST = do_PATCH = answer

        def say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        door.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield door
        finally:
            listening.shutdown()
            thread.join()
