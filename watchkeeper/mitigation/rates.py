"""Binding `cap_rate`: so many requests a second, or a share of what the vendor allows."""

from __future__ import annotations

from watchkeeper.mitigation.actions import CapRate
from watchkeeper.mitigation.bound import OURS, Bound, planned
from watchkeeper.mitigation.world import World
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.mitigations import CapRateRow


def bind_cap(row: CapRateRow, watched: Watched, world: World) -> Bound:
    limit = row.max_requests_per_s or share_of(watched, row.share or 1.0)
    return planned(
        row,
        CapRate(max_requests_per_s=limit, lease=row.lease),
        target=watched.name,
        effects=(f"cap requests to {watched.name} at {limit:g} per second",),
        calls=(f"database: lease rate_cap={limit:g}/s",),
        undo="the cap is lifted",
        cost="syncs and backfills take longer",
        risk="a job that cannot keep up falls behind; probes are not held back",
        promise=OURS,
    )


def share_of(watched: Watched, share: float) -> float:
    """Requests a second: so much of what the vendor allows one key, to three digits."""
    allowed = watched.runbook.rate_limit
    return float(f"{share * allowed.requests / allowed.per.total_seconds():.3g}")
