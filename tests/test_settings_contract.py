"""Settings of a running service: what holds for each way to them, and what each does at its edges."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import store_key
from loopback import CANARY, http
from settings_lab import SettingsService, settings_service

from watchkeeper.controls import ServiceSettings
from watchkeeper.controls.file_settings import TRIES, FileServiceSettings
from watchkeeper.controls.http_settings import WAITS_S, HttpServiceSettings
from watchkeeper.controls.json_file import MAX_BYTES as LARGEST_FILE
from watchkeeper.controls.opening import open_settings
from watchkeeper.controls.values import LONGEST, as_text, same, typed
from watchkeeper.controls.wire import MAX_BYTES
from watchkeeper.errors import Ambiguous, Permanent, Transient, WatchkeeperError
from watchkeeper.local_command import carry_out
from watchkeeper.runbook.acting import FileSettings, HttpSettings
from watchkeeper.runbook.settings_text import calls_of

HELD = {"model": "ear-3", "MAX_RPS": 3, "max_retries": "5", "refuse": None, "port": 8080}
NAMES = {"max_requests_per_s": "MAX_RPS"}
KINDS = ["http", "file"]


@dataclass
class Lab:
    """`now` is what the service goes by, seen at the service; `break_it` takes it away."""

    kind: str
    settings: ServiceSettings
    now: Callable[[], dict[str, Any]]
    lock_out: Callable[[], None]
    break_it: Callable[[], None]


def run(lab: str, folder: Path, test: Callable[[Lab], Awaitable[None]]) -> None:
    async def running() -> None:
        async with _labs[lab](folder) as made:
            await test(made)

    asyncio.run(running())


@asynccontextmanager
async def http_lab(folder: Path) -> AsyncIterator[Lab]:
    store_key(folder, CANARY)
    async with settings_service(held=dict(HELD), token=CANARY) as service:
        spec = HttpSettings(url=service.url, token="file:key.json", names=NAMES)

        def refuse() -> None:
            service.token = "another"

        def fail() -> None:
            service.answers |= {"GET": http(status=503), "PATCH": http(status=503)}

        yield Lab("http", open_settings(spec, folder), lambda: service.held, refuse, fail)


@asynccontextmanager
async def file_lab(folder: Path) -> AsyncIterator[Lab]:
    path = folder / "service.json"
    path.write_text(json.dumps(HELD, indent=2) + "\n", encoding="utf-8")
    spec = FileSettings(path="service.json", names=NAMES)

    def now() -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(path.read_bytes())
        return shown

    def pipe() -> None:
        path.unlink()
        os.mkfifo(path)

    yield Lab("file", open_settings(spec, folder), now, pipe, path.unlink)


_labs = {"http": http_lab, "file": file_lab}


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_read_as_a_person_writes_them(kind: str, tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        wanted = ("model", "max_requests_per_s", "max_retries", "refuse", "keys")
        assert await lab.settings.read(wanted) == {
            "model": "ear-3",
            "max_requests_per_s": "3",
            "max_retries": "5",
            "refuse": None,
            "keys": None,
        }
        assert await lab.settings.read(()) == {}

    run(kind, tmp_path, test)


@pytest.mark.parametrize("kind", KINDS)
def test_several_are_set_in_one_go_and_all_others_stay(kind: str, tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        values: dict[str, str | None] = {
            "max_requests_per_s": "0.5",
            "max_retries": "2",
            "refuse": "deferrable",
        }
        await lab.settings.write(values)
        # Each of the kind that it was: a number, a text, and what was not set.
        changed = {"MAX_RPS": 0.5, "max_retries": "2", "refuse": "deferrable"}
        assert lab.now() == {**HELD, **changed}
        assert list(lab.now()) == list(HELD)
        assert await lab.settings.read(tuple(values)) == values

    run(kind, tmp_path, test)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_read_before_puts_all_back(kind: str, tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        before = await lab.settings.read(("model", "max_requests_per_s", "max_retries", "refuse"))
        await lab.settings.write(dict.fromkeys(before, "7"))
        assert lab.now() != HELD
        await lab.settings.write(before)
        assert lab.now() == HELD
        await lab.settings.write(before)
        assert lab.now() == HELD

    run(kind, tmp_path, test)


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_the_service_does_not_know_is_refused_with_all_the_others(
    kind: str, tmp_path: Path
) -> None:
    async def test(lab: Lab) -> None:
        with pytest.raises(Permanent, match="has no setting keys"):
            await lab.settings.write({"model": "ear-2", "keys": "2"})
        assert lab.now() == HELD
        # There is nothing to take back, then.
        await lab.settings.write({"keys": None})
        assert lab.now() == HELD

    run(kind, tmp_path, test)


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_right_to_nothing_is_done(kind: str, tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        lab.lock_out()
        with pytest.raises(Permanent) as refused:
            await lab.settings.read(("model",))
        with pytest.raises(Permanent):
            await lab.settings.write({"model": "ear-2"})
        assert CANARY not in str(refused.value)

    run(kind, tmp_path, test)


@pytest.mark.parametrize(("kind", "error"), [("http", Transient), ("file", Permanent)])
def test_a_service_that_is_away_is_told_apart_from_one_that_refuses(
    kind: str, error: type[WatchkeeperError], tmp_path: Path
) -> None:
    async def test(lab: Lab) -> None:
        lab.break_it()
        with pytest.raises(error):
            await lab.settings.read(("model",))
        with pytest.raises(error):
            await lab.settings.write({"model": "ear-2"})

    run(kind, tmp_path, test)


HOSTILE = {
    "nothing": b"",
    "a page": b"<html>login</html>",
    "a list": b"[1, 2]",
    "NaN": b'{"model": NaN}',
    "a key twice": b'{"model": "a", "model": "b"}',
    "half": b'{"model": "ear-3"',
    "deep": b'{"model": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "not UTF-8": b'{"model": "\xff"}',
    "too many values": b'{"model": [' + b"1," * 120_000 + b"1]}",
    "a long value": b'{"model": "' + b"x" * (LONGEST + 1) + b'"}',
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_object_of_settings_is_refused(kind: str, what: str, tmp_path: Path) -> None:
    body = HOSTILE[what]

    async def refused(settings: ServiceSettings) -> None:
        with pytest.raises(Permanent):
            await settings.read(("model",))
        if what != "a long value":
            with pytest.raises(Permanent):
                await settings.write({"model": "ear-2"})

    async def in_file() -> None:
        async with file_lab(tmp_path) as lab:
            (tmp_path / "service.json").write_bytes(body)
            await refused(lab.settings)
            assert (tmp_path / "service.json").read_bytes() == body

    async def over_http() -> None:
        async with settings_service(held=dict(HELD), answers={"GET": http(body)}) as service:
            await refused(_http(service.url))
            assert service.patches == []

    asyncio.run(in_file() if kind == "file" else over_http())


# Over HTTP


async def _no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


def _http(url: str, deadline_s: float = 5) -> HttpServiceSettings:
    spec = HttpSettings(url=url, names=NAMES)
    return HttpServiceSettings(spec, None, deadline_s=deadline_s, sleep=_no_sleep)


def over_http(
    test: Callable[[SettingsService, HttpServiceSettings], Awaitable[None]], **told: Any
) -> None:
    async def running() -> None:
        async with settings_service(**{"held": dict(HELD), **told}) as service:
            await test(service, _http(service.url))

    asyncio.run(running())


REFUSALS = [
    (302, Permanent, "not followed"),
    (400, Permanent, "refuses the call"),
    (401, Permanent, "refuses us"),
    (403, Permanent, "refuses us"),
    (404, Permanent, "no settings here"),
    (405, Permanent, "takes no PATCH"),
    (408, Transient, "408"),
    (422, Permanent, "refuses the call"),
    (429, Transient, "429"),
    (500, Transient, "500"),
    (503, Transient, "503"),
]


@pytest.mark.parametrize(("status", "error", "words"), REFUSALS)
def test_what_each_answer_means(status: int, error: type[Exception], words: str) -> None:
    async def test(service: SettingsService, settings: HttpServiceSettings) -> None:
        elsewhere = {"location": f"{service.url}/elsewhere"}
        service.answers["PATCH"] = http(CANARY.encode(), status, elsewhere)
        with pytest.raises(error, match=words) as refused:
            await settings.write({"model": "ear-2"})
        assert CANARY not in str(refused.value)
        assert service.methods() == ["GET", "PATCH"]

    over_http(test)


def test_a_call_that_went_and_was_not_answered_may_have_been_done() -> None:
    async def test(service: SettingsService, settings: HttpServiceSettings) -> None:
        quick = replace(settings, deadline_s=0.2)
        with pytest.raises(Ambiguous, match="may have been done"):
            await quick.write({"model": "ear-2"})
        assert await settings.read(("model",)) == {"model": "ear-2"}
        service.loses = ""
        await settings.write({"model": "ear-2"})
        assert service.held == {**HELD, "model": "ear-2"}

    over_http(test, loses="PATCH")


def test_a_look_that_is_not_answered_may_be_repeated() -> None:
    async def test(_service: SettingsService, settings: HttpServiceSettings) -> None:
        with pytest.raises(Transient, match="deadline"):
            await replace(settings, deadline_s=0.2).read(("model",))

    over_http(test, hangs="GET")


def test_where_nobody_listens_nothing_was_sent() -> None:
    with pytest.raises(Transient, match="refused"):
        asyncio.run(_http("http://127.0.0.1:9/settings").write({"model": "ear-2"}))
    with pytest.raises(Permanent, match="no such address"):
        asyncio.run(_http("http://127.0.0.1:99999/settings").read(("model",)))


@pytest.mark.parametrize("late", [1, 3])
def test_a_change_that_shows_later_is_waited_for(late: int) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def test(service: SettingsService, settings: HttpServiceSettings) -> None:
        await replace(settings, sleep=sleep).write({"model": "ear-2", "refuse": None})
        assert service.patches == [{"model": "ear-2", "refuse": None}]
        assert slept == list(WAITS_S[:late])

    over_http(test, shown_late=late)


def test_a_change_that_never_shows_is_told_by_its_name() -> None:
    async def test(_service: SettingsService, settings: HttpServiceSettings) -> None:
        with pytest.raises(Transient, match="does not show it for model"):
            await settings.write({"model": "ear-2", "max_requests_per_s": "3"})

    over_http(test, shown_late=99)


def test_what_it_shows_already_is_sent_too() -> None:
    """It may have taken another value meanwhile that it does not show yet."""

    async def test(service: SettingsService, settings: HttpServiceSettings) -> None:
        with pytest.raises(Transient):
            await settings.write({"model": "ear-2"})
        assert service.held["model"] == "ear-2"
        service.shown_late = 0
        await settings.write({"model": "ear-3"})
        assert service.held["model"] == "ear-3"

    over_http(test, shown_late=9)


def test_one_taken_back_may_show_its_default() -> None:
    async def test(service: SettingsService, settings: HttpServiceSettings) -> None:
        await settings.write({"max_requests_per_s": None})
        assert service.patches == [{"MAX_RPS": None}]

    over_http(test, defaults={"MAX_RPS": 10})


def test_nonsense_after_the_change_is_no_refusal() -> None:
    async def test(_service: SettingsService, settings: HttpServiceSettings) -> None:
        with pytest.raises(Ambiguous, match="since the change was sent"):
            await settings.write({"model": "ear-2"})

    over_http(test, then={"GET": http(b"<html>")})


def test_no_more_is_read_than_settings_need() -> None:
    async def test(service: SettingsService, settings: HttpServiceSettings) -> None:
        service.answers["GET"] = http(b'{"model": "' + b" " * MAX_BYTES + b'"}')
        with pytest.raises(Permanent, match="larger"):
            await settings.read(("model",))
        service.answers["GET"] = http(b"\x0b\x02\x80\xff", headers={"content-encoding": "br"})
        with pytest.raises(Permanent, match="compressed"):
            await settings.read(("model",))

    over_http(test)


def test_the_token_travels_in_its_header_alone(tmp_path: Path) -> None:
    """A service that says it back is not believed, and a rotated one is picked up."""

    async def running() -> None:
        async with settings_service(held={"model": CANARY}) as service:
            spec = HttpSettings(url=service.url, token="file:key.json")
            settings = open_settings(spec, tmp_path)
            with pytest.raises(Permanent, match=r"file:key\.json does not exist"):
                await settings.read(("model",))
            assert service.heads == []
            store_key(tmp_path, CANARY)
            assert await settings.read(("model",)) == {"model": "***"}
            assert CANARY not in repr(settings)
            (head,) = service.heads
            assert head.count(CANARY) == 1
            assert f"\r\nauthorization: Bearer {CANARY}\r\n" in head
            assert "\r\naccept-encoding: identity\r\n" in head
            store_key(tmp_path, "test_second_0002")
            await settings.read(("model",))
            assert "Bearer test_second_0002" in service.heads[-1]

    asyncio.run(running())


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def test(_service: SettingsService, settings: HttpServiceSettings) -> None:
        assert await settings.read(("model",)) == {"model": "ear-3"}

    over_http(test)


# In a file


@dataclass
class FileLab:
    folder: Path
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.path = self.folder / "service.json"
        self.path.write_text(json.dumps(HELD, indent="\t") + "\n", encoding="utf-8")

    def open(self, *reload: str, reload_s: float = 20) -> FileServiceSettings:
        spec = FileSettings(path="service.json", names=NAMES, reload=reload or None)
        return FileServiceSettings(spec, self.path, reload_s=reload_s, sleep=_no_sleep)

    def held(self) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.path.read_bytes())
        return shown

    def script(self, text: str) -> str:
        path = self.folder / "reload.sh"
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    def beside(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def lab(tmp_path: Path) -> FileLab:
    return FileLab(tmp_path)


def write(settings: FileServiceSettings, **values: str | None) -> None:
    asyncio.run(settings.write(values))


def test_a_file_keeps_its_layout_its_mode_and_its_link(lab: FileLab) -> None:
    lab.path.chmod(0o640)
    link = lab.folder / "link.json"
    link.symlink_to("service.json")
    settings = replace(lab.open(), path=link)
    text = lab.path.read_text(encoding="utf-8")
    write(settings, model="Ohr-ü")
    assert lab.path.read_text(encoding="utf-8") == text.replace("ear-3", "Ohr-ü")
    assert stat.S_IMODE(lab.path.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert lab.beside() == {"service.json", "link.json", ".service.json.lock"}


@pytest.mark.parametrize(
    "text", ['{"model":"a","b":[1,{"c":1.50}]}', '{\n  "model": "\\ud800"\n}\n']
)
def test_what_stands_beside_it_means_the_same(text: str, lab: FileLab) -> None:
    lab.path.write_text(text, encoding="utf-8")
    before = json.loads(text)
    write(lab.open(), model="a")
    assert lab.held() == {**before, "model": "a"}


def test_a_draft_of_a_killed_writer_is_in_nobodys_way(lab: FileLab) -> None:
    (lab.folder / ".service.json.new").write_text("{", encoding="utf-8")
    write(lab.open(), model="ear-2")
    assert lab.held()["model"] == "ear-2"
    assert lab.beside() == {"service.json", ".service.json.lock"}


def test_writers_at_once_lose_nothing_of_each_other(lab: FileLab) -> None:
    names = [f"s{number}" for number in range(12)]
    lab.path.write_text(json.dumps(dict.fromkeys(names)), encoding="utf-8")

    async def patient(_seconds: float) -> None:
        await asyncio.sleep(0.001)

    async def running() -> None:
        settings = replace(lab.open(), sleep=patient)
        await asyncio.gather(*(settings.write({name: name}) for name in names))

    asyncio.run(running())
    assert lab.held() == {name: name for name in names}


def test_a_writer_that_never_gets_done_is_not_waited_for_without_end(lab: FileLab) -> None:
    from fcntl import LOCK_EX, flock

    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    with (lab.folder / ".service.json.lock").open("w") as other:
        flock(other, LOCK_EX)
        with pytest.raises(Transient, match="another writer"):
            write(replace(lab.open(), sleep=sleep), model="ear-2")
    assert len(waits) == TRIES - 1
    assert lab.held() == HELD


def test_a_file_that_is_too_large_is_not_read(lab: FileLab) -> None:
    lab.path.write_bytes(b'{"model": "' + b" " * LARGEST_FILE + b'"}')
    with pytest.raises(Permanent, match="larger"):
        asyncio.run(lab.open().read(("model",)))


def test_the_service_is_told_after_the_change_and_gets_no_secret(
    lab: FileLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_TOKEN", CANARY)
    script = lab.script('env > "$1"; cat "$2" >> "$1"')
    seen = lab.folder / "seen"
    write(lab.open(script, str(seen), str(lab.path)), model="ear-2")
    assert '"ear-2"' in seen.read_text()
    assert CANARY not in seen.read_text()
    write(lab.open(script, str(seen), str(lab.path)), model="ear-2")


def test_a_service_that_refuses_the_change_finds_the_file_as_it_was(lab: FileLab) -> None:
    text = lab.path.read_bytes()
    with pytest.raises(Transient, match="ended 3: bad model"):
        write(lab.open(lab.script("echo bad model >&2; exit 3")), model="ear-2")
    assert lab.path.read_bytes() == text


def test_what_somebody_else_wrote_since_is_not_put_back(lab: FileLab) -> None:
    other = json.dumps({**HELD, "model": "ear-9", "max_retries": "2"})
    script = lab.script(f"echo '{other}' > {lab.path}; exit 1")
    with pytest.raises(Transient):
        write(lab.open(script), model="ear-2", max_retries="2")
    assert lab.held() == {**HELD, "model": "ear-9"}


def test_without_the_command_nothing_is_changed(lab: FileLab) -> None:
    with pytest.raises(Permanent, match="no command /no/such/reload"):
        write(lab.open("/no/such/reload"), model="ear-2")
    assert lab.held() == HELD


def test_a_reload_without_end_is_killed_and_may_have_been_done(lab: FileLab) -> None:
    script = lab.script(f"echo $$ > {lab.folder}/pid; exec sleep 600")
    with pytest.raises(Ambiguous, match=r"did not end in 0\.5 s"):
        write(lab.open(script, reload_s=0.5), model="ear-2")
    assert lab.held()["model"] == "ear-2"
    # On a machine that is busy enough it has not even begun.
    for pid in " ".join(f.read_text() for f in lab.folder.glob("pid")).split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_a_service_that_a_command_leaves_running_keeps_nobody_waiting(lab: FileLab) -> None:
    """It holds the command's own pipe: 20 s would be the end of it."""
    script = lab.script(f"sleep 60 & echo $! > {lab.folder}/pid")
    asyncio.run(carry_out([script], "reload", deadline_s=20))
    os.kill(int((lab.folder / "pid").read_text()), 9)


