"""One contract for every store that keys are rotated in: file, AWS and Google."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from stores_lab import (
    NEW,
    OLD,
    OTHER,
    T0,
    WRITES,
    Call,
    Place,
    aws_wire,
    every,
    far,
    fresh,
    gcp_wire,
    of,
    on_aws,
    on_gcp,
    place,
    seeded,
    shape,
    told,
)

from watchkeeper.credentials.crc32c import crc32c
from watchkeeper.credentials.protocols import StoredKey
from watchkeeper.credentials.references import open_rotatable, open_source
from watchkeeper.errors import Permanent, Transient, UserError

__all__ = ["aws_wire", "gcp_wire", "place"]


@every
def test_a_rotation(place: Place) -> None:
    """Each key moves one stage; consumers are on the old one until the new one is promoted."""
    store = seeded(place)
    assert shape(store) == of(OLD)
    assert store.offer(NEW) == NEW.fingerprint
    assert shape(store) == of(OLD, pending=NEW)
    assert place.consumer() == OLD.reveal()
    store.promote(NEW.fingerprint)
    assert shape(store) == of(NEW, previous=OLD)
    assert place.consumer() == NEW.reveal()
    assert (store.read(), store.read("pending"), store.read("previous")) == (NEW, None, OLD)
    assert open_source(place.reference, place.folder).read() == NEW
    assert all(v.since.utcoffset() is not None for v in store.versions())
    store.promote(store.offer(OTHER))
    assert shape(store) == of(OTHER, previous=NEW)


@every
def test_each_move_made_twice_changes_nothing(place: Place) -> None:
    store = seeded(place)
    for call, expected in (
        (lambda: store.offer(NEW), of(OLD, pending=NEW)),
        (lambda: store.promote(NEW.fingerprint), of(NEW, previous=OLD)),
        (store.withdraw, of(NEW, previous=OLD)),
    ):
        call()
        call()
        assert shape(store) == expected


@every
def test_one_pending_key_at_a_time(place: Place) -> None:
    """A second one is refused unless the first is replaced on purpose."""
    store = seeded(place)
    store.offer(NEW)
    with pytest.raises(UserError, match=f"{NEW.fingerprint} pending since 2"):
        store.offer(OTHER)
    assert shape(store) == of(OLD, pending=NEW)
    store.offer(OTHER, replace=True)
    assert shape(store) == of(OLD, pending=OTHER)
    with pytest.raises(Permanent, match=f"{NEW.fingerprint} is not pending"):
        store.promote(NEW.fingerprint)
    store.withdraw()
    assert shape(store) == of(OLD)
    with pytest.raises(UserError, match="offer the new one"):
        store.offer(OLD)
    with pytest.raises(Permanent, match="none is"):
        store.promote(OTHER.fingerprint)
    store.offer(NEW)
    assert shape(store) == of(OLD, pending=NEW)
    assert place.consumer() == OLD.reveal()


@every
def test_a_rollback(place: Place) -> None:
    """A promotion is undone; what was taken back is no way back once it is withdrawn."""
    store = seeded(place)
    with pytest.raises(Permanent, match="no previous key"):
        store.rollback()
    store.promote(store.offer(NEW))
    store.offer(OTHER)
    with pytest.raises(Permanent, match="withdraw it first"):
        store.rollback()
    store.withdraw()
    store.rollback()
    assert shape(store) == of(OLD, pending=NEW)
    assert place.consumer() == OLD.reveal()
    store.promote(NEW.fingerprint)
    assert shape(store) == of(NEW, previous=OLD)
    store.rollback()
    store.withdraw()
    assert shape(store) == of(OLD)
    with pytest.raises(Permanent, match="no previous key"):
        store.rollback()
    store.offer(NEW)
    assert shape(store) == of(OLD, pending=NEW)


@every
def test_the_previous_key_offered_again(place: Place) -> None:
    """It waits as any other does, and is no rollback."""
    store = seeded(place)
    store.promote(store.offer(NEW))
    store.offer(OLD)
    assert store.read("pending") == OLD
    with pytest.raises(Permanent, match="withdraw it first"):
        store.rollback()
    assert place.consumer() == NEW.reveal()
    store.promote(OLD.fingerprint)
    assert shape(store) == of(OLD, previous=NEW)


@every
def test_a_store_that_is_not_there(place: Place) -> None:
    """Looking says so and makes nothing; there is nothing to take back, nor to go back to."""
    store = place.store
    for look in (store.read, lambda: store.read("pending"), store.versions, store.stored):
        with pytest.raises(UserError, match="does not exist; offer a key to make it"):
            look()
    store.withdraw()
    with pytest.raises(Permanent, match="is not pending"):
        store.promote(NEW.fingerprint)
    with pytest.raises(Permanent, match="no previous key"):
        store.rollback()
    with pytest.raises(UserError, match="does not exist"):
        store.read()


@every
def test_a_first_key(place: Place) -> None:
    """It waits until it is promoted. AWS makes it current at once, and it waits as well."""
    store = place.store
    store.offer(NEW)
    store.offer(NEW)
    assert store.read("pending") == NEW
    assert store.read() == (NEW if place.kind == "aws" else None)
    store.promote(NEW.fingerprint)
    store.promote(NEW.fingerprint)
    assert shape(store) == of(NEW)
    assert place.consumer() == NEW.reveal()


@on_aws
def test_a_first_key_of_aws_cannot_be_taken_back(place: Place) -> None:
    """To withdraw it leaves it current; the next one waits for its turn beside it."""
    store = place.store
    store.offer(OLD)
    store.withdraw()
    assert shape(store) == of(OLD)
    store.offer(NEW)
    assert shape(store) == of(OLD, pending=NEW)


@every
def test_what_is_told_of_a_key(place: Place) -> None:
    """Its length and its ends, and the others' fingerprints; from one look."""
    place.put_raw(f"{OLD.reveal()}\n")
    mark = OLD.fingerprint
    assert place.store.stored() == StoredKey(mark, len(OLD.reveal()), True, {})
    store = place.store
    store.promote(store.offer(NEW))
    store.offer(OTHER)
    if place.wire is not None:
        place.wire.reset()
    others = {"pending": OTHER.fingerprint, "previous": mark}
    assert store.stored() == StoredKey(NEW.fingerprint, len(NEW.reveal()), False, others)
    if place.wire is not None:
        assert len(place.wire.seen) <= 5, place.wire.seen


