"""What is true of a vendor and what to do when it breaks: the shape of a runbook file.

Every value here is frozen data. The symptom and confirmation names are the public vocabulary of
`watchkeeper.diagnosis`; the action names that of `watchkeeper.mitigation`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from watchkeeper.runbook.base import Duration, Frozen, Name, Path, SignName, Span, Url
from watchkeeper.runbook.signals import Log, Metric, Volume

Criticality = Literal["critical", "normal", "deferrable"]
Autonomy = Literal["observe", "propose", "approve", "auto"]


class Auth(Frozen):
    """How the credential travels: header and scheme. The value itself lives in a secret store.

    `tells_missing_key`: the vendor answers a request without a key otherwise than one with a bad
    key, so that a key that got lost on the way can be told from one that is refused.
    """

    header: str = "Authorization"
    scheme: str = "Bearer"
    organisation_header: str | None = None
    tells_missing_key: bool = False


class RateLimit(Frozen):
    """The vendor's budget for one credential, and how its reset header counts."""

    requests: int = Field(gt=0)
    per: Span
    reset: Literal["delta", "epoch"] = "delta"


class StatusPage(Frozen):
    """The vendor's public word on itself. Anything odd on it means unknown, never down."""

    kind: Literal["betterstack", "statuspage_v2"]
    url: Url
    path: Path
    component: str | None = None


class Expectation(Frozen):
    """What a good answer is: its status (any 2xx where none is named), the JSON value at a dotted
    path (`status`, `checks.0.name`), and how long it may take (thresholds.slow where unsaid)."""

    status: tuple[int, ...] = ()
    json_path: str | None = None
    equals: str | int | bool | None = None
    slow: Span | None = None


class Probe(Frozen):
    """One check of one endpoint with the real credential, and what a good answer is.

    `record`: it asks for one record by its id, which may be gone without the path having moved.
    `costs`: it writes, or costs money; it runs only when a person asks for it by name.
    """

    name: Name
    path: Path
    method: Literal["GET", "HEAD", "POST"] = "GET"
    body: dict[str, Any] | None = None
    resource: Name | None = None
    envelope: str | None = None
    expect: Expectation = Expectation()
    critical: bool = True
    record: bool = False
    costs: bool = False


class ContrastProbe(Frozen):
    """The same check with one thing changed, so that causes can be told apart: asked where it failed.
    `path` is for `direct` alone.

    no_key       with no key at all
    other_key    with the pending key, where one has been offered
    second_key   with the second credential of integrations.yaml, where there is one
    made_up_key  with a key that cannot be right: what does the vendor say to a wrong one?
    again        each failing endpoint a few times more: always, or now and then?
    description  the vendor's own description of its API: is the path still in it?
    direct       without our gateway, at the vendor's own address and without a key
    """

    name: Name
    varies: Literal[
        "no_key", "other_key", "second_key", "made_up_key", "again", "description", "direct"
    ]
    path: Path | None = None


class Resource(Frozen):
    """A list the vendor serves, and what it takes to have all of it.

    `envelope`: the member of the answer that holds the records; null where the body itself is the
    list. A member within another is written `meta.next`, here and in cursor_field.

    `paging`: by a cursor out of the answer's cursor_field (`offset_cursor`: rows may shift between
    two pages), by a `page_number` that counts from first_page in cursor_param, or `none`.

    `cursor_field`: null only with page numbers, and with them as a rule: the list then ends with a
    page shorter than one before it. Where it is named, cursor_means says what stands there.

    `cursor_means`: `last_page` its number, `page_count` how many there are (not the same where they
    count from 0), `next_page` its number or a link to it, null at the end, `more` true or false.

    `limit_param`: null where the vendor takes no page size; so it is with paging `none`.

    `version_field`: null where its records carry no time of change.

    `since_param`: without it the list is walked whole.
    """

    name: Name
    path: Path
    envelope: str | None
    item_path: Path | None = None
    item_envelope: str | None = None
    id_field: str = "id"
    version_field: str | None = "updatedAt"
    paging: Literal["cursor", "offset_cursor", "page_number", "none"] = "cursor"
    cursor_param: str = "cursor"
    cursor_field: str | None = "nextCursor"
    cursor_means: Literal["last_page", "page_count", "next_page", "more"] = "last_page"
    first_page: int = Field(default=1, ge=0, le=1)
    limit_param: str | None = "limit"
    page_size: int = Field(default=100, ge=1)
    since_param: str | None = None
    until_param: str | None = None
    sort_param: str | None = None
    sort: str | None = None
    list_lag: Duration = timedelta(0)
    overlap: Duration = timedelta(minutes=5)

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


