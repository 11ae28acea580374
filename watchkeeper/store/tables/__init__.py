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

__all__ = [
    "ApprovalRow",
    "CauseRow",
    "EffectRow",
    "GapRow",
    "IncidentRow",
    "IntegrationRow",
    "JobRow",
    "LeaseRow",
    "LockRow",
    "ObservationRow",
    "PageRow",
    "RateBucketRow",
    "RecordRow",
    "SwitchRow",
    "TimelineRow",
    "WatermarkRow",
    "WindowRow",
]