MOVES: dict[str, tuple[tuple[Call, ...], Call, dict[str, str]]] = {
    "first offer": ((), lambda s: s.offer(OLD), {"pending": OLD.fingerprint}),
    "first promote": ((lambda s: s.offer(OLD),), lambda s: s.promote(OLD.fingerprint), of(OLD)),
    "offer": ((), lambda s: s.offer(NEW), of(OLD, pending=NEW)),
    "replace": (
        (lambda s: s.offer(OTHER),),
        lambda s: s.offer(NEW, replace=True),
        of(OLD, pending=NEW),
    ),
    "promote": (
        (lambda s: s.offer(NEW),),
        lambda s: s.promote(NEW.fingerprint),
        of(NEW, previous=OLD),
    ),
    "withdraw": ((lambda s: s.offer(NEW),), lambda s: s.withdraw(), of(OLD)),
    "rollback": (
        (lambda s: s.promote(s.offer(NEW)),),
        lambda s: s.rollback(),
        of(OLD, pending=NEW),
    ),
}


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("kind", ["aws", "gcp"])
def test_whoever_dies_in_a_move_makes_it_again(
    kind: str, name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Before and after each of its writes in turn. In between there is a current key, and consumers
    start on one that was tried; at the end it is as if nobody had died."""
    wire, url = request.getfixturevalue(f"{kind}_wire")
    _, move, expected = MOVES[name]
    undisturbed = begun(fresh(kind, wire, url, tmp_path), name)
    wire.reset()
    move(undisturbed.store)
    writes = [n for n, said in enumerate(wire.seen, 1) if said in WRITES]
    assert writes
    end = undisturbed.raw()
    assert shape(undisturbed.store).items() >= expected.items()
    for dies_at, when in [(1, "before"), *product(writes, ("before", "after"))]:
        place = begun(fresh(kind, wire, url, tmp_path), name)
        store = place.store
        wire.reset(dies_at, when)
        with pytest.raises(Transient) as caught:
            move(store)
        assert "canary" not in told(caught.value)
        wire.reset()
        if not name.startswith("first"):
            tried = (OLD, NEW) if name in ("promote", "rollback") else (OLD,)
            assert store.read() in tried
            assert place.consumer() in [key.reveal() for key in tried]
        try:
            move(store)
        except Permanent:
            assert (name, dies_at, when) == ("rollback", writes[-1], "after")
        assert place.raw() == end, (dies_at, when)


def begun(place: Place, name: str) -> Place:
    if not name.startswith("first"):
        place.put_raw(OLD.reveal())
    for step in MOVES[name][0]:
        step(place.store)
    return place


GOING_ON: dict[str, tuple[Call, dict[str, str]]] = {
    "withdraw": (lambda s: s.withdraw(), of(OLD)),
    "offer another": (lambda s: s.offer(OTHER, replace=True), of(OLD, pending=OTHER)),
    "promote again": (lambda s: s.promote(NEW.fingerprint), of(NEW, previous=OLD)),
}


@pytest.mark.parametrize("name", GOING_ON)
@far
def test_after_half_a_rollback(place: Place, name: str) -> None:
    """Somebody goes on with something else: the key that was taken back is never the way back."""
    assert place.wire is not None
    call, expected = GOING_ON[name]
    place.put_raw(OLD.reveal())
    store = place.store
    store.promote(store.offer(NEW))
    place.wire.reset({"aws": 6, "gcp": 7}[place.kind])
    with pytest.raises(Transient):
        store.rollback()
    assert place.wire.seen[-1] in ("UpdateSecretVersionStage", "disable")
    assert place.consumer() == OLD.reveal()
    assert shape(store) == of(OLD, pending=NEW)
    call(store)
    assert shape(store) == expected


DENIED: list[tuple[str, str, Call, str]] = [
    ("aws", "GetSecretValue", lambda s: s.read(), "secretsmanager:GetSecretValue, and kms:Decrypt"),
    ("aws", "DescribeSecret", lambda s: s.versions(), "secretsmanager:DescribeSecret"),
    ("aws", "PutSecretValue", lambda s: s.offer(OTHER, True), "secretsmanager:PutSecretValue"),
    (
        "aws",
        "UpdateSecretVersionStage",
        lambda s: s.promote(NEW.fingerprint),
        "secretsmanager:UpdateSecretVersionStage",
    ),
    ("gcp", "access", lambda s: s.read(), "roles/secretmanager.secretAccessor"),
    ("gcp", "list", lambda s: s.stored(), "roles/secretmanager.viewer"),
    ("gcp", "add", lambda s: s.offer(OTHER, True), "roles/secretmanager.secretVersionAdder"),
    ("gcp", "destroy", lambda s: s.withdraw(), "roles/secretmanager.secretVersionManager"),
]


@pytest.mark.parametrize(
    ("place", "operation", "call", "right"), DENIED, indirect=["place"], ids=[d[1] for d in DENIED]
)
def test_no_rights(place: Place, operation: str, call: Call, right: str) -> None:
    """One line names the right that is missing, in words of ours; nothing was changed."""
    assert place.wire is not None
    store = seeded(place)
    store.offer(NEW)
    place.wire.reset(denied=operation)
    with pytest.raises(UserError) as caught:
        call(store)
    assert f"needs {right}" in str(caught.value)
    assert caught.value.__context__ is None and "canary" not in told(caught.value)
    place.wire.reset()
    assert shape(store) == of(OLD, pending=NEW)


@pytest.mark.parametrize(
    "reference",
    ["aws:key?endpoint=http://127.0.0.1:9", "gcp:projects/p/secrets/key?api=http://127.0.0.1:9"],
)
def test_a_store_that_cannot_be_reached(reference: str, tmp_path: Path) -> None:
    """Is asked again: by whoever called, not by the library."""
    store = open_rotatable(reference, tmp_path)
    for call in (store.read, lambda: store.offer(NEW), store.withdraw):
        with pytest.raises(Transient, match=r"cannot be reached \(\w+\)$") as caught:
            call()
        assert caught.value.__context__ is None
        assert "canary" not in told(caught.value)


@far
def test_a_library_asks_once(place: Place) -> None:
    """One layer retries, and it is not theirs."""
    assert place.wire is not None
    store = seeded(place)
    place.wire.reset(1)
    with pytest.raises(Transient, match="cannot answer now"):
        store.read()
    assert place.wire.calls == 1


@far
def test_no_key_in_a_library_s_log(place: Place) -> None:
    """Both write what they send and get to their logs at DEBUG: not here, whoever has it on."""
    kept: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: kept.append(record.getMessage() + repr(vars(record)))  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("", "botocore", "google", "urllib3")]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        store = seeded(place)
        store.promote(store.offer(NEW))
        assert store.read() == NEW
    finally:
        for logger, level in before:
            logger.removeHandler(handler)
            logger.setLevel(level)
    assert kept
    assert not [line for line in kept if "canary" in line]


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from pathlib import Path
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.errors import UserError
loaded = {name for name, module in sys.modules.items() if module}
assert not loaded & {"boto3", "botocore", "google.cloud.secretmanager_v1"}
try:
    open_rotatable(sys.argv[2], Path()).read()
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("module", "extra", "reference"),
    [
        ("boto3", "aws", "aws:key?region=eu-west-1"),
        ("google.cloud.secretmanager_v1", "gcp", "gcp:projects/p/secrets/key"),
    ],
)
def test_without_the_extra(module: str, extra: str, reference: str) -> None:
    """Our package works without the libraries, and says what to install where one is needed."""
    command = [sys.executable, "-c", WITHOUT, module, reference]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.startswith(f"{reference.partition('?')[0]}")
    assert said.endswith(f"needs the extra `{extra}`: pip install 'watchkeeper[{extra}]'\n")


@on_gcp
def test_a_value_that_was_damaged_on_the_way(place: Place) -> None:
    """Is no key: it is asked for again. What we send carries its checksum."""
    assert place.google is not None
    store = seeded(place)
    place.google.damaged = True
    try:
        with pytest.raises(Transient, match="damaged"):
            store.read()
    finally:
        place.google.damaged = False
    assert crc32c(b"123456789") == 0xE3069283


@on_gcp
def test_a_redirect_is_not_followed(place: Place) -> None:
    """It could carry a key to anybody."""
    assert place.wire is not None
    store = seeded(place)
    app, gone = place.wire.app, []

    def elsewhere(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        gone.append(environ["PATH_INFO"])
        place_ = f"http://{environ['HTTP_HOST']}/elsewhere"
        start("307 Temporary Redirect", [("Location", place_), ("Content-Length", "0")])
        return []

    place.wire.app = elsewhere
    try:
        with pytest.raises(UserError, match="redirect, which is not followed"):
            store.offer(NEW)
    finally:
        place.wire.app = app
    assert len(gone) == 1


@on_gcp
def test_versions_that_are_disabled_are_not_there(place: Place) -> None:
    """By hand: the newest enabled one is current, and many pages of closed ones are looked past."""
    assert place.google is not None
    store = seeded(place)
    for _ in range(7):
        place.google.add(place.name, OTHER.reveal().encode()).state = "DISABLED"
    assert shape(store) == of(OLD)
    store.promote(store.offer(NEW))
    assert shape(store) == of(NEW, previous=OLD)


@on_gcp
def test_a_replaced_key_does_not_come_back(place: Place) -> None:
    """Two wait, as whoever died while replacing one leaves them: whoever dies while taking the newer
    one back leaves that one, or none."""
    assert place.google is not None and place.wire is not None
    store = seeded(place)
    store.offer(OTHER)
    place.google.add(f"{place.name}-pending", NEW.reveal().encode())
    assert shape(store) == of(OLD, pending=NEW)
    place.wire.reset(6)
    with pytest.raises(Transient):
        store.withdraw()
    assert place.wire.seen[-2:] == ["destroy", "destroy"]
    place.wire.reset()
    assert shape(store) == of(OLD, pending=NEW)
    store.withdraw()
    assert shape(store) == of(OLD)


@far
def test_an_old_value_that_was_no_key(place: Place) -> None:
    """Is no way back, and does not stand in the way of a new key."""
    place.put_raw("test_canary in words")
    if place.google is not None:
        place.google.add(place.name, OLD.reveal().encode())
    else:
        changed_by_hand(place, OLD.reveal())
    store = place.store
    assert shape(store) == of(OLD)
    with pytest.raises(Permanent, match="no previous key"):
        store.rollback()
    store.promote(store.offer(NEW))
    assert shape(store) == of(NEW, previous=OLD)


@on_aws
def test_a_key_among_others(place: Place) -> None:
    """`field`: the other members stay as they are now, whenever the key was offered."""
    store = open_rotatable(f"{place.reference}&field=api_key", place.folder, lambda: T0)
    put = {"user": "robot", "api_key": f" {OLD.reveal()}"}
    place.aws.create_secret(Name=place.name, SecretString=json.dumps(put))
    assert store.read() == OLD
    assert store.stored().spaced
    store.offer(NEW)
    put["user"] = "canary_changed_meanwhile"
    changed_by_hand(place, json.dumps(put))
    assert json.loads(place.consumer() or "")["api_key"].strip() == OLD.reveal()
    store.promote(NEW.fingerprint)
    kept = {"user": "canary_changed_meanwhile", "api_key": NEW.reveal()}
    assert json.loads(place.consumer() or "") == kept
    assert shape(store) == of(NEW, previous=OLD)
    changed_by_hand(place, json.dumps(kept | {"port": 1}))
    assert shape(store) == of(NEW)


def changed_by_hand(place: Place, text: str) -> None:
    """A new current version. In two calls: moto loses count where one puts and moves the label."""
    by_id = place.aws.describe_secret(SecretId=place.name)["VersionIdsToStages"]
    current = next(version for version, labels in by_id.items() if "AWSCURRENT" in labels)
    put = place.aws.put_secret_value(
        SecretId=place.name, SecretString=text, VersionStages=["BY_HAND"]
    )
    place.aws.update_secret_version_stage(
        SecretId=place.name,
        VersionStage="AWSCURRENT",
        MoveToVersionId=put["VersionId"],
        RemoveFromVersionId=current,
    )


@on_aws
def test_a_first_key_among_others(place: Place) -> None:
    store = open_rotatable(f"{place.reference}&field=api_key", place.folder, lambda: T0)
    store.promote(store.offer(NEW))
    assert json.loads(place.consumer() or "") == {"api_key": NEW.reveal()}


UNFIT: list[tuple[str, dict[str, Any], str]] = [
    ("", {"SecretString": '{"api_key":"test_canary"}'}, "a JSON object, not a key alone"),
    ("", {"SecretString": "test_canary with words"}, "has white space"),
    ("", {"SecretBinary": b"test_canary"}, "holds bytes"),
    ("&field=api_key", {"SecretString": "test_canary"}, "holds no JSON object"),
    ("&field=api_key", {"SecretString": '{"key": "test_canary"}'}, "without a text 'api_key'"),
    ("&field=api_key", {"SecretString": '{"api_key": 17}'}, "without a text 'api_key'"),
    ("&field=a", {"SecretString": '{"a": "test_canary", "a": "x"}'}, "holds no JSON object"),
]


@pytest.mark.parametrize(("options", "value", "why"), UNFIT, ids=[u[2] for u in UNFIT])
@on_aws
def test_a_value_that_is_no_key(
    place: Place, options: str, value: dict[str, Any], why: str
) -> None:
    """Is told without a word of it, and left as it is."""
    store = open_rotatable(f"{place.reference}{options}", place.folder)
    place.aws.create_secret(Name=place.name, **value)
    for call in (store.read, store.stored, lambda: store.offer(NEW)):
        with pytest.raises(UserError, match=why) as caught:
            call()
        assert "canary" not in told(caught.value)
        assert caught.value.__context__ is None


@on_aws
def test_an_arn_that_is_not_there(place: Place) -> None:
    """AWS chooses ARNs: no key makes one. The region is in it."""
    arn = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:key-AbCdEf"
    store = open_rotatable(f"aws:{arn}?{place.reference.partition('?')[2]}", place.folder)
    assert store.secret.region == "eu-west-3"  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="does not exist, and AWS chooses ARNs"):
        store.offer(NEW)
