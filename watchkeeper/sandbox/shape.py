"""What any vendor looks like from outside, as data: its lists, its key, its rate, its checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args

from watchkeeper.sandbox.rate import Rate

Paging = Literal["cursor", "offset_cursor", "page_number", "none"]
Means = Literal["last_page", "page_count", "next_page", "more"]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class AuthShape:
    """Without a `scheme` the header holds the key alone."""

    header: str = "Authorization"
    scheme: str = "Bearer"
    organisation_header: str | None = None
    tells_missing_key: bool = False


@dataclass(frozen=True, slots=True)
class RateShape:
    """What one key may send, `headers` as they are spelt (`X-RateLimit`; null: none is sent), and
    whether `reset` counts seconds or names one since the epoch."""

    limit: int = 60
    window_s: float = 60.0
    headers: str | None = "X-RateLimit"
    reset: Literal["delta", "epoch"] = "delta"

    @property
    def rate(self) -> Rate:
        return Rate(self.limit, self.window_s)


@dataclass(frozen=True, slots=True)
class ListShape:
    """One resource. Names of members may be dotted (`meta.next`); an `envelope` of null: the body
    itself is the list. `records`: how many there are at the start."""

    name: str
    path: str
    envelope: str | None = None
    item_path: str | None = None
    item_envelope: str | None = None
    id_field: str = "id"
    version_field: str | None = "updatedAt"
    paging: Paging = "cursor"
    cursor_param: str = "cursor"
    cursor_field: str | None = "nextCursor"
    cursor_means: Means = "last_page"
    first_page: int = 1
    limit_param: str | None = "limit"
    page_size: int = 100
    since_param: str | None = None
    until_param: str | None = None
    sort_param: str | None = None
    sort: str | None = None
    records: int = 300

    def __post_init__(self) -> None:
        for value, allowed in ((self.paging, Paging), (self.cursor_means, Means)):
            if value not in get_args(allowed):
                raise ValueError(f"{self.name}: {value!r} is none of {get_args(allowed)}")

    @property
    def is_of_creation(self) -> bool:
        """Its version is the time it was made: such records never change."""
        return self.version_field is not None and "creat" in self.version_field.lower()

    @property
    def changes(self) -> bool:
        return self.version_field is not None and not self.is_of_creation


@dataclass(frozen=True, slots=True)
class ProbeShape:
    """A check that must find all well. `record`: of one record by its id."""

    name: str
    path: str
    method: str = "GET"
    envelope: str | None = None
    status: tuple[int, ...] = ()
    json_path: str | None = None
    equals: str | int | bool | None = None
    record: bool = False
    resource: str | None = None

    @property
    def bare_path(self) -> str:
        return self.path.partition("?")[0]

    @property
    def record_id(self) -> str:
        return self.bare_path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Shape:
    """`description`: where the vendor describes its API; it needs no key."""

    vendor: str
    base_path: str = ""
    auth: AuthShape = field(default_factory=AuthShape)
    rate: RateShape = field(default_factory=RateShape)
    max_page_size: int | None = None
    description: str | None = None
    resources: tuple[ListShape, ...] = ()
    probes: tuple[ProbeShape, ...] = ()

    def resource(self, name: str) -> ListShape:
        return next(r for r in self.resources if r.name == name)


def shape_of(raw: Mapping[str, Any], probes: list[dict[str, Any]]) -> Shape:
    """Raises ValueError on a name that means nothing here, TypeError on one that is missing."""
    given = dict(raw)
    given["base_path"] = str(given.get("base_path") or "").rstrip("/")
    given["auth"] = _read(AuthShape, given.get("auth") or {})
    given["rate"] = _read(RateShape, given.get("rate") or {})
    given["resources"] = tuple(_read(ListShape, r) for r in given.get("resources") or ())
    given["probes"] = tuple(_probe(p) for p in probes)
    return _read(Shape, given)


def _probe(raw: dict[str, Any]) -> ProbeShape:
    return _read(ProbeShape, {**raw, "status": tuple(raw.get("status") or ())})


def _read(kind: type[Value], raw: Mapping[str, Any]) -> Value:
    unknown = raw.keys() - {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if unknown:
        raise ValueError(f"unknown in a {kind.__name__}: {', '.join(sorted(unknown))}")
    return kind(**raw)
