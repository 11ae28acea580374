"""W8: no page of another origin, no foreign host name and nobody without the password gets anything
done by Prefect's API, on loopback as elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from door_attack import DEPLOYMENT, ORIGIN, Page, run_body, shell_step
from harness import Server
from runner_target import Target, served
from starlette.responses import PlainTextResponse
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from deployments.door import Address, closed
from deployments.door_checks import open_doors
from deployments.password import password_file

SOCKETS = (
    *("/events/in", "/events/out", "/logs/out", "/task_runs/subscriptions/scheduled"),
    "/work_pools/any/workers/connect",
)


@pytest.fixture(scope="module")
def target(prefect_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The session's server, started as `up` starts its own."""
    with served(prefect_server, tmp_path_factory.mktemp("target")) as made:
        yield made


def token(server: Server, client: str) -> dict[str, str]:
    """A token that is good, as the UI holds one."""
    said = httpx.get(
        f"{server.api}/csrf-token", params={"client": client}, auth=server.auth, trust_env=False
    )
    return {"prefect-csrf-token": said.json()["token"], "prefect-csrf-client": client}


def test_a_page_of_another_origin_gets_nothing_done(target: Target) -> None:
    """W8: whatever it knows, each of its steps is refused: without anything; with a token of ours;
    with our token and the password; as a program that sends what no browser would; by a name for
    this machine that its own DNS gives (rebinding), with all of it. Nothing is changed, nothing is
    run."""
    server, port = target.server, target.server.url.rpartition(":")[2]
    name, before = target.deployment()["id"], target.runs()
    stolen = token(server, "stolen")
    rebound = f"evil.example:{port}"
    basic = httpx.BasicAuth(*(server.auth or ("", "")))
    (signed,) = (r.headers["authorization"] for r in basic.auth_flow(httpx.Request("GET", ORIGIN)))
    pages = {
        "plain": Page(server.url),
        "null origin": Page(server.url, origin="null"),
        "https": Page(server.url, origin=server.url.replace("http:", "https:")),
        "another port": Page(server.url, origin="http://127.0.0.1:1"),
        "with a token": Page(server.url, headers=stolen),
        "with the password": Page(server.url, headers={**stolen, "authorization": signed}),
        "rebound": Page(server.url, f"http://{rebound}", rebound),
        "rebound, with a token": Page(server.url, f"http://{rebound}", rebound, stolen),
        "rebound, with all": Page(
            server.url, f"http://{rebound}", rebound, {**stolen, "authorization": signed}
        ),
    }
    mark = target.folder / "mark"
    got = {said: page.attacks(mark, name) for said, page in pages.items()}
    assert got == {said: [] for said in pages}
    target.run_ours()
    assert not mark.exists()
    assert target.deployment()["pull_steps"] in (None, [])
    assert len(target.runs()) == len(before) + 1


def test_a_program_without_the_password_gets_nothing_done(target: Target) -> None:
    """W8: another account of this machine, bound by no browser: 401, also with a token of ours."""
    name, before = target.deployment()["id"], target.runs()
    mark = target.folder / "mark"
    with httpx.Client(base_url=target.server.api, trust_env=False) as anybody:
        assert anybody.get("/csrf-token", params={"client": "x"}).status_code == 401
        assert anybody.get(f"/deployments/name/{DEPLOYMENT}").status_code == 401
        anybody.headers.update(token(target.server, "stolen"))
        step = anybody.patch(f"/deployments/{name}", json={"pull_steps": shell_step(mark)})
        run = anybody.post(f"/deployments/{name}/create_flow_run", json=run_body(mark))
        guessed = anybody.get("/admin/version", auth=("watchkeeper", ""))
        assert (step.status_code, run.status_code, guessed.status_code) == (401, 401, 401)
        # A method or a spelling that the door might miss.
        for method, path in (
            *(("GET", "//admin/version"), ("GET", "/health/../admin/version")),
            *(("HEAD", "/admin/version"), ("POST", "/health"), ("GET", "/admin/version/health")),
        ):
            assert not anybody.request(method, path).is_success
    assert target.deployment()["pull_steps"] in (None, [])
    assert len(target.runs()) == len(before)


def home_with_password(home: Path, password: str) -> Path:
    home.mkdir(exist_ok=True)
    password_file(home).touch(0o600)
    password_file(home).write_text(password)
    return home


def test_doctor_finds_a_closed_server_closed(prefect_server: Server, tmp_path: Path) -> None:
    """And a password file that is wrong, missing or open to others is named with what to do."""
    home = home_with_password(tmp_path, prefect_server.password or "")
    assert open_doors(prefect_server.api, home) == []
    password_file(home).write_text("watchkeeper:another-password-0")
    (wrong,) = open_doors(prefect_server.api, home)
    assert "does not take the password" in wrong
    password_file(home).chmod(0o640)
    (wide,) = open_doors(prefect_server.api, home)
    assert "its mode must be 600" in wide and "restart `watchkeeper up`" in wide
    password_file(home).unlink()
    assert "is missing" in open_doors(prefect_server.api, home)[0]


# --- web sockets --------------------------------------------------------------------------------


@contextmanager
def socket_to(server: Server, path: str, **more: Any) -> Iterator[ClientConnection]:
    address = server.api.replace("http:", "ws:") + path
    with connect(address, proxy=None, open_timeout=20, **more) as opened:
        yield opened


