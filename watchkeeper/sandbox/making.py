"""What MaintainX's records look like: the same seed, id and change always give the same content."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from watchkeeper.sandbox.config import Arrivals
from watchkeeper.sandbox.records import Fields
from watchkeeper.sandbox.resources import PRIORITIES, STATUSES


@dataclass(frozen=True, slots=True)
class Making:
    """One vendor's records: what kinds there are, which of them move, and how each one looks.

    `moves`: (resource, whether it creates, its pace in records a second). `make` gives the fields
    of the nth record with its number as `id`, `shown` what is sent of them, `drift` what the nth
    change does to a record.
    """

    names: tuple[str, ...]
    moves: Callable[[Arrivals], tuple[tuple[str, bool, float], ...]]
    make: Callable[[str, int, int, dict[str, int]], Fields]
    shown: Callable[[str, Fields, str, str], dict[str, Any]]
    drift: Callable[[str, int, int, str], Fields]


ORGANIZATION_ID = 4711
TASKS = ("Grease bearings", "Replace belt", "Inspect guard", "Calibrate sensor", "Bleed line")
MACHINES = ("Press", "Conveyor", "Chiller", "Lathe", "Boiler", "Mixer", "Palletiser")
PLACES = ("North hall", "South hall", "Yard", "Pump room", "Warehouse", "Dock")
FIRST_NAMES = ("Ada", "Björn", "Chidi", "Dolores", "Emre", "Farah", "Gita")
LAST_NAMES = ("Okafor", "Larsson", "Moreau", "Nguyen", "Schäfer", "Tanaka")
ROLES = ("ADMIN", "MEMBER", "OPERATOR", "REQUESTER")


def fraction(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    return crc32("/".join(map(str, parts)).encode()) / 2**32


def pick(options: tuple[str, ...], *parts: object) -> str:
    return options[int(fraction(*parts) * len(options))]


def _work_order(seed: int, n: int, counts: dict[str, int]) -> Fields:
    task, machine = pick(TASKS, seed, "task", n), pick(MACHINES, seed, "machine", n)
    return {
        "title": f"{task}: {machine} {n % 40}",
        "description": f"{task} as planned, take care of guard {n % 7}." if n % 3 else None,
        "status": pick(STATUSES[:4], seed, "status", n),
        "priority": pick(PRIORITIES, seed, "priority", n),
        "type": "PREVENTIVE" if n % 2 else "REACTIVE",
        "assetId": 1 + n % counts["assets"] if counts.get("assets") else None,
        "locationId": 1 + n % counts["locations"] if counts.get("locations") else None,
        "creatorId": 1 + n % max(counts.get("users", 0), 1),
        "organizationId": ORGANIZATION_ID,
        "sequentialId": n,
    }


def _asset(seed: int, n: int, counts: dict[str, int]) -> Fields:
    return {
        "name": f"{pick(MACHINES, seed, 'asset', n)} {n}",
        "description": f"Serviced by team {n % 4}",
        "parentId": n // 10 or None,
        "criticalityId": n % 3 or None,
        "locationId": 1 + n % counts["locations"] if counts.get("locations") else None,
        "serialNumber": f"SN-{int(fraction(seed, 'serial', n) * 1e8):08d}",
        "creatorId": 1,
        "organizationId": ORGANIZATION_ID,
    }


def _location(seed: int, n: int, _counts: dict[str, int]) -> Fields:
    return {
        "name": f"{pick(PLACES, seed, 'place', n)} {n}",
        "address": f"{n} Mill Lane",
        "parentId": n // 4 or None,
        "organizationId": ORGANIZATION_ID,
    }


def _user(seed: int, n: int, _counts: dict[str, int]) -> Fields:
    first, last = pick(FIRST_NAMES, seed, "first", n), pick(LAST_NAMES, seed, "last", n)
    return {
        "firstName": first,
        "lastName": last,
        "email": f"user{n}@plant.example",
        "authType": "NORMAL",
        "role": pick(ROLES, seed, "role", n),
    }


def _organization(_seed: int, n: int, _counts: dict[str, int]) -> Fields:
    return {"name": f"Plant {n}", "timeZone": "Europe/Berlin", "currency": "EUR"}


MAKERS = {
    "workorders": _work_order,
    "assets": _asset,
    "locations": _location,
    "users": _user,
    "organizations": _organization,
}
STAMPED = {"workorders", "assets", "locations"}
# The vendor's own description requires these on an asset even where they are null.
KEPT_NULLS = {"assets": {"description", "parentId", "criticalityId", "locationId", "serialNumber"}}


def make(resource: str, seed: int, n: int, counts: dict[str, int]) -> Fields:
    base = ORGANIZATION_ID - 1 if resource == "organizations" else 0
    return {"id": base + n, **MAKERS[resource](seed, n, counts)}


def shown(resource: str, fields: Fields, created_at: str, updated_at: str) -> dict[str, Any]:
    """As the vendor sends it: nulls left out, stamps where this kind of record carries them."""
    keep = KEPT_NULLS.get(resource, set())
    item = {k: v for k, v in fields.items() if v is not None or k in keep}
    if resource in STAMPED:
        item |= {"createdAt": created_at, "updatedAt": updated_at}
    return item


def with_status(status: str, at: str) -> Fields:
    """A finished work order carries the time it was finished; an open one carries none."""
    finished = status in ("DONE", "CANCELED")
    return {"status": status, "completedAt": at if finished else None}


def drift(resource: str, seed: int, nth: int, at: str) -> Fields:
    """What the `nth` change of this run does to the record it strikes."""
    if resource == "assets":
        return {"description": f"Serviced by team {nth % 9}, visit {nth}"}
    kind = int(fraction(seed, "kind", nth) * 3)
    if kind == 0:
        return with_status(pick(STATUSES[:5], seed, "to", nth), at)
    if kind == 1:
        return {"priority": pick(PRIORITIES, seed, "to", nth), "description": f"Moved, note {nth}"}
    return {"description": f"Note {nth}: {pick(TASKS, seed, 'note', nth).lower()} first"}


def moves(arrivals: Arrivals) -> tuple[tuple[str, bool, float], ...]:
    return (
        ("workorders", True, arrivals.created_per_s),
        ("workorders", False, arrivals.changed_per_s),
        ("assets", False, arrivals.assets_changed_per_s),
    )


MAKING = Making(tuple(MAKERS), moves, make, shown, drift)
