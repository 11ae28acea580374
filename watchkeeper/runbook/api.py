"""What is true of a vendor's API: its key, its limit, its status page, its lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from watchkeeper.runbook.base import Duration, Frozen, Name, Path, Span, Url


class Auth(Frozen):
    """How the credential travels: header and scheme. The value itself lives in a secret store."""

    header: str = "Authorization"
    """Name of the header that carries the key, such as `X-Api-Key`."""
    scheme: str = "Bearer"
    """Word before the key, such as `Bearer` or `Token`; empty where the key stands alone."""
    organisation_header: str | None = None
    """Header that carries `organisation` of integrations.yaml; null where the vendor takes none."""
    tells_missing_key: bool = False
    """The vendor answers a request without a key otherwise than one with a bad key, so that a key
    that got lost on the way can be told from one that is refused."""


class RateLimit(Frozen):
    """The vendor's budget for one credential, and how its reset header counts."""

    requests: int = Field(gt=0)
    """Requests that the vendor allows `per` so much time; ours are spread to stay within it."""
    per: Span
    """Length of the window that `requests` are counted in, such as `60 s`."""
    reset: Literal["delta", "epoch"] = "delta"
    """What the reset header holds: seconds left (`delta`) or an instant since 1970 (`epoch`). Only
    a simulator goes by it: a header that comes is told apart by its size."""


class StatusPage(Frozen):
    """The vendor's public word on itself. Anything odd on it means unknown, neither well nor down."""

    kind: Literal["betterstack", "statuspage_v2", "incident_io", "instatus", "feed"]
    """Whose format it has: `statuspage_v2` (Atlassian's Statuspage, and incident.io at that path),
    `betterstack`, `incident_io` (its widget API), `instatus`, or `feed` (RSS or Atom), which tells
    least."""
    url: Url
    """The page's address without its path, such as `https://status.example.com`."""
    path: Path
    """Where it is served, below url: `/api/v2/summary.json` (statuspage_v2), `/index.json`
    (betterstack), `/api/v1/summary` (incident_io), `/v2/components.json` or, for the whole,
    `/summary.json` (instatus), `/history.rss` (feed)."""
    component: str | None = None
    """The line of the page that is about the API, by its name there, such as `REST API`; a group's
    name stands for all in it, and `Europe / API` for one line of a group. Without it the page's
    overall word counts. incident_io and feed name a component only while it is affected."""


class Resource(Frozen):
    """A list the vendor serves, and what it takes to have all of it."""

    name: Name
    """What probes, jobs and overrides call the list, such as `workorders`; used once."""
    path: Path
    """Where the list is asked, below base_url and without a query, such as `/workorders`."""
    envelope: str | None
    """Member of the answer that holds the records, such as `workOrders` or `data.items`; null where
    the body itself is the list."""
    item_path: Path | None = None
    """Path of one record, with `{id}` for its id, such as `/workorders/{id}`. Without it a deleted
    record cannot be told from one that the list leaves out."""
    item_envelope: str | None = None
    """Member of the answer at item_path that holds the record, such as `workOrder`; null where the
    body itself is the record."""
    id_field: str = "id"
    """Member of a record that identifies it: text or a whole number."""
    version_field: str | None = "updatedAt"
    """Member of a record that grows with each change: an instant with its offset, or a count. Null
    where its records carry neither: of two states the later cannot be told."""
    paging: Literal["cursor", "offset_cursor", "page_number", "none"] = "cursor"
    """By a cursor out of cursor_field (`offset_cursor`: rows may shift between two pages), by a
    `page_number` that counts from first_page in cursor_param, or `none`: all in one answer."""
    cursor_param: str = "cursor"
    """Query parameter that asks for a page, by the cursor or by its number; with page_number it is
    `page` where left out."""
    cursor_field: str | None = "nextCursor"
    """Member of the answer that tells how the list goes on, such as `meta.next`. Null as a rule
    with page_number, and only there: the list ends with a page shorter than one before it."""
    cursor_means: Literal["last_page", "page_count", "next_page", "more"] = "last_page"
    """With page_number, what cursor_field holds: the number of the `last_page`, the `page_count`,
    the `next_page` (its number or a link to it, null at the end), or true where there is `more`."""
    first_page: int = Field(default=1, ge=0, le=1)
    """With page_number, the number of the first page; from 0 on, last_page is not page_count."""
    limit_param: str | None = "limit"
    """Query parameter that takes page_size. Null where the vendor takes no page size; so it is with
    paging `none` where left out."""
    page_size: int = Field(default=100, ge=1)
    """Records asked for per page; never more than max_page_size."""
    since_param: str | None = None
    """Query parameter for the earliest time of change, sent as `2026-03-02T09:00:00.000Z`. Without
    it the list is walked whole each time."""
    until_param: str | None = None
    """Query parameter for the latest time of change, beside since_param. Without it what is newer
    comes as well, and is passed over here."""
    sort_param: str | None = None
    """Query parameter that takes `sort`; without it no order is asked for."""
    sort: str | None = None
    """What sort_param is sent with, such as `updatedAt`."""
    list_lag: Duration = timedelta(0)
    """How late the list may show a write, such as `2h`. Walks begin so much further back, and an
    incident's data is compared only once it has passed."""
    overlap: Duration = timedelta(minutes=5)
    """How much further back than list_lag a walk begins, so that rows at the edge are not lost.
    More than 0 where there is a since_param."""

    @model_validator(mode="before")
    @classmethod
    def _usual_names(cls, given: Any) -> Any:
        """What is usual with cursors is not with page numbers, nor with neither."""
        usual = _USUAL.get(str(given.get("paging"))) if isinstance(given, dict) else None
        return given if usual is None else {**usual, **given}

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.paging in ("cursor", "offset_cursor") and self.cursor_field is None:
            raise ValueError("cursor_field is wanted where paging goes by cursor")
        return self


_USUAL: dict[str, dict[str, Any]] = {
    "page_number": {"cursor_param": "page", "cursor_field": None},
    "none": {"limit_param": None},
}
