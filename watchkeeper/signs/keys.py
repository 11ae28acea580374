"""Signs of the key: is one sent, is it the one that is refused, and who holds which."""

from __future__ import annotations

from watchkeeper.answer import Speaker
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.signs.answers import ADMITTED, Answer, answer_of, those
from watchkeeper.signs.finding import UNKNOWN, Finding, both, of_one
from watchkeeper.signs.vendors_word import vendor_status_degraded


def no_key_of_ours(evidence: Evidence) -> Finding:
    """Our own store holds no key that can be sent."""
    unsent = those(evidence, Answer.UNSENT)
    store = evidence.one(Kind.KEY, "store")
    if unsent:
        return Finding(True, unsent)
    return of_one(store, lambda r: r.outcome is Outcome.DOWN)


def same_as_no_key(evidence: Evidence) -> Finding:
    """Our key is answered as if none had come, by a vendor that answers a bad one otherwise. Where
    it tells the two apart no more, that says nothing of our key."""
    without = evidence.contrast("no_key")
    refused = those(evidence, Answer.REFUSED)
    if not evidence.tells_missing_key or without is None or not without.signature or not refused:
        return UNKNOWN
    same = tuple(r for r in refused if r.signature == without.signature)
    if same and not _told_apart(evidence, without):
        return UNKNOWN
    return Finding(bool(same), (*same, without) if same else (), () if same else refused)


def every_key_refused_alike(evidence: Evidence) -> Finding:
    """Our key, a made-up one and none at all are refused with one answer, by a vendor that tells
    them apart when it is well: it is the vendor's look at keys that fails."""
    without, made_up = evidence.contrast("no_key"), evidence.contrast("made_up_key")
    refused = those(evidence, Answer.REFUSED)
    if not evidence.tells_missing_key or without is None or made_up is None or not refused:
        return UNKNOWN
    if not without.signature:
        return UNKNOWN
    alike = tuple(r for r in (*refused, made_up) if r.signature == without.signature)
    whole = len(alike) == len(refused) + 1 and not _told_apart(evidence, without)
    return Finding(whole, (*alike, without) if whole else (), () if whole else (without, made_up))


def _told_apart(evidence: Evidence, without: Reading) -> bool:
    """A missing key is answered otherwise than a wrong one, now: by another answer, or by one that
    the API does not write to keys, such as a short text where its refusals are JSON."""
    made_up = evidence.contrast("made_up_key")
    if without.speaker is not Speaker.API and without.answer is not None:
        return True
    return made_up is None if without.answer is None else _other(made_up, without)


def _other(made_up: Reading | None, without: Reading) -> bool:
    return made_up is not None and made_up.signature != without.signature


def otherwise_without_key(evidence: Evidence) -> Finding:
    """Without a key the same path is answered otherwise: who refuses us has looked at our key."""
    without = evidence.contrast("no_key")
    ours = None if without is None else evidence.one(Kind.ENDPOINT, without.of)
    if without is None or ours is None or not without.answered:
        return UNKNOWN
    other = _kind(without) is not _kind(ours)
    return Finding(other, (without,) if other else (), () if other else (without,))


def refused_while_page_red(evidence: Evidence) -> Finding:
    """The key is refused everywhere while the vendor's own page says that it is not well, and no
    other key is let in."""
    refused = those(evidence, Answer.REFUSED)
    if not refused or those(evidence, *ADMITTED):
        return Finding(False)
    accepted = other_key_accepted(evidence)
    if accepted.holds:
        return Finding(False, (), accepted.supports)
    return both(Finding(True, refused), vendor_status_degraded(evidence))


def fails_without_key(evidence: Evidence) -> Finding:
    """It fails the same way for somebody without any key: the key has no part in it."""
    without = evidence.contrast("no_key")
    if without is None:
        return UNKNOWN
    bad = _kind(without) in (Answer.SERVER_ERROR, Answer.SILENT)
    return Finding(bad, (without,) if bad else (), () if bad else (without,))


