"""What PagerDuty makes of events: which are valid, and what becomes of their alerts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
KEY_LENGTH, DEDUP_MAX, SUMMARY_MAX = 32, 255, 1024


@dataclass(frozen=True, slots=True)
class Alert:
    """All that was said under one dedup key. `alerts`: how many alerts were opened under it."""

    state: str = "triggered"
    alerts: int = 1
    triggers: int = 1
    acknowledges: int = 0
    resolves: int = 0
    summary: str = ""
    severity: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def problems(event: Mapping[str, Any]) -> list[str]:
    found = []
    key, action, dedup = (event.get(n) for n in ("routing_key", "event_action", "dedup_key"))
    if not isinstance(key, str) or len(key) != KEY_LENGTH:
        found.append(f"'routing_key' must be {KEY_LENGTH} characters")
    if action not in ACTIONS:
        found.append(f"'event_action' must be one of {', '.join(ACTIONS)}")
    if dedup is not None and (not isinstance(dedup, str) or len(dedup) > DEDUP_MAX):
        found.append(f"'dedup_key' is longer than {DEDUP_MAX} characters or no text")
    if action in ("acknowledge", "resolve") and not dedup:
        found.append("'dedup_key' is missing or blank")
    return found + (_payload_problems(event.get("payload")) if action == "trigger" else [])


def _payload_problems(payload: object) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    found = [
        f"'payload.{name}' is missing or blank"
        for name in ("summary", "source", "severity")
        if not isinstance(payload.get(name), str) or not payload[name]
    ]
    if payload.get("severity") not in SEVERITIES:
        found.append(f"'payload.severity' must be one of {', '.join(SEVERITIES)}")
    if len(str(payload.get("summary", ""))) > SUMMARY_MAX:
        found.append(f"'payload.summary' is longer than {SUMMARY_MAX} characters")
    return found


def after(alert: Alert | None, event: Mapping[str, Any]) -> Alert | None:
    """A trigger joins an open alert and opens a new one after a resolve.

    An acknowledge or resolve that finds nothing open is dropped, and nobody is told.
    """
    action = event["event_action"]
    if action == "trigger":
        return _triggered(alert, event["payload"])
    if alert is None or alert.state == "resolved":
        return alert
    if action == "acknowledge":
        return replace(alert, state="acknowledged", acknowledges=alert.acknowledges + 1)
    return replace(alert, state="resolved", resolves=alert.resolves + 1)


def _triggered(alert: Alert | None, payload: Mapping[str, Any]) -> Alert:
    said = {"summary": payload["summary"], "severity": payload["severity"]}
    if alert is None:
        return Alert(**said)
    joined = replace(alert, triggers=alert.triggers + 1, **said)
    if alert.state == "resolved":
        return replace(joined, state="triggered", alerts=alert.alerts + 1)
    return joined
