"""The service's calls to the vendor: one at a time, told by what came of it."""

import json
import time
from dataclasses import dataclass

import httpx

SLOW_MS = 2000
REMAINING = ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining")
ERRORS = {
    "400": "BAD_REQUEST",
    "401": "AUTH_FAILED",
    "403": "FORBIDDEN",
    "404": "NOT_FOUND",
    "429": "RATE_LIMITED",
    "timeout": "TIMEOUT",
    "unreachable": "UNREACHABLE",
    "not_json": "BAD_ANSWER",
}


@dataclass(frozen=True, slots=True)
class Poll:
    """`outcome`: an HTTP status as text, `timeout`, `unreachable`, or `not_json`."""

    outcome: str
    latency_ms: int
    remaining: int | None = None

    @property
    def ok(self) -> bool:
        return self.outcome == "200"

    @property
    def error_type(self) -> str:
        if self.outcome.startswith("5"):
            return "SERVER_ERROR"
        return ERRORS.get(self.outcome, "UNKNOWN")


def verdict(last: Poll | None) -> str:
    if last is None or not last.ok:
        return "unhealthy"
    return "degraded" if last.latency_ms > SLOW_MS else "healthy"


def call(client: httpx.Client, path: str, headers: dict[str, str]) -> Poll:
    began, remaining = time.monotonic(), None
    try:
        reply = client.get(path, headers=headers)
        outcome, remaining = _outcome(reply), _remaining(reply)
    except httpx.TimeoutException:
        outcome = "timeout"
    except httpx.TransportError:
        outcome = "unreachable"
    return Poll(outcome, round((time.monotonic() - began) * 1000), remaining)


def _outcome(reply: httpx.Response) -> str:
    if reply.status_code != 200:
        return str(reply.status_code)
    try:
        json.loads(reply.content)
    except ValueError:
        return "not_json"
    return "200"


def _remaining(reply: httpx.Response) -> int | None:
    told = (reply.headers.get(name, "") for name in REMAINING)
    return next((int(text) for text in told if text.isdecimal()), None)