def other_key_accepted(evidence: Evidence) -> Finding:
    """Another key is let in where ours is refused: it is the key, not the vendor's door."""
    return _accepted(evidence, ("other_key", "second_key"))


def other_key_refused(evidence: Evidence) -> Finding:
    """The pending key is refused as well."""
    return _refused(evidence, "other_key")


def second_key_accepted(evidence: Evidence) -> Finding:
    """The second credential, independent of the first, is let in where the first is refused."""
    return _accepted(evidence, ("second_key",))


def second_key_refused(evidence: Evidence) -> Finding:
    """The second credential, independent of the first, is refused at the same time."""
    return _refused(evidence, "second_key")


def key_accepted_in_between(evidence: Evidence) -> Finding:
    """The same key that was refused is let in when it is tried again."""
    slow_s = evidence.slow.total_seconds()
    refused = {r.probe for r in those(evidence, Answer.REFUSED)}
    again = tuple(r for r in evidence.contrasts("again") if r.of in refused)
    if not again:
        return UNKNOWN
    let_in = tuple(r for r in again if answer_of(r, slow_s) in ADMITTED)
    return Finding(bool(let_in), let_in, () if let_in else again)


def store_key_accepted(evidence: Evidence) -> Finding:
    """The key in the store is let in."""
    admitted, refused = those(evidence, *ADMITTED), those(evidence, Answer.REFUSED)
    return Finding(bool(admitted) and not refused, admitted, refused)


# Readings of the key itself.
_NO_HOLDER = ("store", "leak", "age")


def service_on_another_key(evidence: Evidence) -> Finding:
    """Our service shows another key's fingerprint than the store's: it was not restarted."""
    holders = tuple(r for r in evidence.of(Kind.KEY) if r.probe not in _NO_HOLDER)
    others = tuple(r for r in holders if r.fault == "other_key")
    shown = tuple(r for r in holders if r.signature)
    if not shown:
        return UNKNOWN
    return Finding(bool(others), others, () if others else shown)


def key_changed_of_late(evidence: Evidence) -> Finding:
    """Somebody has written down a change of the key within the last day."""
    changes = tuple(r for r in evidence.of(Kind.CHANGE) if r.probe == "key")
    return Finding(bool(changes), changes)


def key_leaked(evidence: Evidence) -> Finding:
    """A person has told that others may have our key, and it is not yet proven dead and replaced."""
    return of_one(evidence.one(Kind.KEY, "leak"), lambda r: r.outcome is Outcome.DOWN)


def key_due(evidence: Evidence) -> Finding:
    """Our key is soon to expire, or older than we let one grow."""
    return of_one(evidence.one(Kind.KEY, "age"), lambda r: r.outcome is not Outcome.OK)


def _accepted(evidence: Evidence, names: tuple[str, ...]) -> Finding:
    tried = tuple(r for r in map(evidence.contrast, names) if r is not None)
    let_in = tuple(r for r in tried if _kind(r) in ADMITTED - {Answer.FORBIDDEN})
    if not tried:
        return UNKNOWN
    return Finding(bool(let_in), let_in, () if let_in else tried)


def _refused(evidence: Evidence, name: str) -> Finding:
    tried = evidence.contrast(name)
    return of_one(tried, lambda r: _kind(r) is Answer.REFUSED)


def _kind(reading: Reading) -> Answer:
    return answer_of(reading, float("inf"))


SIGNS = (
    no_key_of_ours,
    same_as_no_key,
    every_key_refused_alike,
    otherwise_without_key,
    refused_while_page_red,
    fails_without_key,
    other_key_accepted,
    other_key_refused,
    second_key_accepted,
    second_key_refused,
    key_accepted_in_between,
    store_key_accepted,
    service_on_another_key,
    key_changed_of_late,
    key_leaked,
    key_due,
)