@pytest.mark.parametrize("path", SOCKETS)
def test_web_sockets_are_closed_as_well(prefect_server: Server, path: str) -> None:
    """A foreign origin, a foreign host name and a client that proves nothing are refused before
    anything is exchanged; a wrong password ends the talk; the right one is let in."""
    for headers in ({"Origin": ORIGIN}, {"Origin": "null"}, {"Host": "evil.example"}, {}):
        with (
            pytest.raises(InvalidStatus) as refused,
            socket_to(prefect_server, path, additional_headers=headers),
        ):
            pass
        assert refused.value.response.status_code in (400, 403)
    for word in ("", "wrong:password"):
        with socket_to(prefect_server, path, subprotocols=["prefect"]) as opened:
            opened.send(json.dumps({"type": "auth", "token": word}))
            with pytest.raises(ConnectionClosed):
                opened.recv(20)
    with socket_to(prefect_server, path, subprotocols=["prefect"]) as opened:
        opened.send(json.dumps({"type": "auth", "token": prefect_server.password}))
        assert json.loads(opened.recv(20)) == {"type": "auth_success"}


# --- the door alone -----------------------------------------------------------------------------


def asked(address: Address, path: str, headers: Mapping[str, str]) -> httpx.Response:
    async def asking() -> httpx.Response:
        app = closed(PlainTextResponse("in"), address, "/docs")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://any") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(asking())


HERE = Address("127.0.0.1", 4200)
TEAM = Address("0.0.0.0", 4200, "https://watch.example.com")
SIX = Address("::1", 4200)
HOSTS = [
    (HERE, "127.0.0.1:4200", 200),
    (HERE, "127.0.0.1", 200),
    (HERE, "localhost:4200", 200),
    (HERE, "LOCALHOST:4200", 200),
    (HERE, "[::1]:4200", 200),
    (HERE, "evil.example", 400),
    (HERE, "evil.example:4200", 400),
    (HERE, "127.0.0.1.evil.example", 400),
    (HERE, "localhost.evil.example:4200", 400),
    (HERE, "evil.localhost", 400),
    (HERE, "127.0.0.1@evil.example", 400),
    (HERE, "0.0.0.0:4200", 400),
    (HERE, "192.0.2.7:4200", 400),
    (HERE, "", 400),
    (SIX, "[::1]:4200", 200),
    (SIX, "evil.example", 400),
    (TEAM, "watch.example.com", 200),
    (TEAM, "127.0.0.1:4200", 200),
    (TEAM, "other.example.com", 400),
    (TEAM, "evil.watch.example.com", 400),
]


@pytest.mark.parametrize(("address", "host", "status"), HOSTS)
def test_only_names_of_ours_are_answered(address: Address, host: str, status: int) -> None:
    """In any case, with any port: a foreign page would have to use the name that its DNS gave."""
    assert asked(address, "/api/health", {"host": host}).status_code == status


ORIGINS = [
    (HERE, "http://127.0.0.1:4200", 200),
    (HERE, "http://localhost:4200", 403),
    (HERE, "http://127.0.0.1:4201", 403),
    (HERE, "http://127.0.0.1", 403),
    (HERE, "https://127.0.0.1:4200", 403),
    (HERE, "null", 403),
    (HERE, "", 403),
    (SIX, "http://[::1]:4200", 200),
    (TEAM, "https://watch.example.com", 200),
    (TEAM, "http://watch.example.com", 403),
    (TEAM, "http://127.0.0.1:4200", 403),
]


@pytest.mark.parametrize(("address", "origin", "status"), ORIGINS)
def test_the_uis_own_origin_alone_is_answered(address: Address, origin: str, status: int) -> None:
    host = address.ui.rpartition("/")[2]
    reply = asked(address, "/api/health", {"host": host, "origin": origin})
    assert reply.status_code == status


def test_who_types_localhost_is_sent_to_the_uis_origin() -> None:
    """Pages of two origins would share a server and not its password; the API is not moved, and a
    port that somebody forwards is left alone."""
    page = asked(HERE, "/runs?state=late", {"host": "localhost:4200"})
    assert (page.status_code, page.headers["location"]) == (
        307,
        "http://127.0.0.1:4200/runs?state=late",
    )
    double = asked(HERE, "//evil.example/x", {"host": "localhost:4200"})
    assert double.headers["location"].startswith("http://127.0.0.1:4200/")
    assert asked(HERE, "/api/health", {"host": "localhost:4200"}).status_code == 200
    assert asked(HERE, "/runs", {"host": "localhost:9000"}).status_code == 200
    assert asked(TEAM, "/runs", {"host": "127.0.0.1:4200"}).status_code == 200


def test_no_page_frames_the_ui_and_no_script_of_others_is_in_its_origin(
    prefect_server: Server,
) -> None:
    """The UI keeps the password in its origin: FastAPI's pages there load scripts of a third party."""
    front = httpx.get(f"{prefect_server.url}/", trust_env=False)
    assert "frame-ancestors 'none'" in front.headers["content-security-policy"]
    for page in ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"):
        assert httpx.get(prefect_server.url + page, trust_env=False).status_code == 404
    for page in ("/api/docs", "/api/openapi.json"):
        assert httpx.get(prefect_server.url + page, trust_env=False).status_code == 401
