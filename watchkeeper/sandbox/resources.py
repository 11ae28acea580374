"""The collections the simulator serves, and what each one's list understands."""

from dataclasses import dataclass

STATUSES = ("OPEN", "IN_PROGRESS", "ON_HOLD", "DONE", "CANCELED", "SKIPPED")
PRIORITIES = ("NONE", "LOW", "MEDIUM", "HIGH")
WORK_ORDER_EXPANDS = (
    *("thumbnail", "assignees", "categories", "parts", "asset", "location", "procedure"),
    *("vendor_ids", "times", "time_items", "expenditures", "estimated_time", "extra_fields"),
    *("part_extra_fields", "asset_extra_fields", "location_extra_fields"),
)
ASSET_EXPANDS = (
    *("barcode", "team_ids", "asset_types", "extra_fields", "vendor_ids", "depreciation"),
    *("status", "manufacturer", "model"),
)


@dataclass(frozen=True, slots=True)
class Resource:
    """`keyset`: the cursor is a position among the values (stable), not a count of rows.

    `expands` are accepted and add nothing: no expansion is simulated.
    """

    name: str
    envelope: str
    sorts: frozenset[str] = frozenset()
    timed: bool = False
    keyset: bool = True
    filters: tuple[str, ...] = ()
    expands: tuple[str, ...] = ()


RESOURCES = {
    r.name: r
    for r in (
        Resource(
            "workorders",
            "workOrders",
            sorts=frozenset({"updatedAt", "createdAt", "dueDate", "startedAt", "completedAt"}),
            timed=True,
            filters=("statuses", "priorities", "assets", "locations", "title"),
            expands=WORK_ORDER_EXPANDS,
        ),
        Resource(
            "assets",
            "assets",
            sorts=frozenset({"id", "updatedAt", "createdAt"}),
            timed=True,
            keyset=False,
            filters=("locationId",),
            expands=ASSET_EXPANDS,
        ),
        Resource("locations", "locations", filters=("name",), expands=("extra_fields",)),
        Resource("users", "users", filters=("email",), expands=("role", "extra_fields")),
        Resource("organizations", "organizations"),
    )
}
