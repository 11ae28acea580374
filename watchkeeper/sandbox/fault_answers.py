"""Faults of what is answered: the platform, paths, and the content itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from watchkeeper.sandbox.fault import Facts, Fault, Layer, Said, Somewhere, is_under

NOT_FOUND = Said(404, "Not Found.")
LARGEST = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage(Somewhere):
    """The platform answers with `status`; with a share below 1.0 the failure is intermittent."""

    kind: ClassVar[str] = "outage"
    layer: ClassVar[Layer | None] = Layer.PLATFORM
    status: int = 503

    def __post_init__(self) -> None:
        if not (500 <= self.status <= 599 and 0 <= self.share <= 1):
            raise ValueError("outage: status is 5xx, share is between 0 and 1")
        Somewhere.__post_init__(self)

    def said(self) -> Said:
        return Said(self.status, "Internal server error.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Html(Somewhere):
    """A page for people where JSON belongs: a login page, or one that tells of maintenance."""

    kind: ClassVar[str] = "html"
    layer: ClassVar[Layer | None] = Layer.PLATFORM
    status: int = 200
    title: str = "Sign in"

    def __post_init__(self) -> None:
        Somewhere.__post_init__(self)
        if not 200 <= self.status <= 599:
            raise ValueError("html: status is 200 to 599")

    def said(self) -> Said:
        return Said(self.status, self.title, html=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirected(Somewhere):
    """Sent elsewhere: to a login page, or to another host."""

    kind: ClassVar[str] = "redirected"
    layer: ClassVar[Layer | None] = Layer.PLATFORM
    location: str = "/login"

    def said(self) -> Said:
        return Said(302, "Found", html=True, location=self.location)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers(Somewhere):
    """Something before the API, or the platform itself, gives this answer and no other: a
    firewall's page, a proxy's 407, a limit in its own dialect."""

    kind: ClassVar[str] = "answers"
    layer: ClassVar[Layer | None] = Layer.PLATFORM
    status: int
    body: str = ""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Somewhere.__post_init__(self)
        if not 200 <= self.status <= 999:
            raise ValueError("answers: status is 200 to 999")

    def said(self) -> Said:
        return Said(
            self.status,
            self.body,
            whole=True,
            content_type=self.content_type,
            headers=self.headers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded(Somewhere):
    """Good answers under a Content-Encoding that says so or otherwise: `sent` as it is declared, as
    it is, compressed, or as bytes that nobody can read."""

    kind: ClassVar[str] = "encoded"
    declared: str = ""
    sent: Literal["plain", "gzip", "noise"] = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound(Somewhere):
    """The paths answer 404, and the vendor's description still lists them."""

    kind: ClassVar[str] = "not_found"
    layer: ClassVar[Layer | None] = Layer.PATH

    def said(self) -> Said:
        return NOT_FOUND


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMoved(Fault):
    """`path` answers 404 and is no longer described; what was there is at `to` (`/v2/users`)."""

    kind: ClassVar[str] = "path_moved"
    layer: ClassVar[Layer | None] = Layer.PATH
    path: str
    to: str = ""

    @property
    def new_path(self) -> str:
        return self.to or f"/v2{self.path}"

    def concerns(self, path: str) -> bool:
        return is_under(path, self.path)

    def spares(self, _facts: Facts) -> bool:
        return False

    def said(self) -> Said:
        return NOT_FOUND


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRequest(Somewhere):
    """What was a good request yesterday is refused today."""

    kind: ClassVar[str] = "bad_request"
    layer: ClassVar[Layer | None] = Layer.REQUEST

    def said(self) -> Said:
        return Said(400, "The request was not understood")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody(Somewhere):
    """A 200 whose body is an error."""

    kind: ClassVar[str] = "error_body"
    layer: ClassVar[Layer | None] = Layer.CONTENT

    def said(self) -> Said:
        return Said(200, "Something went wrong")


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty(Somewhere):
    """Lists are empty although there are records."""

    kind: ClassVar[str] = "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale(Somewhere):
    """Lists stand still as they were at `since`; a record by its id is as it is now."""

    kind: ClassVar[str] = "stale"

    def __post_init__(self) -> None:
        Somewhere.__post_init__(self)
        if self.share != 1.0:
            raise ValueError("stale: a list stands still or does not, without a share")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordGone(Fault):
    """One record cannot be read by its id. Without `id`, the one that a check asks for, else the
    first; without `resource`, of every resource."""

    kind: ClassVar[str] = "record_gone"
    resource: str = ""
    id: str = ""

    def is_of(self, resource: str) -> bool:
        return self.resource in ("", resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOff(Fault):
    """The Date header is `seconds` ahead of the time; behind it where negative."""

    kind: ClassVar[str] = "clock_off"
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Huge(Somewhere):
    """Answers are padded to so many `bytes`."""

    kind: ClassVar[str] = "huge"
    bytes: int

    def __post_init__(self) -> None:
        Somewhere.__post_init__(self)
        if not 0 < self.bytes <= LARGEST:
            raise ValueError(f"huge: bytes is between 1 and {LARGEST}")
