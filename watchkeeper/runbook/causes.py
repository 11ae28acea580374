"""The symptom table and the severity table: what it is, how grave, and what is done about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from watchkeeper.runbook.base import Duration, Frozen, Name, SignName, Span, Url


class SeverityLevel(Frozen):
    """One row of the runbook's own severity table, on our scale 1 (worst) to 4."""

    level: int = Field(ge=1, le=4)
    """1 (worst) to 4; causes name it, and each of the four is there once."""
    word: str
    """Your company's word for it, such as `SEV-1` or `P1`."""
    definition: str
    """What it means, such as `The whole integration has failed`."""
    examples: tuple[str, ...] = ()
    """Failures of this level, such as `a time-out now and then`; for whoever reads the file."""
    respond_within: Duration | Literal["next business day"]
    """How soon somebody acts, such as `15 min` or `next business day`; told, and not enforced."""
    pages: bool
    """Whether people are called; at a level that calls nobody the ladder is not climbed."""


class Thresholds(Frozen):
    """Where slow and failing begin."""

    slow: Duration = timedelta(seconds=5)
    """A good answer that takes longer is slow, our own service's too; a probe's expect.slow comes
    before it."""
    probe_deadline: Span = timedelta(seconds=10)
    """How long an endpoint may take to answer before it counts as silent."""
    contrast_requests: int = Field(default=24, ge=0)
    """The most requests that one triage sends the vendor beyond its probes."""
    clock_skew: Span = timedelta(seconds=60)
    """A host's clock may be wrong by so much, and a watermark may be so far in the future."""
    connect_slow: Span = timedelta(seconds=1)
    """A name look-up, a connection, a TLS handshake or the control's answer that takes longer is
    slow."""
    stale: Span = timedelta(hours=1)
    """How long ago a resource may have been walked, beyond its list_lag; two intervals of its job
    where they are longer."""


class CauseRule(Frozen):
    """One row of the symptom table: symptom -> likely cause -> severity -> what to do."""

    cause: Name
    """What incidents and overrides call the cause, such as `api_key_expired`; used once."""
    symptom: SignName | tuple[SignName, ...]
    """The sign that must be seen for the row to match; of a list, any one of them."""
    unless: tuple[SignName, ...] = ()
    """Signs any one of which, where it is seen, rules the row out."""
    confirm: tuple[SignName, ...] | tuple[tuple[SignName, ...], ...] = ()
    """Signs that must all be seen to confirm it, or several such lists, of which one will do.
    Without it the row is never more than likely."""
    supported_by: tuple[SignName, ...] = ()
    """Signs that are told as evidence for it, or against; they neither match nor confirm."""
    likely_cause: str
    """The cause in words, such as `the API key has expired or was revoked`."""
    check: str
    """What a person should look at, as a question."""
    severity: int = Field(ge=1, le=4)
    """Level of the severity table, 1 (worst) to 4, where no `severity_when_...` holds."""
    severity_when_total: int | None = Field(default=None, ge=1, le=4)
    """Level where no endpoint answers well, now or when asked again: as grave as `severity`, or
    graver. Where it is left out: 1, the gravest, but for too many requests and what is planned."""
    severity_when_not_critical: int | None = Field(default=None, ge=1, le=4)
    """Level where no critical endpoint is concerned: as mild as `severity`, or milder."""
    planned: bool = False
    """The vendor has announced it, as its maintenance: nobody is woken for it, and whatever it does
    not explain comes before it."""
    mitigations: tuple[Name, ...] = ()
    """Names of `mitigations`, in the order planned. Without any, people alone act."""
    steps: tuple[str, ...] = ()
    """What people do besides, in order; told after `check`."""
    soak: Duration = timedelta(seconds=30)
    """How long we go on looking, at least, before a repair of it is believed, such as `60 s`."""
    links: tuple[Url, ...] = ()
    """Pages about this cause; told before the runbook's own links."""

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
