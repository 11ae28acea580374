"""Keys in far stores on the paths that use them: offered, rotated, looked at, and not reached."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from threading import Event

import pytest
from conftest import NAME
from making import opened
from stand_ins import Vendor, entry, running_vendor
from stores_lab import (
    NEW,
    OLD,
    WRITES,
    Place,
    aws_wire,
    every,
    far,
    gcp_wire,
    of,
    on_aws,
    place,
    shape,
)
from test_cli import FAST, home, refused, run, watch, well
from test_key_reading import FarStore, far_store

from watchkeeper.contrasts import Contrast
from watchkeeper.credentials.secret import Secret
from watchkeeper.diagnosis import Verdict, diagnose
from watchkeeper.effects import KEY_PROMOTE, EffectState
from watchkeeper.errors import Transient
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.performing import key_test, old_keys, rotating
from watchkeeper.performing.connectors import client_of
from watchkeeper.performing.contrasting import contrast_readings
from watchkeeper.performing.endpoint_probe import ask
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.probing import look
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import effects

__all__ = ["aws_wire", "far_store", "gcp_wire", "home", "place", "watch"]

NUMBERS = count()
NOBODY = "aws:key?endpoint=http://127.0.0.1:9"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    folder = tmp_path_factory.mktemp("vendor")
    with Processes(folder) as processes, running_vendor(processes, folder) as vendor:
        yield vendor


@pytest.fixture
def vendor(running: Vendor) -> Iterator[Vendor]:
    yield running
    running.mend()


def kept_at(watch: Watch, vendor: Vendor, reference: str, **credential: str) -> Watched:
    """The home's one integration, with its key there."""
    said = {"name": "maintainx-api-key", "reference": reference, **credential}
    mere_source = reference.startswith("prefect-block:")
    rotating = ("rotate-key", "replace-leaked-key") if mere_source else ()
    without = {"mitigations": {name: {"autonomy": "observe"} for name in rotating}}
    text = entry(vendor, overrides=FAST | without, credential=said)
    watch.settings.integrations.write_text(text)
    return watch.integration(NAME)


# --- a key is offered ---------------------------------------------------------------------------


def stages() -> dict[str, str]:
    shown = well("key", "show", NAME, "--json").data
    return {version["stage"]: version["fingerprint"] for version in shown}


@pytest.fixture
def empty(place: Place) -> Place:
    """A place where nothing is kept yet."""
    (place.folder / "key.json").unlink()
    return place


@every
def test_the_first_key_is_current_and_the_next_is_offered(
    home: Path, watch: Watch, vendor: Vendor, empty: Place
) -> None:
    """AWS makes a first version current by itself: nothing is left on offer all the same."""
    kept_at(watch, vendor, empty.reference)
    first, second = Secret(vendor.new_key()), Secret(vendor.new_key())
    said = well("key", "offer", NAME, stdin=f"{first.reveal()}\n")
    assert f"{first.fingerprint} is the first key of {NAME}; the vendor accepts" in said.err
    assert stages() == of(first)
    assert empty.consumer() == first.reveal()
    said = well("key", "offer", NAME, stdin=second.reveal())
    assert f"{second.fingerprint} is offered for {NAME}; the vendor accepts" in said.err
    assert stages() == of(first, pending=second)
    assert empty.consumer() == first.reveal()
    well("key", "withdraw", NAME)
    assert stages() == of(first)


BAD = [
    (f"{NEW.reveal()}\n{NEW.reveal()}", "has white space or control characters inside"),
    ("live_key_0002", "a sandbox takes only test_ keys"),
    (NEW.reveal(), f"the vendor refuses {NEW.fingerprint}"),
]


@pytest.mark.parametrize(("typed", "why"), BAD)
@every
def test_a_first_key_that_is_none_is_stored_nowhere(
    home: Path, watch: Watch, vendor: Vendor, empty: Place, typed: str, why: str
) -> None:
    """There it might be current at once, and could not be taken back."""
    kept_at(watch, vendor, empty.reference)
    said = refused("key", "offer", NAME, stdin=typed)
    assert why in said and "canary" not in said
    assert empty.wire is None or empty.wire.seen == []
    assert not (home / "key.json").exists()


