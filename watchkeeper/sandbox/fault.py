"""What every fault at the vendor has: when it holds, where, and which requests it strikes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import ClassVar


class Layer(IntEnum):
    """Who answers in the API's place, outermost first."""

    PLATFORM = 0
    LIMIT = 1
    KEY_SERVICE = 2
    KEY = 3
    RIGHTS = 4
    PATH = 5
    REQUEST = 6
    CONTENT = 7


@dataclass(frozen=True, slots=True)
class Facts:
    """One request. `path` is below the base path; `key_made` is null where no known key came.
    `arrivals` are all requests' epoch seconds, this one's last; `draw` and `spread` are numbers in
    [0, 1). `is_open`: the path needs no key.
    """

    path: str
    key_made: datetime | None
    arrivals: tuple[float, ...] | list[float]
    draw: float = 0.0
    writes: bool = False
    spread: float = 0.0
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """An answer in place of the API's. `html`: a page with `text` as its title. `whole`: `text` is the
    body as it is, of that `content_type`, under those `headers`."""

    status: int
    text: str
    html: bool = False
    location: str = ""
    whole: bool = False
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Holds from `since` until `until`; without `until`, until somebody ends it.

    `layer`: whom it makes answer; None: it does something else to the request.
    """

    kind: ClassVar[str] = ""
    layer: ClassVar[Layer | None] = None
    since: datetime
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        return self.since <= now and (self.until is None or now < self.until)

    def concerns(self, _path: str) -> bool:
        return True

    def strikes(self, facts: Facts) -> bool:
        return self.concerns(facts.path) and not self.spares(facts)

    def spares(self, facts: Facts) -> bool:
        """What needs no key stands before the API: nothing behind the platform reaches it."""
        return facts.is_open and self.layer is not None and self.layer > Layer.LIMIT

    def said(self) -> Said:
        raise NotImplementedError(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Somewhere(Fault):
    """Concerns the paths under `endpoints` (`/workorders`), or all where none is named; strikes a
    `share` of their requests."""

    endpoints: tuple[str, ...] = ()
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"{self.kind}: share is between 0 and 1")
        if not all(e.startswith("/") for e in self.endpoints):
            raise ValueError(f"{self.kind}: endpoints are paths, such as /users")

    def concerns(self, path: str) -> bool:
        return not self.endpoints or any(is_under(path, e) for e in self.endpoints)

    def strikes(self, facts: Facts) -> bool:
        return facts.draw < self.share and Fault.strikes(self, facts)

    def spares(self, facts: Facts) -> bool:
        return not self.endpoints and Fault.spares(self, facts)


def is_under(path: str, endpoint: str) -> bool:
    return path == endpoint or path.startswith(f"{endpoint}/")
