"""W8 in a real Chromium: a page of another origin gets nothing executed, and the UI lets in who has
the password."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import Tab, browser
from door_attack import DEPLOYMENT, run_body, shell_step
from harness import Server, running_server, wait_until
from runner_target import Target, served

# What the page does: everything that a script may try, and a form's request that needs no leave.
ATTACK = """
(async (api, name, known, step, run, headers) => {
  const got = [];
  const ask = async (what, method, path, body, more = {}) => {
    try {
      const said = {"content-type": "application/json", ...headers, ...more};
      const reply = await fetch(api + path, method === "GET" && !Object.keys(headers).length
        ? {} : {method, headers: said, body: body && JSON.stringify(body)});
      if (!reply.ok) return null;
      got.push(what);
      return reply.status === 204 ? {} : await reply.json();
    } catch (error) { return null; }
  };
  const socket = path => new Promise(done => {
    try {
      const opened = new WebSocket(api.replace("http", "ws") + path, ["prefect"]);
      opened.onopen = () => { got.push("socket"); opened.close(); done(); };
      opened.onerror = () => done();
    } catch (error) { done(); }
  });
  const token = await ask("token", "GET", "/csrf-token?client=evil");
  if (token)
    headers = {"prefect-csrf-token": token.token, "prefect-csrf-client": "evil", ...headers};
  const found = await ask("deployment", "GET", "/deployments/name/" + name);
  const which = found ? found.id : known;
  await ask("patch", "PATCH", "/deployments/" + which, {pull_steps: step});
  await ask("run", "POST", "/deployments/" + which + "/create_flow_run", run);
  await socket("/events/in");
  for (const mode of ["no-cors", "cors"])
    await fetch(api + "/deployments/" + which + "/create_flow_run",
      {method: "POST", mode, body: JSON.stringify(run), credentials: "include"}).catch(() => null);
  return got;
})
"""


@contextmanager
def page_server() -> Iterator[str]:
    """The origin of somebody else, on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>evil</title><p>cats")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}/"
        finally:
            listening.shutdown()
            thread.join()


def attacks(tab: Tab, target: Target, mark: Path, headers: dict[str, str]) -> list[str]:
    given = (
        *(target.server.api, DEPLOYMENT, target.deployment()["id"]),
        *(shell_step(mark), run_body(mark), headers),
    )
    return list(tab.runs(ATTACK + "(" + ", ".join(map(json.dumps, given)) + ")"))


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    # The name that a foreign DNS would give to this machine once the page is there.
    rebound = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    with browser(tmp_path_factory.mktemp("browser"), rebound) as opened:
        yield opened


def test_a_page_of_another_origin_gets_nothing_executed(
    tab: Tab, prefect_server: Server, tmp_path: Path
) -> None:
    """W8: not as it is, not with a token and the password that it got elsewhere."""
    with served(prefect_server, tmp_path) as target, page_server() as evil:
        before, mark = len(target.runs()), tmp_path / "mark"
        tab.opens(evil)
        assert attacks(tab, target, mark, {}) == []
        stolen = httpx.get(
            f"{prefect_server.api}/csrf-token",
            params={"client": "stolen"},
            auth=prefect_server.auth,
            trust_env=False,
        )
        basic = stolen.request.headers["authorization"]
        said = {"prefect-csrf-token": stolen.json()["token"], "prefect-csrf-client": "stolen"}
        assert attacks(tab, target, mark, {**said, "authorization": basic}) == []
        target.run_ours()
        assert not mark.exists()
        assert target.deployment()["pull_steps"] in (None, [])
        assert len(target.runs()) == before + 1


def test_under_a_foreign_name_there_is_no_page(tab: Tab, prefect_server: Server) -> None:
    """W8: DNS rebinding ends before any script of ours or theirs is there."""
    port = prefect_server.url.rpartition(":")[2]
    tab.opens(f"http://evil.example:{port}/")
    assert tab.shows("Invalid host header")
    tried = tab.runs("fetch('/api/health').then(reply => reply.status)")
    assert tried == 400


def test_without_the_door_the_page_runs_its_shell_step(tab: Tab, tmp_path: Path) -> None:
    """W8, the planted fault: the same page against a server as Prefect starts it."""
    lab, csrf = tmp_path / "lab", {"PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true"}
    lab.mkdir()
    with (
        running_server(tmp_path / "prefect", csrf, closed=False) as server,
        served(server, lab) as target,
        page_server() as evil,
    ):
        mark = tmp_path / "mark"
        tab.opens(evil)
        got: set[str] = set()

        def carried_out() -> bool:
            # A step is asked again where the database was locked.
            got.update(attacks(tab, target, mark, {}))
            return mark.exists()

        wait_until(carried_out, 90, "the shell step was run", poll_s=1)
        assert got == {"token", "deployment", "patch", "run", "socket"}


@pytest.mark.parametrize("page", ["/", "/runs"], ids=["V2", "V1"])
def test_the_ui_asks_for_the_line_in_the_file(tab: Tab, prefect_server: Server, page: str) -> None:
    """Both UIs: a wrong password does not open it, the whole line of `prefect-auth` does."""
    tab.opens(f"{prefect_server.url}/ui-settings")
    tab.runs("localStorage.clear()")
    tab.opens(prefect_server.url + page)
    asks = "location.pathname.endsWith('/login')"
    wait_until(lambda: tab.runs(asks) is True, 60, "the UI asks for the password")
    tab.types("input[type=password]", "watchkeeper:wrong-password-0000")
    wait_until(lambda: tab.shows("failed") or tab.shows("nvalid"), 60, "the UI refuses")
    assert tab.runs(asks)
    tab.opens(prefect_server.url + page)
    tab.types("input[type=password]", prefect_server.password or "")
    wait_until(lambda: not tab.runs(asks) and tab.shows("Event Feed"), 60, "the UI opens")
    kept = "({headers: {authorization: 'Basic ' + localStorage.getItem('prefect-password')}})"
    assert tab.runs(f"fetch('/api/admin/version', {kept}).then(reply => reply.status)") == 200
    assert prefect_server.password not in tab.runs("location.href")