def test_a_store_that_cannot_be_reached_takes_no_key(
    home: Path, watch: Watch, vendor: Vendor
) -> None:
    kept_at(watch, vendor, NOBODY)
    said = refused("key", "offer", NAME, stdin=vendor.new_key())
    assert said.startswith(f"watchkeeper: the store cannot be reached: {NOBODY} cannot be reached")
    assert said.endswith("; offer it again, which completes what was begun")


RIGHTS = [
    ("aws", "DescribeSecret"),
    ("aws", "CreateSecret"),
    ("aws", "PutSecretValue"),
    ("aws", "UpdateSecretVersionStage"),
    ("gcp", "list"),
    ("gcp", "create"),
    ("gcp", "add"),
    ("gcp", "access"),
    ("gcp", "destroy"),
]


@pytest.mark.parametrize(("place", "right"), RIGHTS, indirect=["place"], ids=[r[1] for r in RIGHTS])
def test_whoever_lacks_a_right_offers_again_once_he_has_it(
    home: Path, watch: Watch, vendor: Vendor, place: Place, right: str
) -> None:
    """One line says what is missing and what there is; the same command completes it."""
    assert place.wire is not None
    kept_at(watch, vendor, place.reference)
    key = Secret(vendor.new_key())
    place.wire.reset(denied=right)
    said = refused("key", "offer", NAME, stdin=key.reveal())
    assert "whoever runs this needs " in said
    assert key.reveal() not in said and "canary" not in said
    stored = f"{key.fingerprint} is stored, and may not be current yet: " in said
    assert stored is (right in ("UpdateSecretVersionStage", "access", "destroy"))
    place.wire.reset()
    completed(place, key)


def completed(place: Place, key: Secret) -> None:
    """The same command again, which says so where it was done already; nothing is left on offer."""
    said = run("key", "offer", NAME, stdin=key.reveal())
    if said.code:
        assert f"key {key.fingerprint} is the current one of " in said.err
    assert shape(place.store) == of(key)
    if place.google is not None:
        assert place.google.enabled(f"{place.name}-pending") == []
    else:
        assert list(place.raw().values()) == [["AWSCURRENT"]]


@far
def test_a_first_key_whose_store_fails_on_the_way(
    home: Path, watch: Watch, vendor: Vendor, place: Place
) -> None:
    """At its first call, or after any that writes: one line, and the same command completes it."""
    assert place.wire is not None
    key = Secret(vendor.new_key())
    kept_at(watch, vendor, place.reference)
    well("key", "offer", NAME, stdin=key.reveal())
    writes = [n for n, said in enumerate(place.wire.seen, 1) if said in WRITES]
    assert len(writes) > 2
    for number, when in [(1, "before"), *((n, "after") for n in writes)]:
        again = fresh_like(place)
        kept_at(watch, vendor, again.reference)
        place.wire.reset(number, when)
        said = refused("key", "offer", NAME, stdin=key.reveal())
        assert "the store cannot be reached" in said or "may not be current yet" in said
        assert "canary" not in said and key.reveal() not in said
        place.wire.reset()
        completed(again, key)


def fresh_like(place: Place) -> Place:
    name = f"{place.name}-{next(NUMBERS)}"
    return replace(place, reference=place.reference.replace(place.name, name))


# --- a key is rotated ---------------------------------------------------------------------------


@pytest.fixture
def duty(watch: Watch) -> Duty:
    return Duty.unfenced(opened(watch))


