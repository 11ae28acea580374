"""What happened to keys and processes, and when, by the vendor's logs, the store and the manager."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from watchkeeper.credentials.protocols import Version

OUR_SERVICE = "integration-service/"
Calls = Sequence[Mapping[str, Any]]


def calls_of(used: Mapping[str, Calls], since: datetime, now: datetime) -> dict[str, Any]:
    """{ok, failed, count, seconds, by_key} of our service's calls since then, `seconds` ago; `by_key`
    has only keys with calls."""
    began = _z(since)
    mine = {
        label: [c for c in calls if c["caller"].startswith(OUR_SERVICE) and c["time"] >= began]
        for label, calls in used.items()
    }
    every = [call for calls in mine.values() for call in calls]
    ok = sum(200 <= call["status"] < 300 for call in every)
    by_key = {label: len(calls) for label, calls in mine.items() if calls}
    return {
        "ok": ok,
        "failed": len(every) - ok,
        "count": len(every),
        "seconds": round((now - since).total_seconds(), 2),
        "by_key": by_key,
    }


def events_of(
    history: Sequence[Mapping[str, Any]],
    labels: Mapping[str, str],
    used: Mapping[str, Calls],
    versions: Sequence[Version],
    unit: Mapping[str, Any],
) -> dict[str, str]:
    """Name -> when, as the vendor writes times. Of a key: created, revoked, expired, restored, first
    and last accepted, first refused, and current (in our store); of our service: its newest restart
    asked for and done, and the first and last use of each key."""
    said = {f"{labels.get(e['fingerprint'], '?')} {e['event']}": e["time"] for e in history}
    for label, calls in used.items():
        said |= dict(_uses(label, calls))
    for version in versions:
        if version.fingerprint in labels:
            said[f"{labels[version.fingerprint]} {version.stage}"] = _z(version.since)
    done = [one for one in unit.get("history", ()) if one["came"] == "restarted"]
    if done:
        said |= {"restart asked": done[-1]["asked"], "restarted": done[-1]["done"]}
    return said


def _uses(label: str, calls: Calls) -> Iterator[tuple[str, str]]:
    accepted = [call["time"] for call in calls if call["accepted"]]
    refused = [call["time"] for call in calls if call["status"] in (401, 403)]
    served = [call["time"] for call in calls if call["caller"].startswith(OUR_SERVICE)]
    if accepted:
        yield f"{label} first accepted", accepted[0]
        yield f"{label} last accepted", accepted[-1]
    if refused:
        yield f"{label} first refused", refused[0]
    if served:
        yield f"{label} first used by the service", served[0]
        yield f"{label} last used by the service", served[-1]


def _z(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
