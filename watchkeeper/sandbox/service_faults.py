"""What can be wrong with the integration service itself. A restart ends all of it, but for a load
that was written down."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeVar

from watchkeeper.sandbox.service_config import CRITICALITIES


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFault:
    kind: ClassVar[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash(ServiceFault):
    """The process ends, with nothing said."""

    kind: ClassVar[str] = "crash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang(ServiceFault):
    """It accepts connections and answers none; it goes on calling the vendor."""

    kind: ClassVar[str] = "hang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(ServiceFault):
    kind: ClassVar[str] = "slow"
    delay_s: float

    def __post_init__(self) -> None:
        if self.delay_s < 0:
            raise ValueError("slow: delay_s cannot be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unhealthy(ServiceFault):
    """It says that it is, whatever the vendor answers."""

    kind: ClassVar[str] = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSays(ServiceFault):
    """Its health answer is this one: `status` and a JSON `body`, or `text` as it is."""

    kind: ClassVar[str] = "health_says"
    status: int = 200
    body: Any = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricLost(ServiceFault):
    """Its page answers as ever, and has no series of that name any more: or, with `value`, each of
    them has this one, such as `NaN`."""

    kind: ClassVar[str] = "metric_lost"
    metric: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongKey(ServiceFault):
    """It holds a key that is no longer good, and not the one in its file."""

    kind: ClassVar[str] = "wrong_key"
    key: str = "test_outdated_key_0000"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationErrors(ServiceFault):
    """A share of one operation's turns fails after the vendor has answered well."""

    kind: ClassVar[str] = "operation_errors"
    operation: str
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError("operation_errors: share is between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue(ServiceFault):
    """So much work waits."""

    kind: ClassVar[str] = "queue"
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heavy(ServiceFault):
    """A consumer has it send `per_s` more requests, and it really does. `criticality`: of that
    work, where it is another than the operation's."""

    kind: ClassVar[str] = "heavy"
    consumer: str
    per_s: float
    criticality: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.per_s <= 200:
            raise ValueError("heavy: per_s is between 0 and 200")
        if self.criticality not in ("", *CRITICALITIES):
            raise ValueError(f"heavy: criticality is one of {', '.join(CRITICALITIES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overloaded(ServiceFault):
    """`work_per_s` items come, and each replica does `capacity_per_s`; `waiting` wait already. What
    waits is in the queue, and slows its health and its turns, up to `slowest_s`. Only this one
    goes on after a restart, where the service has a file for its settings."""

    kind: ClassVar[str] = "overloaded"
    work_per_s: float
    capacity_per_s: float
    waiting: float = 0.0
    slowest_s: float = 8.0

    def __post_init__(self) -> None:
        if min(self.work_per_s, self.waiting, self.slowest_s) < 0 or self.capacity_per_s <= 0:
            raise ValueError("overloaded: capacity_per_s is above 0, nothing else below it")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDns(ServiceFault):
    """Each look-up of the vendor's name takes `delay_s`."""

    kind: ClassVar[str] = "slow_dns"
    delay_s: float

    def __post_init__(self) -> None:
        if self.delay_s < 0:
            raise ValueError("slow_dns: delay_s cannot be negative")


KINDS: dict[str, type[ServiceFault]] = {
    kind.kind: kind
    for kind in (
        *(Crash, Hang, Slow, Unhealthy, HealthSays, MetricLost, WrongKey),
        *(OperationErrors, Queue, Heavy, Overloaded, SlowDns),
    )
}
Kind = TypeVar("Kind", bound=ServiceFault)


def from_json(raw: Mapping[str, Any], operations: Sequence[str]) -> ServiceFault:
    """Raises ValueError saying what is wrong."""
    values = dict(raw)
    kind = KINDS.get(str(values.pop("kind", "")))
    if kind is None:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    try:
        fault = kind(**values)
    except TypeError as error:
        raise ValueError(f"{kind.kind}: {error}") from error
    if isinstance(fault, OperationErrors) and fault.operation not in operations:
        raise ValueError(f"operation must be one of {', '.join(operations)}")
    return fault


def to_json(fault: ServiceFault) -> dict[str, Any]:
    """A key is not shown."""
    shown = {name: value for name, value in asdict(fault).items() if name != "key"}
    return {"kind": fault.kind, **shown}


def first(faults: Sequence[ServiceFault], kind: type[Kind]) -> Kind | None:
    return next((f for f in faults if isinstance(f, kind)), None)