@far
def test_a_promotion_that_died_at_its_last_call_is_completed(
    watch: Watch, vendor: Vendor, place: Place, duty: Duty
) -> None:
    """The key is current, and the ledger does not know: what is left on offer is cleared away."""
    assert place.wire is not None
    place.put_raw(OLD.reveal())
    mark = place.store.offer(NEW)
    here = kept_at(watch, vendor, place.reference)
    with watch.store.write() as session:
        effect = duty.effect(KEY_PROMOTE, f"maintainx-api-key:{mark}")
        effects.sending(session, effect, 0, watch.now())
    place.wire.reset()
    place.store.read("pending")
    place.wire.reset(len(place.wire.seen) + 2)
    with pytest.raises(Transient):
        place.store.promote(mark)
    assert place.wire.seen[-1] in ("UpdateSecretVersionStage", "destroy")
    assert place.consumer() == NEW.reveal()
    place.wire.reset()
    asyncio.run(rotating.promote(watch, duty, here, mark, timedelta(hours=1)))
    with watch.store.read() as session:
        entry_, *_ = effects.entries(session, duty.incident_id)
    assert entry_.state == EffectState.RECONCILED
    assert shape(place.store) == of(NEW, previous=OLD)
    if place.google is not None:
        assert place.google.enabled(f"{place.name}-pending") == []
    else:
        assert sorted(place.raw().values()) == [["AWSCURRENT"], ["AWSPREVIOUS"]]


@far
def test_a_promoted_key_is_what_we_send_next(
    watch: Watch, vendor: Vendor, place: Place, duty: Duty
) -> None:
    """Neither a promotion of ours nor the proof that the old key is dead goes by what was kept."""
    old, new, newer = (Secret(vendor.new_key()) for _ in range(3))
    place.put_raw(old.reveal())
    here = kept_at(watch, vendor, place.reference)
    assert asyncio.run(look(watch, here)).endpoints[0].status == 200
    place.store.offer(new)
    assert asyncio.run(key_test.test_offered(watch, here)).accepted
    asyncio.run(rotating.promote(watch, duty, here, new.fingerprint, timedelta(hours=1)))
    vendor.revoke(old.fingerprint)
    assert [r.status for r in asyncio.run(look(watch, here)).endpoints] == [200] * 4
    # Now by another process.
    place.store.promote(place.store.offer(newer))
    vendor.revoke(new.fingerprint)
    assert asyncio.run(old_keys.try_old(watch, here, new.fingerprint)).accepted is False


# --- a look -------------------------------------------------------------------------------------


def seen(watch: Watch, here: Watched, closely: bool = False) -> Evidence:
    return asyncio.run(look(watch, here, closely=closely))


@on_aws
def test_looks_share_a_reading_of_the_current_key(
    watch: Watch, vendor: Vendor, place: Place
) -> None:
    """A look asks the store who it is, once, whatever it asks of the vendor."""
    assert place.wire is not None
    place.put_raw(vendor.key)
    here = kept_at(watch, vendor, place.reference)
    for reads in (1, 0, 0):
        place.wire.reset()
        assert [r.status for r in seen(watch, here).endpoints] == [200] * 4
        told = [said for said in place.wire.seen if said == "DescribeSecret"]
        assert place.wire.seen.count("GetSecretValue") == reads + len(told)


@pytest.mark.parametrize("closely", [False, True])
@pytest.mark.parametrize("fault", ["fails", "hangs"])
def test_a_look_whose_key_store_cannot_be_asked(
    watch: Watch, vendor: Vendor, far_store: FarStore, fault: str, closely: bool
) -> None:
    """Is a look that proves nothing: the vendor was not asked, and the key is not missing."""
    here = kept_at(watch, vendor, f"prefect-block:key-{next(NUMBERS)}")
    limits = here.runbook.thresholds.model_dump() | {"probe_deadline": "200 ms"}
    thresholds = type(here.runbook.thresholds).model_validate(limits)
    book = here.runbook.model_copy(update={"thresholds": thresholds})
    here = here.model_copy(update={"runbook": book})
    gate = Event()
    far_store.fails, far_store.gate = fault == "fails", gate if fault == "hangs" else None
    why = "cannot be reached (Stand-in)" if fault == "fails" else "has not answered within 0."

    async def looked() -> Evidence:
        try:
            return await look(watch, here, closely=closely)
        finally:
            gate.set()

    before = vendor.asked()
    evidence = asyncio.run(looked())
    assert vendor.asked() == before
    assert evidence.endpoints == ()
    readings = evidence.of(Kind.ENDPOINT)
    assert [r.outcome for r in readings] == [Outcome.UNKNOWN] * 4
    store = evidence.one(Kind.KEY, "store")
    assert store is not None and store.outcome is Outcome.UNKNOWN
    for reading in (*readings, store):
        assert reading.detail.startswith("the store cannot be reached: ") and why in reading.detail
    diagnosis = diagnose(evidence, here.runbook)
    assert (diagnosis.verdict, diagnosis.cause) == (Verdict.INCONCLUSIVE, None)


