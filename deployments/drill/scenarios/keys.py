"""Keys that are refused: expired, stripped on the way, shut out, or never ours to mend."""

from __future__ import annotations

from typing import Any

from deployments.drill.expects import AtLeast, in_order, shows
from deployments.drill.scenario import Duties, Scenario
from deployments.drill.scenarios.passing import ALL_JOBS, LIKELY, passing
from deployments.drill.setup import Setup


def _expired(name: str, title: str, **more: Any) -> Scenario:
    return Scenario(
        name=name,
        title=title,
        faults=({"kind": "key_expired"},),
        cause="api_key_expired",
        severity=1,
        pauses=ALL_JOBS - {"report-generator"},
        verdicts=("likely", "confirmed"),
        rotates=True,
        paused_by_person="report-generator",
        touched_at_least=200,
        **more,
    )


EXPIRED_KEY = (
    _expired("expired-key", "the API key expires; a person makes a new one"),
    _expired(
        "expired-key-killed-after-effect",
        "the responder dies after a consumer's restart, before it is written down",
        kill="effect.consumer.restart.after",
    ),
    _expired(
        "expired-key-killed-between-phases",
        "the responder dies between mitigation and verification",
        kill="after.mitigate",
    ),
    _expired(
        "expired-key-killed-in-backfill",
        "the responder dies in the middle of the backfill",
        kill="backfill.page",
    ),
)

LEAKED = Scenario(
    name="leaked-key",
    title="others may have the key: it is revoked first, and replaced then",
    told=(
        (
            *("leak", "tell", "{integration}", "--since", "{now}"),
            *("--where", "a public repository", "--by", "ada"),
        ),
    ),
    told_after=(
        (
            *("leak", "audit", "{incident}", "--by", "ada"),
            *("--finding", "nobody used it but our own service"),
        ),
    ),
    people=(Duties(revokes=True),),
    cause="key_leaked",
    severity=1,
    pauses=ALL_JOBS,
    verdicts=("confirmed",),
    rotates=True,
    held=("paused_job",) * 3,
    setup=Setup(commands={"leak": ("leak", "show", "{incident}")}),
    expects=(
        shows("keys", "initial", before="active", lasting="revoked", after="revoked"),
        shows("store", "current", before="initial", lasting="made by ada", after="made by ada"),
        shows("unit", "restarts", before=0, after=1),
        shows("service", "status", after="healthy"),
        # Neither tried nor used before the leaked one was seen dead.
        in_order(
            *("initial last accepted", "initial revoked", "initial first refused"),
            *("made by ada first accepted", "made by ada current"),
            *("restart asked", "made by ada first used by the service"),
        ),
        shows("leak", "0", "refused_at", after=bool),
        shows("leak", "0", "good_for_s", after=AtLeast(0)),
        shows("leak", "0", "audited_by", after="ada"),
    ),
)


def _due(name: str, title: str, **more: Any) -> Scenario:
    return Scenario(
        name=name,
        title=title,
        falls_due=True,
        cause="key_expires_soon",
        pauses=frozenset(),
        verdicts=("confirmed",),
        rotates=True,
        **more,
    )


OVERLAP = _due(
    "key-overlap",
    "the key is soon to expire: a new one is in use before the old one goes; nobody is woken",
    severity=4,
    pages=False,
    people=(Duties(attentive=True, revokes=True, revokes_after_s=4),),
    held=("old_key",),
    expects=(
        shows("keys", "initial", before="active", lasting="active", after="revoked"),
        shows("store", "current", before="initial", lasting="made by ada", after="made by ada"),
        shows("unit", "restarts", before=0, lasting=1, after=1),
        shows("since_fault", "failed", after=0),
        shows("since_fault", "by_key", "initial", after=AtLeast(1)),
        shows("since_fault", "by_key", "made by ada", after=AtLeast(1)),
        in_order(
            *("made by ada first accepted", "made by ada current", "restart asked"),
            *("made by ada first used by the service", "initial last accepted"),
            *("initial revoked", "initial first refused"),
        ),
        in_order("initial last used by the service", "made by ada first used by the service"),
    ),
)

HALF_FAILED = _due(
    "half-failed-restart",
    "a restart leaves our service on the old key, which is then kept; a person mends it",
    severity=2,
    setup=Setup(overrides={"causes": {"key_expires_soon": {"severity": 2}}}),
    unit_faults=({"kind": "keeps_old_key", "times": 1},),
    people=(Duties(attentive=True, revokes=True, mends=True, mends_after_s=8),),
    held=("old_key",),
    expects=(
        # Nobody was asked to revoke it: what is asked is done at once.
        shows("keys", "initial", before="active", lasting="active", after="revoked"),
        shows("store", "current", lasting="made by ada", after="made by ada"),
        shows("calls", "by_key", "made by ada", lasting=None),
        shows("pages", lasting=AtLeast(2)),
        shows("since_fault", "failed", after=0),
        in_order(
            *("made by ada current", "restart asked", "made by ada first used by the service"),
            *("initial last accepted", "initial revoked", "initial first refused"),
        ),
    ),
)

KEYS = (
    LEAKED,
    OVERLAP,
    HALF_FAILED,
    passing(
        "access-denied",
        "the account is shut out: 403 everywhere, until the vendor lets it in again",
        "access_denied",
        1,
        faults=({"kind": "forbidden"},),
        verdicts=LIKELY,
    ),
    passing(
        "vendor-auth-down",
        "the vendor refuses every key; no key of ours is rotated for that",
        "vendor_auth_down",
        1,
        faults=({"kind": "auth_down"},),
        status_page="degraded",
        setup=Setup(second_key=True),
        verdicts=("likely", "confirmed"),
    ),
    passing(
        "key-lost-on-the-way",
        "the key's header is taken off on the way; the key itself is good",
        "key_missing",
        1,
        faults=({"kind": "key_stripped"},),
        verdicts=("likely",),
    ),
)
