"""Which key of ours is where: in the store, in our service, in each consumer. By fingerprint only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from watchkeeper.credentials.reading import ask_store, unreachable
from watchkeeper.errors import Transient, UserError
from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.harmless import LONGEST
from watchkeeper.performing.stored_key import StoredKey, stored_key
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched

# Ours are 8 hex digits of a SHA-256; some services show more of the same.
_DIGEST = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_OURS = 8


class KeyVerdict(NamedTuple):
    """What is said of one holder of a key."""

    outcome: Outcome
    fault: str | None
    detail: str
    signature: str = ""


class StoreLook(NamedTuple):
    """What the store tells of our key, and what is to be said of that."""

    stored: StoredKey | None
    verdict: KeyVerdict


async def look_at_store(watch: Watch, watched: Watched, within_s: float) -> StoreLook:
    """Read once. A store that cannot be asked now says nothing about the key in it."""
    reference, base = watched.integration.credential.reference, watch.secrets_base
    try:
        stored = await ask_store(reference, lambda: stored_key(reference, base), within_s)
    except UserError as error:
        return StoreLook(None, KeyVerdict(Outcome.DOWN, "missing", str(error)))
    except Transient as error:
        return StoreLook(None, KeyVerdict(Outcome.UNKNOWN, None, unreachable(error)))
    return StoreLook(stored, of_store(stored))


def key_readings(
    at: datetime, store: StoreLook, shown_fingerprints: Mapping[str, str | None]
) -> tuple[Reading, ...]:
    """`store`, and one for each holder by its name (`service`, or a consumer's), from the
    fingerprint that its health answer shows; None where it shows none."""
    holders = (
        _reading(name, f"the key of {_called(name)}", at, of_holder(shown, store.stored))
        for name, shown in shown_fingerprints.items()
    )
    return (_reading("store", "the key in the store", at, store.verdict), *holders)


def of_store(stored: StoredKey) -> KeyVerdict:
    """A key that is there is well; white space at its ends is sent by whoever does not look."""
    ends = "white space" if stored.spaced else "no white space"
    detail = f"{stored.length} characters, {ends} at its ends, fingerprint {stored.fingerprint}"
    outcome = Outcome.DEGRADED if stored.spaced else Outcome.OK
    fault = "white_space" if stored.spaced else None
    return KeyVerdict(outcome, fault, detail, stored.fingerprint)


def of_holder(shown: str | None, stored: StoredKey | None) -> KeyVerdict:
    """Whether a holder has the store's key. What is no fingerprint is not repeated: it may be the
    key, or a part of it."""
    if shown is None:
        return KeyVerdict(Outcome.UNKNOWN, None, "shows no fingerprint")
    digest = shown.strip().lower().removeprefix("sha256:")
    if stored is None:
        return KeyVerdict(Outcome.UNKNOWN, None, "the store shows none to compare it with")
    if not _DIGEST.fullmatch(digest):
        return KeyVerdict(Outcome.UNKNOWN, None, "what it shows is no fingerprint")
    if digest.startswith(stored.fingerprint):
        said = f"is the store's, fingerprint {stored.fingerprint}"
        return KeyVerdict(Outcome.OK, None, said, stored.fingerprint)
    return _another(digest, stored)


def _another(digest: str, stored: StoredKey) -> KeyVerdict:
    stage = next((s for s, mark in stored.others.items() if digest.startswith(mark)), None)
    if stage is None and len(digest) != _OURS:
        return KeyVerdict(Outcome.UNKNOWN, None, "its fingerprint is not made as ours are")
    mark = digest[:_OURS] if stage is None else stored.others[stage]
    which = f", the store's {stage} one" if stage else ""
    said = f"is {mark}{which}; the store has {stored.fingerprint}"
    return KeyVerdict(Outcome.DEGRADED, "other_key", said, mark)


def _called(name: str) -> str:
    return "our service" if name == "service" else name


def _reading(probe: str, target: str, at: datetime, verdict: KeyVerdict) -> Reading:
    return Reading(
        probe=probe,
        kind=Kind.KEY,
        target=target,
        at=at,
        outcome=verdict.outcome,
        latency_s=0.0,
        fault=verdict.fault,
        detail=verdict.detail[:LONGEST],
        signature=verdict.signature,
    )
