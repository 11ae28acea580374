"""Readings of our own machine: what cannot be read is unknown, and no part of a key is shown."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import making
import pytest
from conftest import FIRST_KEY, T0, store_key

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.local_command import Unreadable
from watchkeeper.logs import Lines, Silent
from watchkeeper.logs.counting import LogCount
from watchkeeper.performing.own_keys import key_readings, look_at_store, of_holder, of_store
from watchkeeper.performing.own_side import log_reading, log_readings, runtime_readings, told
from watchkeeper.performing.stored_key import StoredKey, stored_key
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Credential, Watched
from watchkeeper.runbook.signals import Log
from watchkeeper.runbook.telemetry import Service

OK, DEGRADED, DOWN, UNKNOWN = Outcome.OK, Outcome.DEGRADED, Outcome.DOWN, Outcome.UNKNOWN
TEN = timedelta(minutes=10)
KEY = "test_canary_4f1a9c77d2e0"
STORED, OTHER = Secret(FIRST_KEY).fingerprint, "0123abcd"


def having(
    rules: tuple[Log, ...] = (), reference: str = "file:key.json", **service: Any
) -> Watched:
    """The runbook's logs, and what integrations.yaml says of our service."""
    plain = making.watched(making.changed(logs=rules))
    stated = Service.model_validate({"health_url": "http://127.0.0.1:9/health", **service})
    credential = Credential(name="maintainx-api-key", reference=reference)
    changes = {"service": stated if service else None, "credential": credential}
    return plain.model_copy(update={"integration": plain.integration.model_copy(update=changes)})


