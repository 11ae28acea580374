"""The service's calls to the vendor: one at a time, told by what came of it."""

import json
import time
from dataclasses import dataclass

import httpx

from watchkeeper.sandbox.service_config import Operation

SLOW_MS = 2000
WELL = ("200", "201", "202")
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
    """`outcome`: an HTTP status as text, `timeout`, `unreachable`, or `not_json`. `key`: the
    fingerprint of the one it was made with; `model`: what it asked for."""

    outcome: str
    latency_ms: int
    remaining: int | None = None
    key: str = ""
    model: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome in WELL

    @property
    def is_worth_another(self) -> bool:
        return self.outcome.startswith("5")

    @property
    def error_type(self) -> str:
        if self.outcome.startswith("5"):
            return "SERVER_ERROR"
        return ERRORS.get(self.outcome, "UNKNOWN")


def verdict(last: Poll | None) -> str:
    if last is None or not last.ok:
        return "unhealthy"
    return "degraded" if last.latency_ms > SLOW_MS else "healthy"


def call(
    client: httpx.Client, operation: Operation, headers: dict[str, str], body: object = None
) -> Poll:
    """`body`: sent as JSON; none with null."""
    began, remaining = time.monotonic(), None
    try:
        reply = client.request(operation.method, operation.path, headers=headers, json=body)
        outcome, remaining = _outcome(reply), _remaining(reply)
    except httpx.TimeoutException:
        outcome = "timeout"
    except httpx.TransportError:
        outcome = "unreachable"
    except httpx.DecodingError:
        outcome = "not_decoded"
    return Poll(outcome, round((time.monotonic() - began) * 1000), remaining)


def _outcome(reply: httpx.Response) -> str:
    status = str(reply.status_code)
    if status not in WELL:
        return status
    try:
        json.loads(reply.content)
    except ValueError:
        return "not_json"
    return status


def _remaining(reply: httpx.Response) -> int | None:
    told = (reply.headers.get(name, "") for name in REMAINING)
    return next((int(text) for text in told if text.isdecimal()), None)
