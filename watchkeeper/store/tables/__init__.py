"""Every table, so that one import knows the whole schema."""

from watchkeeper.store.tables.entry import EntryRow
from watchkeeper.store.tables.gap import GapRow, WindowRow
from watchkeeper.store.tables.heartbeat import HeartbeatRow
from watchkeeper.store.tables.incident import (
    CauseRow,
    DeliveryRow,
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
from watchkeeper.store.tables.ledger import EffectRow, LockRow
from watchkeeper.store.tables.mitigation import ApprovalRow, ExposureRow, LeaseRow, StepRow
from watchkeeper.store.tables.planning import ChangeRow, MaintenanceRow
from watchkeeper.store.tables.telemetry import ScrapeRow
from watchkeeper.store.tables.trouble import TroubleRow
from watchkeeper.store.tables.volume import RequestCountRow

__all__ = [
    "ApprovalRow",
    "CauseRow",
    "ChangeRow",
    "DeliveryRow",
    "EffectRow",
    "EntryRow",
    "ExposureRow",
    "GapRow",
    "HeartbeatRow",
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
    "StepRow",
    "SwitchRow",
    "TimelineRow",
    "TroubleRow",
    "WatermarkRow",
    "WindowRow",
]