def script(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


KINDS = (("RATE_LIMITED", 9), ("timeout", 5))
TOLD = [
    (
        LogCount(14, KINDS, (("report-generator", 8), ("mobile", 6))),
        "14 in 10 min: 9x RATE_LIMITED, 5x timeout; most by report-generator (8)",
    ),
    (LogCount(14, (*KINDS, ("c", 2), ("d", 1))), "14 in 10 min: 9x RATE_LIMITED, 5x timeout, 2x c"),
    (LogCount(14), "14 in 10 min"),
    (LogCount(0), "0 in 10 min, of 2 lines"),
]


@pytest.mark.parametrize(("counted", "said"), TOLD)
def test_what_a_log_tells(counted: LogCount, said: str) -> None:
    """What was found, of which kinds, and whose it was; of a log that was cut, at least that."""
    assert told(counted, Lines(("a", "b")), TEN) == said
    assert told(counted, Lines(("a", "b"), cut=True), TEN) == f"at least {said}"


def test_what_is_told_is_short() -> None:
    """Who it was about is told however long the kinds are."""
    kinds = tuple((letter * 40, 100_000) for letter in "abcde")
    said = told(LogCount(500_000, kinds, (("w" * 40, 9),)), Lines(()), TEN)
    assert len(said) == 160 and said.endswith(f"; most by {'w' * 40} (9)")


JUDGED = [
    ({"bound": 3}, Lines(("error a",) * 3), DOWN, 3),
    ({"bound": 4}, Lines(("error a",) * 3), OK, 3),
    ({}, Lines(("well",)), OK, 0),
    ({}, Unreadable("kubectl ended 1"), UNKNOWN, None),
    ({}, Silent("it is silent"), UNKNOWN, None),
    # D18: 0 of 0 lines, of lines of unknown age, of a part of them.
    ({}, Lines(()), UNKNOWN, 0),
    ({}, Lines((), undated=("well",), why="of when?"), UNKNOWN, 0),
    ({}, Lines(("well",), undated=("error",), why="of when?"), UNKNOWN, 0),
    ({}, Lines(("well",), undated=("well",), why="of when?"), OK, 0),
    ({}, Lines(("error",), undated=("error",), why="of when?"), DOWN, 1),
    ({"bound": 3}, Lines(("error",), undated=("error",), why="of when?"), OK, 1),
    ({}, Lines(("well",), cut=True), UNKNOWN, 0),
    ({}, Lines(("error",), cut=True), DOWN, 1),
    ({}, Lines(("x " * 40_000,)), UNKNOWN, 0),
    ({"pattern": "("}, Lines(("well",)), UNKNOWN, None),
]


@pytest.mark.parametrize(("given", "lines", "outcome", "value"), JUDGED)
def test_a_log_is_judged(
    given: dict[str, Any], lines: Lines | Unreadable, outcome: Outcome, value: float | None
) -> None:
    """D18: down at its bound; well only where all lines were looked at, and there were some."""
    rule = Log.model_validate({"name": "errors", **given})
    reading = log_reading(rule, lines, T0, 0.5)
    assert (reading.outcome, reading.value, reading.bound) == (outcome, value, rule.bound)
    assert (reading.probe, reading.kind, reading.unit) == ("errors", Kind.LOG, "lines")
    assert reading.detail and reading.at == T0


def logs(watch: Watch, watched: Watched) -> dict[str, Reading]:
    return {r.probe: r for r in asyncio.run(log_readings(watch, watched))}


RULES = (
    Log(name="errors", kind_pattern=r"code=(\S+)", consumer_pattern=r"by=(\S+)", bound=2),
    Log(name="calls", pattern="transcribe"),
    Log(name="errors_today", within=timedelta(days=1)),
)
WRITTEN = f"""\
2026-03-02T01:00:00Z ERROR transcribe code=OLD
2026-03-02T08:55:00Z ERROR transcribe code={KEY} by=mobile
2026-03-02T08:56:00Z ERROR transcribe code=timeout by=mobile
2026-03-02T08:57:00Z ERROR call code=timeout by=report-generator-2
"""


def test_logs_of_a_file(watch: Watch, tmp_path: Path) -> None:
    """Each rule looks as far back as it says, in the file beside integrations.yaml; no key that a
    service has logged comes out of it."""
    (tmp_path / "sync.log").write_text(WRITTEN, encoding="utf-8")
    read = logs(watch, having(RULES, logs={"kind": "file", "path": "sync.log"}))
    assert {name: (r.outcome, r.value) for name, r in read.items()} == {
        "errors": (DOWN, 3),
        "calls": (DOWN, 2),
        "errors_today": (DOWN, 4),
    }
    assert (
        read["errors"].says() == "log errors: 3 in 10 min: 2x timeout, 1x ***; most by mobile (2)"
    )
    assert "canary" not in repr(read)


def test_rules_that_look_equally_far_share_the_lines(watch: Watch, tmp_path: Path) -> None:
    """A command is run once for each time that is looked back."""
    command = script(tmp_path, "tell", f"echo error >> {tmp_path}/runs; cat {tmp_path}/runs")
    logs(watch, having(RULES, logs={"kind": "command", "command": [command]}))
    assert (tmp_path / "runs").read_text() == "error\n" * 2


UNREAD: list[tuple[dict[str, Any], str]] = [
    ({"kind": "file", "path": "none.log"}, "none.log cannot be read: No such file or directory"),
    ({"kind": "command", "command": ["no-such-logcat"]}, "there is no command no-such-logcat"),
    ({"kind": "command", "command": ["false"]}, "false ended 1"),
]


@pytest.mark.parametrize(("spec", "why"), UNREAD, ids=[why for _, why in UNREAD])
def test_a_log_that_cannot_be_read(watch: Watch, spec: dict[str, Any], why: str) -> None:
    """Is a reading that says so, for each rule, and never a zero."""
    read = logs(watch, having(RULES, logs=spec))
    assert [*read] == [rule.name for rule in RULES]
    for reading in read.values():
        assert (reading.outcome, reading.value) == (UNKNOWN, None)
        assert reading.detail.startswith(why)


def test_nothing_is_read_that_is_not_named(watch: Watch) -> None:
    """No service, or one without logs, runtime and disk; no rules."""
    for watched in (having(RULES), having(RULES, fingerprint_field="key"), having()):
        assert asyncio.run(log_readings(watch, watched)) == ()
        assert asyncio.run(runtime_readings(watch, watched)) == ()
    spec = {"kind": "file", "path": "none.log"}
    assert asyncio.run(log_readings(watch, having(logs=spec))) == ()


def runtime(watch: Watch, watched: Watched) -> dict[str, Reading]:
    return {r.probe: r for r in asyncio.run(runtime_readings(watch, watched))}


BACK_OFF = {
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
    "restartCount": 12,
}


def test_pods_and_disk(watch: Watch, tmp_path: Path) -> None:
    """What runs our service, and the disk that it needs."""
    listed = {"items": [{"metadata": {"name": "a"}, "status": {"containerStatuses": [BACK_OFF]}}]}
    (tmp_path / "pods.json").write_text(json.dumps(listed), encoding="utf-8")
    kubectl = script(tmp_path, "kubectl", f'[ "$1" = get ] && cat {tmp_path}/pods.json')
    spec = {"kind": "kubernetes", "selector": "app=x", "kubectl": [kubectl]}
    full = {"path": ".", "bound": 1e-9}
    read = runtime(watch, having(runtime=spec, disk=full))
    assert (read["pods"].outcome, read["pods"].fault) == (DOWN, "oom")
    assert read["pods"].says() == "our service's pods: 0 of 1 ready; 1x OOMKilled; 12 restarts"
    assert (read["pods"].value, read["pods"].bound, read["pods"].unit) == (0, 1, "pods")
    assert (read["disk"].outcome, read["disk"].fault) == (DOWN, "disk_full")
    assert all(r.kind is Kind.RUNTIME and r.at == T0 for r in read.values())


def test_a_runtime_that_cannot_be_read(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is unknown, and says what is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    spec = {"kind": "systemd", "unit": "sync"}
    read = runtime(watch, having(runtime=spec, disk={"path": "no-such-place"}))
    assert [(name, r.outcome, r.fault) for name, r in read.items()] == [
        ("unit", UNKNOWN, None),
        ("disk", UNKNOWN, None),
    ]
    assert read["unit"].detail == "there is no command systemctl on this machine"
    assert "no-such-place" in read["disk"].detail


def keys(
    watch: Watch, shown: dict[str, str | None] | None = None, reference: str = "file:key.json"
) -> dict[str, Reading]:
    store = asyncio.run(look_at_store(watch, having(reference=reference), 5.0))
    return {r.probe: r for r in key_readings(watch.now(), store, shown or {})}


def test_the_key_in_the_store(watch: Watch) -> None:
    """Its length, its ends and its fingerprint; nothing of the key."""
    store = keys(watch)["store"]
    assert (store.outcome, store.fault, store.signature) == (OK, None, STORED)
    assert store.detail == f"19 characters, no white space at its ends, fingerprint {STORED}"
    assert (store.kind, store.at) == (Kind.KEY, T0)


def test_a_key_with_white_space_around_it(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the environment, and in a file that a person has edited: we leave it out, others may
    not. It is not among the key's characters."""
    monkeypatch.setenv("MX_KEY", f" {FIRST_KEY}\n")
    path = tmp_path / "key.json"
    path.write_text(path.read_text().replace(FIRST_KEY, f"{FIRST_KEY}\\n"), encoding="utf-8")
    for reference in ("env:MX_KEY", "file:key.json"):
        store = keys(watch, reference=reference)["store"]
        assert (store.outcome, store.fault, store.signature) == (DEGRADED, "white_space", STORED)
        assert store.detail == f"19 characters, white space at its ends, fingerprint {STORED}"


MISSING = [
    ("env:MX_KEY", None, "env:MX_KEY is not set; export MX_KEY"),
    ("env:MX_KEY", " \n", "the secret at env:MX_KEY is empty"),
    ("env:MX_KEY", "canary in words", "the secret at env:MX_KEY has white space"),
    ("file:none.json", None, "file:none.json does not exist; offer a key to make it"),
]


@pytest.mark.parametrize(("reference", "value", "why"), MISSING)
def test_a_key_that_is_not_there(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, reference: str, value: str | None, why: str
) -> None:
    """Is told by the store's own words; whoever holds one cannot be compared with it."""
    if value is not None:
        monkeypatch.setenv("MX_KEY", value)
    read = keys(watch, {"service": STORED}, reference)
    assert (read["store"].outcome, read["store"].fault) == (DOWN, "missing")
    assert read["store"].detail.startswith(why)
    assert (read["service"].outcome, read["service"].signature) == (UNKNOWN, "")
    assert "canary" not in repr(read)


def test_a_store_that_cannot_be_asked(watch: Watch) -> None:
    """Says nothing of the key in it: it is not missing."""
    read = keys(watch, {"service": STORED}, "aws:key?endpoint=http://127.0.0.1:9")
    assert (read["store"].outcome, read["store"].fault) == (UNKNOWN, None)
    assert read["store"].detail.startswith("the store cannot be reached: aws:key?")
    assert (read["service"].outcome, read["service"].signature) == (UNKNOWN, "")


def test_a_file_that_two_readers_read_differently(watch: Watch, tmp_path: Path) -> None:
    """A name that is given twice: which key a consumer takes from it nobody knows."""
    path = tmp_path / "key.json"
    text = path.read_text().replace('"value"', '"value": "canary_of_another", "value"')
    path.write_text(text, encoding="utf-8")
    store = keys(watch)["store"]
    assert (store.outcome, store.fault) == (DOWN, "missing")
    assert store.detail == "file:key.json: the JSON body gives a key twice; restore it"


HELD = StoredKey(STORED, 19, False, {"previous": "beefbeef", "pending": "0ddba11a"})
SHA = STORED + "0" * 56
HOLDERS = [
    (STORED, OK, None, STORED, f"is the store's, fingerprint {STORED}"),
    (STORED.upper(), OK, None, STORED, "is the store's"),
    (SHA, OK, None, STORED, "is the store's"),
    (f"sha256:{SHA}", OK, None, STORED, "is the store's"),
    (OTHER, DEGRADED, "other_key", OTHER, f"is {OTHER}; the store has {STORED}"),
    ("beefbeef", DEGRADED, "other_key", "beefbeef", "is beefbeef, the store's previous one"),
    ("0ddba11a" + "1" * 56, DEGRADED, "other_key", "0ddba11a", "the store's pending one"),
    (None, UNKNOWN, None, "", "shows no fingerprint"),
    ("", UNKNOWN, None, "", "is no fingerprint"),
    (KEY, UNKNOWN, None, "", "what it shows is no fingerprint"),
    ("abcdef0123456789", UNKNOWN, None, "", "is not made as ours are"),
    ("abc", UNKNOWN, None, "", "is no fingerprint"),
]


@pytest.mark.parametrize(("shown", "outcome", "fault", "signature", "detail"), HOLDERS)
def test_a_holder_of_a_key(
    shown: str | None, outcome: Outcome, fault: str | None, signature: str, detail: str
) -> None:
    """By the fingerprint it shows. What is none is not repeated: it could be the key itself."""
    said = of_holder(shown, HELD)
    assert (said.outcome, said.fault, said.signature) == (outcome, fault, signature)
    assert detail in said.detail
    assert signature or not shown or shown not in said.detail


def test_who_holds_which_key(watch: Watch, tmp_path: Path) -> None:
    """After a rotation that one consumer has not seen."""
    rotated = open_rotatable("file:key.json", tmp_path)
    rotated.promote(rotated.offer(Secret("test_second_key_0002")))
    mark = Secret("test_second_key_0002").fingerprint
    read = keys(watch, {"service": mark, "maintainx-sync": STORED, "edge": None})
    assert {name: (r.outcome, r.fault) for name, r in read.items()} == {
        "store": (OK, None),
        "service": (OK, None),
        "maintainx-sync": (DEGRADED, "other_key"),
        "edge": (UNKNOWN, None),
    }
    assert read["service"].target == "the key of our service"
    assert read["maintainx-sync"].says() == (
        f"the key of maintainx-sync: is {STORED}, the store's previous one; the store has {mark}"
    )


def test_a_stored_key_is_a_value(tmp_path: Path) -> None:
    """Printing it shows no more than its fingerprint, and what is said of it no more either."""
    store_key(tmp_path, KEY)
    held = stored_key("file:key.json", tmp_path)
    assert held == StoredKey(Secret(KEY).fingerprint, 24, False, {})
    assert "canary" not in repr(held) + repr(of_store(held))
