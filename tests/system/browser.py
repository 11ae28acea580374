"""A real Chromium without a window, driven by its own DevTools protocol."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from harness import wait_until
from websockets.sync.client import ClientConnection, connect

START_S = 60.0
ANSWER_S = 60.0
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--no-proxy-server", "--disable-background-networking"),
    *("--disable-component-update", "--remote-debugging-port=0", "--window-size=1400,1000"),
)


@dataclass
class Tab:
    """One page; each call waits for the browser's answer."""

    socket: ClientConnection
    _numbers: Iterator[int] = field(default_factory=count)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self.socket.recv(ANSWER_S))
            if said.get("id") == number:
                assert "error" not in said, said
                return dict(said["result"])

    def opens(self, url: str) -> None:
        """And is there when its document is complete."""
        self.call("Page.navigate", url=url)
        there = "location.href !== 'about:blank' && document.readyState === 'complete'"
        wait_until(lambda: self.runs(there) is True, START_S, f"{url} is open")

    def runs(self, script: str) -> Any:
        """What the script gives, waited for where it is a promise; as a script of the page itself."""
        said = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def types(self, selector: str, text: str) -> None:
        """As a keyboard does, and presses Enter."""
        found = f"document.querySelector({json.dumps(selector)})"
        wait_until(lambda: bool(self.runs(f"!!{found}")), START_S, f"there is {selector}")
        self.runs(f"{found}.focus()")
        self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key="Enter",
                windowsVirtualKeyCode=13,
                text="\r",
            )

    def shows(self, words: str) -> bool:
        return words in str(self.runs("document.body.innerText"))


@contextmanager
def browser(folder: Path, *more: str) -> Iterator[Tab]:
    """With a profile of its own in `folder`, ended with all its processes."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "no chromium here: .ci/apt.txt lists the Debian packages that are needed"
    with (folder / "chromium.log").open("ab") as log:
        process = subprocess.Popen(
            [program, *FLAGS, *more, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    said = folder / "profile" / "DevToolsActivePort"
    try:
        wait_until(lambda: said.exists() and "\n" in said.read_text(), START_S, "chromium is up")
        port = said.read_text().split()[0]
        tabs = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
        (page,) = (tab for tab in tabs if tab["type"] == "page")
        with connect(page["webSocketDebuggerUrl"], proxy=None, max_size=None) as socket:
            yield Tab(socket)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
