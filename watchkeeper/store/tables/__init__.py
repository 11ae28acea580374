"""Every table, so that one import knows the whole schema."""

from watchkeeper.store.tables.gap import GapRow, WindowRow
from watchkeeper.store.tables.incident import (
    CauseRow,
    IncidentRow,
    ObservationRow,
    PageRow,
    TimelineRow,
)
from watchkeeper.store.tables.integration import (
    IntegrationRow,
    JobRow,
    RateBucketRow,
    RecordRow,
    SwitchRow,
    WatermarkRow,
)
from watchkeeper.store.tables.ledger import ApprovalRow, EffectRow, LeaseRow, LockRow
from watchkeeper.store.tables.planning import ChangeRow, MaintenanceRow
from watchkeeper.store.tables.telemetry import ScrapeRow
from watchkeeper.store.tables.volume import RequestCountRow

__all__ = [
    "ApprovalRow",
    "CauseRow",
    "ChangeRow",
    "EffectRow",
    "GapRow",
    "IncidentRow",
    "IntegrationRow",
    "JobRow",
    "LeaseRow",
    "LockRow",
    "MaintenanceRow",
    "ObservationRow",
    "PageRow",
    "RateBucketRow",
    "RecordRow",
    "RequestCountRow",
    "ScrapeRow",
    "SwitchRow",
    "TimelineRow",
    "WatermarkRow",
    "WindowRow",
]
