"""A person of a drill: woken by the pager, acting by public commands and in the vendor's UI only.

`python -m watchkeeper.sandbox.person --tied --config FILE`; the file names the commands' program,
its environment, the pager's and the vendor's addresses, and who this person is: `attentive` ones
look at the status all the time; asked for a plan they approve it, or deny it with `denies`; one who
`offers` makes a new key first where one is needed; one who `revokes` does so `revokes_after_s`
after being asked; one who `mends` restarts the service by hand where a step has failed, and has
that step tried again `mends_after_s` later.
"""

import argparse
import json
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POLL_S = 0.5
# Whoever looks all the time, and whoever was woken and is asked nothing.
ATTENTIVE_S, LOOK_AGAIN_S = 4.0, 4.0
COMMAND_TIMEOUT_S = 60
RESTART_S = 30
TO_REVOKE = re.compile(r"revoke\b.*?\b([0-9a-f]{8})\b", re.IGNORECASE)
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Person:
    """`program`: the argv that every command begins with. `answered`: the plans they have had their
    say on; `asked_at`: when they were first asked to revoke a key, on the monotonic clock;
    `failed_at`: when a step was first seen to have failed."""

    name: str
    program: list[str]
    env: dict[str, str]
    integration: str
    vendor: str
    pager: str
    pager_ca: str
    attentive: bool = False
    offers: bool = True
    denies: bool = False
    revokes: bool = False
    revokes_after_s: float = 0.0
    unit: str = ""
    mends: bool = False
    mends_after_s: float = 0.0
    answered: set[str] = field(default_factory=set)
    asked_at: dict[str, float] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    failed_at: dict[str, float] = field(default_factory=dict)
    mended: set[str] = field(default_factory=set)

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

    def looks(self) -> bool:
        """Act on what the status shows; whether there was anything to do."""
        status = json.loads(self.run("status", "--json").stdout or "{}")
        mine = [i for i in status.get("incidents", []) if i["integration"] == self.integration]
        acted = [self.sees(incident) for incident in mine]
        return any(acted)

    def sees(self, incident: dict[str, Any]) -> bool:
        """One incident of theirs: a key to revoke comes before any plan."""
        acted = self.revokes and self.revoke_asked(incident)
        asked = [question for question in questions(incident) if not self.has_answered(question)]
        for question in asked:
            self.answer(incident["id"], question)
        mended = self.mends and self.mend_failed(incident)
        return acted or bool(asked) or mended

    def has_answered(self, question: dict[str, Any]) -> bool:
        return question["plan"] in self.answered or self.name in question.get("yes", ())

    def answer(self, incident: int, question: dict[str, Any]) -> None:
        if self.offers and any("key offer" in need for need in question["needs"]):
            self.say(self.run("key", "offer", self.integration, stdin=self.new_key()))
        word = "deny" if self.denies else "approve"
        why = ("--by", self.name, "--reason", "seen the evidence")
        done = self.run(word, f"INC-{incident}", *why, *question.get("chosen", ()))
        self.say(done)
        if done.returncode == 0:
            self.answered.add(question["plan"])

    def revoke_asked(self, incident: dict[str, Any]) -> bool:
        """Revoke what was asked for long enough ago; whether a key was."""
        now = time.monotonic()
        for mark in keys_to_revoke(incident):
            self.asked_at.setdefault(mark, now)
        due = [m for m, at in self.asked_at.items() if now - at >= self.revokes_after_s]
        todo = [mark for mark in due if mark not in self.revoked]
        for mark in todo:
            self.at_vendor("DELETE", f"/_sim/keys/{mark}")
            self.revoked.add(mark)
            sys.stderr.write(f"revoked {mark}\n")
        return bool(todo)

    def mend_failed(self, incident: dict[str, Any]) -> bool:
        """Restart the service by hand where a step failed, once; whether one was tried again."""
        now = time.monotonic()
        failed = [s["name"] for s in incident.get("steps") or () if s["state"] == "failed"]
        for step in failed:
            self.failed_at.setdefault(step, now)
        due = [s for s in failed if now - self.failed_at[s] >= self.mends_after_s]
        todo = [step for step in due if step not in self.mended]
        for step in todo:
            self.asks("POST", f"{self.unit}/restart")
            why = ("--reason", "restarted by hand", "--by", self.name)
            self.say(self.run("incident", "retry", f"INC-{incident['id']}", step, *why))
            self.mended.add(step)
        return bool(todo)

    def new_key(self) -> str:
        """Pressed in the vendor's settings; shown once, there."""
        made = self.at_vendor("POST", "/_sim/keys", {"label": f"made by {self.name}"})
        return str(made["value"])

    def at_vendor(self, method: str, path: str, body: object = None) -> Any:
        return self.asks(method, f"{self.vendor}{path}", body)

    @staticmethod
    def asks(method: str, url: str, body: object = None) -> Any:
        request = urllib.request.Request(
            url,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
            method=method,
        )
        with DIRECT.open(request, timeout=RESTART_S) as reply:
            return json.load(reply)

    def say(self, done: subprocess.CompletedProcess[str]) -> None:
        words = done.args[len(self.program) :][:2]
        sys.stderr.write(f"{words} -> {done.returncode}: {done.stderr.strip()}\n")
        sys.stderr.flush()


def questions(incident: dict[str, Any]) -> list[dict[str, Any]]:
    """Every plan that waits for an answer; where there are several, each is meant by its hash."""
    found = incident.get("questions") or [incident.get("question")]
    asked = [question for question in found if question is not None]
    if len(asked) < 2:
        return asked
    return [{**question, "chosen": ("--plan", question["plan"])} for question in asked]


def keys_to_revoke(incident: dict[str, Any]) -> Iterator[str]:
    """Fingerprints, as asked for by name, or as what the plan needs tells them."""
    for asked in incident.get("asks") or ():
        if asked["kind"] == "revoke_key":
            yield asked["fingerprint"]
    for question in questions(incident):
        for need in question["needs"]:
            yield from TO_REVOKE.findall(need)


def watch(person: Person, ended: threading.Event) -> None:
    """Sleeps until paged, or looks all the time; then does what is asked."""
    while not ended.wait(POLL_S):
        try:
            if (person.attentive or person.paged()) and not person.looks():
                ended.wait(ATTENTIVE_S if person.attentive else LOOK_AGAIN_S)
        except (OSError, ValueError, LookupError, subprocess.TimeoutExpired) as error:
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