def test_a_store_that_is_lost_between_a_look_s_requests(
    watch: Watch, vendor: Vendor, far_store: FarStore
) -> None:
    """The endpoint says so; it is neither raised nor laid at the vendor's door."""
    here = kept_at(watch, vendor, f"prefect-block:key-{next(NUMBERS)}")
    far_store.fails = True

    async def asked() -> Reading:
        async with client_of(watch, here, "probe") as client:
            return (await ask(watch, here, client, here.runbook.probes[0])).reading

    reading = asyncio.run(asked())
    assert (reading.outcome, reading.status) == (Outcome.UNKNOWN, None)
    assert reading.detail.startswith("the store cannot be reached: aws:key cannot be reached")


CHOSEN = (
    Contrast("other_key", "/workorders?limit=1", "workorders"),
    Contrast("second_key", "/workorders?limit=1", "workorders"),
)


@far
def test_a_contrast_whose_key_cannot_be_read(watch: Watch, vendor: Vendor, place: Place) -> None:
    """Is told, and counts neither for nor against; one that nobody has offered is left out."""
    assert place.wire is not None
    place.put_raw(vendor.key)
    here = kept_at(watch, vendor, place.reference, second="env:MX_SECOND_KEY_OF_NOBODY")

    def tried() -> Evidence:
        readings = asyncio.run(contrast_readings(watch, here, CHOSEN, 5.0))
        return Evidence(integration=NAME, at=watch.now(), readings=readings)

    place.wire.reset(fails=1)
    failed = tried()
    told = {r.probe: r.detail for r in failed.of(Kind.CONTRAST)}
    assert told["other_key"].startswith("not asked: the store cannot be reached: ")
    assert told["second_key"] == (
        "not asked: env:MX_SECOND_KEY_OF_NOBODY is not set; export MX_SECOND_KEY_OF_NOBODY"
    )
    assert failed.contrast("other_key") is failed.contrast("second_key") is None
    place.wire.reset()
    assert [r.probe for r in tried().of(Kind.CONTRAST)] == ["second_key"]
    place.store.offer(Secret(vendor.new_key()))
    other = tried().contrast("other_key")
    assert other is not None and other.status == 200


def test_a_second_key_whose_store_cannot_be_reached(watch: Watch, vendor: Vendor) -> None:
    """Is not asked with, and the look goes on."""
    here = kept_at(watch, vendor, "file:key.json", second=NOBODY)
    (reading,) = asyncio.run(contrast_readings(watch, here, CHOSEN, 5.0))
    assert (reading.probe, reading.outcome) == ("second_key", Outcome.UNKNOWN)
    assert reading.detail.startswith(f"not asked: the store cannot be reached: {NOBODY}")


def test_commands_tell_of_a_store_that_cannot_be_reached(
    home: Path, watch: Watch, vendor: Vendor
) -> None:
    """In a line of theirs; what else they look at they look at all the same."""
    kept_at(watch, vendor, NOBODY)
    told = f"the store cannot be reached: {NOBODY} cannot be reached"
    said = run("doctor")
    assert said.code == 1
    assert f"{NAME}: {told}" in said.err and "no pager is set" in said.err
    said = run("connect", NAME, "--json")
    assert (said.code, said.err) == (1, "")
    (key,) = [check for check in said.data["checks"] if check["about"] == "key"]
    assert key["verdict"] == "does not work" and key["says"].startswith(told)
    said = run("triage", NAME, "--json")
    assert (said.code, said.err) == (1, "")
    assert (said.data["verdict"], said.data["cause"]) == ("inconclusive", None)
    assert told in said.out
    assert refused("verify", NAME, code=1).startswith(f"watchkeeper: {NOBODY} cannot be reached")