# Texts and values


TEXTS: list[tuple[Any, str | None]] = [
    (None, None),
    ("ear-2", "ear-2"),
    ("3", "3"),
    (3, "3"),
    (3.0, "3"),
    (0.25, "0.25"),
    (True, "true"),
    (["b", 1], '["b",1]'),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_a_value_as_text_and_back_again(value: Any, text: str | None) -> None:
    assert as_text(value) == text
    back = typed(value, text)
    assert back == value
    assert type(back) is type(value) or value == 3.0


@pytest.mark.parametrize(
    ("shown", "text", "sent"),
    [
        ("5", "2", "2"),
        (5, "2", 2),
        (5, "0.5", 0.5),
        (5, "auto", "auto"),
        (False, "true", True),
        (None, "2", 2),
        (None, "ear-2", "ear-2"),
        (None, "007", "007"),
        (None, "true", True),
        ("off", "true", "true"),
        (["a"], "[broken", "[broken"),
        (1e-05, "1e-05", 1e-05),
        (5, None, None),
    ],
)
def test_what_is_sent_is_of_the_kind_that_is_shown(shown: Any, text: str | None, sent: Any) -> None:
    assert (typed(shown, text), type(typed(shown, text))) == (sent, type(sent))


@pytest.mark.parametrize(
    ("shown", "wanted", "alike"),
    [
        (3, "3", True),
        ("3", "3.0", True),
        (True, "true", True),
        ("True", "true", True),
        (0.1, "0.1", True),
        (10**20, str(10**20 + 1), False),
        ("ear-2", "Ear-2", False),
        (None, "none", False),
        ("", None, False),
        (None, None, True),
    ],
)
def test_a_setting_is_compared_by_its_value(shown: Any, wanted: str | None, alike: bool) -> None:
    assert same(shown, wanted) is alike


def test_a_plan_says_what_is_called() -> None:
    spec = HttpSettings(url="http://ada:pw@127.0.0.1:80/settings?key=1", names=NAMES)
    assert calls_of(spec, {"model": "ear-2", "max_requests_per_s": "0.5", "refuse": None}) == (
        'settings: PATCH http://127.0.0.1:80/settings {"model": "ear-2", "MAX_RPS": 0.5, '
        '"refuse": null}',
    )
    file = FileSettings(path="service.json", reload=("systemctl", "reload", "ear"))
    assert calls_of(file, {"model": "ear-2"}) == (
        'settings: write {"model": "ear-2"} into service.json',
        "settings: run systemctl reload ear",
    )
    assert calls_of(FileSettings(path="a.json"), {"max_retries": "3"}) == (
        'settings: write {"max_retries": 3} into a.json',
    )
