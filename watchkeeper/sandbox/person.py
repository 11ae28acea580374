"""The person of a drill: woken by the pager, acting by public commands and in the vendor's UI only.

`python -m watchkeeper.sandbox.person --tied --config FILE`; the file names the commands' program,
its environment, the pager's and the vendor's addresses, and who this person is.
"""

import argparse
import json
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLL_S = 0.5
# Whoever was woken and is asked nothing does not stare at the screen.
LOOK_AGAIN_S = 4.0
COMMAND_TIMEOUT_S = 60


@dataclass(frozen=True)
class Person:
    """`program`: the argv that every command begins with."""

    name: str
    program: list[str]
    env: dict[str, str]
    integration: str
    vendor: str
    pager: str
    pager_ca: str

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.program, *words],
            input=stdin,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def paged(self) -> bool:
        trust = ssl.create_default_context(cafile=self.pager_ca)
        with urllib.request.urlopen(f"{self.pager}/_sim/pages", timeout=5, context=trust) as reply:
            incidents = json.load(reply)["incidents"]
        return any(one["state"] == "triggered" for one in incidents.values())

    def question(self) -> tuple[int, list[str]] | None:
        """The incident of this integration that waits for an answer, and what the answer needs."""
        status = json.loads(self.run("status", "--json").stdout or "{}")
        for incident in status.get("incidents", []):
            if incident["integration"] == self.integration and incident["question"]:
                return incident["id"], incident["question"]["needs"]
        return None

    def new_key(self) -> str:
        """Pressed in the vendor's settings; shown once, there."""
        request = urllib.request.Request(
            f"{self.vendor}/_sim/keys",
            data=json.dumps({"label": f"made by {self.name}"}).encode(),
            headers={"content-type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=5) as reply:
            made: dict[str, Any] = json.load(reply)
        return str(made["value"])

    def answer(self, incident: int, needs: list[str]) -> None:
        if any("key offer" in need for need in needs):
            self.say(self.run("key", "offer", self.integration, stdin=self.new_key()))
        words = ("--by", self.name, "--reason", "seen the evidence")
        self.say(self.run("approve", f"INC-{incident}", *words))

    def say(self, done: subprocess.CompletedProcess[str]) -> None:
        sys.stderr.write(f"{done.args[1:3]} -> {done.returncode}: {done.stderr.strip()}\n")
        sys.stderr.flush()


def watch(person: Person, ended: threading.Event) -> None:
    """Sleeps until paged; then looks, and answers what is asked."""
    while not ended.wait(POLL_S):
        try:
            if not person.paged():
                continue
            if (asked := person.question()) is not None:
                person.answer(*asked)
            else:
                ended.wait(LOOK_AGAIN_S)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            time.sleep(POLL_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tied", action="store_true")
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args()
    person = Person(**json.loads(arguments.config.read_text()))
    ended = threading.Event()
    watching = threading.Thread(target=watch, args=(person, ended), daemon=True)
    watching.start()
    sys.stdout.write(json.dumps({"ready": "person", "name": person.name}) + "\n")
    sys.stdout.flush()
    if arguments.tied:
        sys.stdin.read()
    else:
        watching.join()
    ended.set()


if __name__ == "__main__":
    main()