class SeverityLevel(Frozen):
    """One row of the runbook's own severity table, on our scale 1 (worst) to 4."""

    level: int = Field(ge=1, le=4)
    word: str
    definition: str
    examples: tuple[str, ...] = ()
    respond_within: Duration | Literal["next business day"]
    pages: bool


class Thresholds(Frozen):
    """Where slow and failing begin."""

    slow: Duration = timedelta(seconds=5)
    probe_deadline: Span = timedelta(seconds=10)
    # The most requests that one triage sends the vendor beyond its probes.
    contrast_requests: int = Field(default=24, ge=0)
    # A host's clock may be wrong by so much.
    clock_skew: Span = timedelta(seconds=60)
    connect_slow: Span = timedelta(seconds=1)
    # A sink may be so much older than the vendor's newest record, beyond the list's lag.
    stale: Span = timedelta(hours=1)


class CauseRule(Frozen):
    """One row of the symptom table: symptom -> likely cause -> severity -> what to do.

    It matches where any sign of `symptom` is seen and none of `unless`. It is confirmed where one
    way of `confirm` holds, which is a list of signs that must all be seen; a plain list of signs is
    the only way. What `supported_by` names is told as evidence for it, or against.

    `severity_when_total`: where no endpoint answers well; `severity_when_not_critical`: where no
    critical one is concerned.
    """

    cause: Name
    symptom: SignName | tuple[SignName, ...]
    unless: tuple[SignName, ...] = ()
    confirm: tuple[SignName, ...] | tuple[tuple[SignName, ...], ...] = ()
    supported_by: tuple[SignName, ...] = ()
    likely_cause: str
    check: str
    severity: int = Field(ge=1, le=4)
    severity_when_total: int | None = Field(default=None, ge=1, le=4)
    severity_when_not_critical: int | None = Field(default=None, ge=1, le=4)
    mitigations: tuple[Name, ...] = ()
    steps: tuple[str, ...] = ()
    soak: Duration = timedelta(seconds=30)
    links: tuple[Url, ...] = ()

    @property
    def symptoms(self) -> tuple[str, ...]:
        return (self.symptom,) if isinstance(self.symptom, str) else self.symptom

    @property
    def ways(self) -> tuple[tuple[str, ...], ...]:
        """The ways to confirm it, each with all of its signs."""
        plain = tuple(sign for sign in self.confirm if isinstance(sign, str))
        return ((plain,) if plain else ()) + tuple(
            w for w in self.confirm if not isinstance(w, str)
        )

    @property
    def signs(self) -> tuple[str, ...]:
        """Every sign that it names."""
        proofs = (sign for way in self.ways for sign in way)
        return (*self.symptoms, *self.unless, *proofs, *self.supported_by)


class Mitigation(Frozen):
    """An action the runbook knows, with what it touches, its cap and its way back."""

    name: Name
    action: Literal["rotate_key", "pause_jobs", "cap_rate", "escalate"]
    summary: str
    criticality: tuple[Criticality, ...] = ()
    max_requests_per_s: float | None = Field(default=None, gt=0)
    lease: Span = timedelta(hours=4)
    autonomy: Autonomy = "propose"
    approvals: int = Field(default=1, ge=0, le=1)


