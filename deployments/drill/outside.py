"""What the stand-ins show at one moment, as plain JSON; `deployments.drill.expects` judges it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from deployments.drill.drill import Drill
from deployments.drill.happened import calls_of, events_of
from deployments.drill.prefect_view import PrefectView
from deployments.drill.setup import filled
from deployments.drill.supervision import command
from watchkeeper.credentials.protocols import Version
from watchkeeper.errors import UserError
from watchkeeper.performing.connectors import keys_of


def look(drill: Drill, view: PrefectView, since: datetime) -> dict[str, Any]:
    """Their state now; requests and calls are counted since then, events since the fault."""
    far, world, setup = drill.far, drill.world, drill.scenario.setup
    labels = labelled(far.keys())
    now, fault = datetime.now(UTC), min(drill.marks.get("fault", since), since)
    used = {label: far.calls(key["fingerprint"], fault) for label, key in labels.items()}
    versions = stored(drill)
    marks = {key["fingerprint"]: label for label, key in labels.items()}
    unit = far.seen(f"{world.unit}/state")
    service = {name: far.seen(f"{world.service}{path}") for name, path in OF_SERVICE.items()}
    told = {name: said(drill, words) for name, words in setup.commands.items()}
    beyond = {name: far.seen(filled(url, world.places)) for name, url in setup.looks_at.items()}
    return {
        **service,
        "unit": unit,
        "requests": far.requests(since),
        "calls": calls_of(used, since, now),
        "since_fault": calls_of(used, fault, now),
        "keys": {label: key["state"] for label, key in labels.items()},
        "store": {v.stage: marks.get(v.fingerprint, v.fingerprint) for v in versions},
        "events": events_of(far.key_history(), marks, used, versions, unit),
        "pages": len(far.pages().get("incidents", {})),
        "schedules": {name: view.schedule(name) for name in setup.deploys},
        **beyond,
        **told,
    }


OF_SERVICE = {"service": "/health", "settings": "/settings", "stats": "/stats"}


def said(drill: Drill, words: tuple[str, ...]) -> Any:
    """The JSON that a command prints of the incident; nothing before there is one."""
    if not (found := drill.incidents()):
        return None
    incident = f"INC-{found[0].id}"
    named = [str(filled(word, {"incident": incident})) for word in words]
    return json.loads(command(drill.world, *named))


def labelled(keys: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The vendor's keys by their labels; the second of a label is `made by ada 2`."""
    found: dict[str, dict[str, Any]] = {}
    for key in keys:
        same = sum(other["label"] == key["label"] for other in found.values())
        found[f"{key['label']} {same + 1}" if same else key["label"]] = key
    return found


def stored(drill: Drill) -> tuple[Version, ...]:
    """What the store holds. Nothing of a store that keeps one key only."""
    watched = drill.watch.integration(drill.world.integration)
    try:
        return tuple(keys_of(drill.watch, watched).versions())
    except UserError:
        return ()
