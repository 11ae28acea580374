"""What the records of a derived vendor look like: a title, a note, and the fields its lists name."""

from typing import Any

from watchkeeper.sandbox.config import Arrivals
from watchkeeper.sandbox.making import Making
from watchkeeper.sandbox.records import Fields
from watchkeeper.sandbox.shape import ListShape, Shape

Moves = tuple[tuple[str, bool, float], ...]


def making_of(shape: Shape) -> Making:
    def shown(name: str, record: Fields, created_at: str, updated_at: str) -> dict[str, Any]:
        return shown_in(shape.resource(name), record, created_at, updated_at)

    def moves(arrivals: Arrivals) -> Moves:
        return moves_of(shape.resources, arrivals)

    return Making(tuple(r.name for r in shape.resources), moves, make, shown, drift)


def moves_of(resources: tuple[ListShape, ...], arrivals: Arrivals) -> Moves:
    """The first resource is what the vendor is for; what MaintainX's assets do, the second does."""
    first, second = resources[:1], resources[1:2]
    return (
        *((r.name, True, arrivals.created_per_s) for r in first),
        *((r.name, False, arrivals.changed_per_s if r.changes else 0.0) for r in first),
        *((r.name, False, arrivals.assets_changed_per_s if r.changes else 0.0) for r in second),
    )


def make(resource: str, _seed: int, n: int, _counts: dict[str, int]) -> Fields:
    return {"id": n, "title": f"{resource} {n}", "note": f"As it was made, lot {n % 7}"}


def shown_in(
    resource: ListShape, record: Fields, created_at: str, updated_at: str
) -> dict[str, Any]:
    """`record` is what was made, or what was shown before."""
    number = record.get("id", record.get(resource.id_field))
    stamps: dict[str, Any] = {}
    if version := resource.version_field:
        created = "createdAt" if version.endswith("At") else "created_at"
        stamps = {created: created_at}
        stamps[version] = created_at if resource.is_of_creation else updated_at
    kept = {name: value for name, value in record.items() if name != "id"}
    return {**kept, **stamps, resource.id_field: number}


def drift(_resource: str, _seed: int, nth: int, _at: str) -> Fields:
    return {"note": f"Changed, visit {nth}"}