class Job(Frozen):
    """A scheduled job over this vendor: the resources it moves and how much it matters."""

    name: Name
    criticality: Criticality
    resources: tuple[Name, ...] = Field(min_length=1)


class Verification(Frozen):
    """What proves a repair: good probes in a row, and records that move again."""

    probes_in_a_row: int = Field(default=3, ge=1)
    interval: Duration = timedelta(seconds=10)
    give_up_after: Duration = timedelta(minutes=15)


class Detection(Frozen):
    """How a first failure becomes an incident, and how long a closed one may come back."""

    confirming_probes: int = Field(default=3, ge=1)
    confirm_within: Duration = timedelta(seconds=15)
    needed: int = Field(default=2, ge=1)
    # A fault that comes and goes: so many of the last so many checks saw it.
    occasional_needed: int = Field(default=3, ge=1)
    occasional_of: int = Field(default=12, ge=1)
    reopen_within: Duration = timedelta(minutes=30)


class Caps(Frozen):
    """The most this runbook may do by itself."""

    jobs_paused_per_incident: int = Field(default=5, ge=0)
    rotations_per_credential_per_day: int = Field(default=1, ge=0)
    approval_timeout: Duration = timedelta(hours=1)


class Rung(Frozen):
    """One step of the escalation ladder: who is called after so long without acknowledgement."""

    level: int = Field(ge=1)
    who: str
    after: Duration


class Link(Frozen):
    """A page a person may want at 3 a.m."""

    title: str
    url: Url


class Support(Frozen):
    """A way to reach the vendor's people."""

    title: str
    contact: str


class Checklist(Frozen):
    """What people do beside us: when, and item by item."""

    title: str
    items: tuple[str, ...] = Field(min_length=1)


class Runbook(Frozen):
    """One vendor's runbook: facts about its API, and the policy for its incidents."""

    vendor: Name
    display_name: str
    # Said of an API that its vendor does not document: every path can be overridden.
    unverified: str | None = None
    base_url: Url
    auth: Auth
    rate_limit: RateLimit
    max_page_size: int | None = Field(default=None, ge=1)
    status_page: StatusPage | None = None
    # Any site that is up when our network is, and has nothing to do with the vendor.
    control: Url | None = None
    # Where the vendor serves a description of its API (OpenAPI).
    description: Path | None = None
    probes: tuple[Probe, ...] = Field(min_length=1)
    contrast_probes: tuple[ContrastProbe, ...] = ()
    metrics: tuple[Metric, ...] = ()
    volume: Volume | None = None
    logs: tuple[Log, ...] = ()
    resources: tuple[Resource, ...] = ()
    severity: tuple[SeverityLevel, ...] = Field(min_length=4, max_length=4)
    thresholds: Thresholds = Thresholds()
    causes: tuple[CauseRule, ...] = Field(min_length=1)
    mitigations: tuple[Mitigation, ...] = ()
    jobs: tuple[Job, ...] = ()
    verification: Verification = Verification()
    detection: Detection = Detection()
    caps: Caps = Caps()
    escalation: tuple[Rung, ...] = ()
    checklists: tuple[Checklist, ...] = ()
    support: tuple[Support, ...] = ()
    links: tuple[Link, ...] = ()

    def resource(self, name: str) -> Resource:
        return next(r for r in self.resources if r.name == name)

    def job(self, name: str) -> Job:
        return next(j for j in self.jobs if j.name == name)

    def job_of(self, resource: str) -> str:
        """The job that moves a resource, or the resource's own name where none does."""
        return next((j.name for j in self.jobs if resource in j.resources), resource)

    def cause(self, cause: str) -> CauseRule | None:
        return next((c for c in self.causes if c.cause == cause), None)

    def mitigation(self, name: str) -> Mitigation:
        return next(m for m in self.mitigations if m.name == name)

    def severity_level(self, level: int) -> SeverityLevel:
        return next(s for s in self.severity if s.level == level)
