"""The person of a drill: what they do when asked, how often, and what they leave to others."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import wait_until

from watchkeeper.sandbox.person import Person, keys_to_revoke
from watchkeeper.sandbox.process import Processes

NAME = "maintainx@test"
# Stands for `watchkeeper`: notes how it was called, and shows the status that lies beside it.
PROGRAM = """\
import pathlib, sys
place = pathlib.Path(sys.argv[1])
typed = "" if sys.argv[2] == "status" else sys.stdin.read()
with (place / "called").open("a") as file:
    file.write(" ".join(sys.argv[2:]) + "|" + typed + "\\n")
if sys.argv[2] == "status":
    print((place / "status.json").read_text())
sys.exit((place / "refuses").exists() and sys.argv[2] == "approve")
"""
OFFER = f"a new key, offered with: watchkeeper key offer {NAME}"


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Processes(tmp_path_factory.mktemp("vendor")) as processes:
        yield processes.start(["vendor", "--seed", "7"])["url"]


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[httpx.Client]:
    """A manager of something that only listens."""
    child = [sys.executable, "-m", "watchkeeper.sandbox.status_page"]
    with Processes(tmp_path) as processes:
        url = processes.start(["unit", "--", *child])["url"]
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            yield client


class Desk:
    """Where the program lies that a person calls, and what the status shows."""

    def __init__(self, folder: Path, vendor: str) -> None:
        self.folder, self.vendor = folder, vendor
        (folder / "program.py").write_text(PROGRAM)

    def person(self, **duties: Any) -> Person:
        program = [sys.executable, str(self.folder / "program.py"), str(self.folder)]
        return Person(
            program=program,
            env={},
            integration=NAME,
            vendor=self.vendor,
            pager="",
            pager_ca="",
            **{"name": "ada", **duties},
        )

    def shows(self, *incidents: dict[str, Any]) -> None:
        (self.folder / "status.json").write_text(json.dumps({"incidents": incidents}))

    @property
    def called(self) -> list[str]:
        """What was called beside the status."""
        path = self.folder / "called"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if not line.startswith("status")]

    def keys(self) -> dict[str, str]:
        found = httpx.get(f"{self.vendor}/_sim/keys", trust_env=False).json()
        return {key["fingerprint"]: key["state"] for key in found}

    def new_key(self) -> str:
        made = httpx.post(f"{self.vendor}/_sim/keys", json={"label": "x"}, trust_env=False)
        return str(made.json()["fingerprint"])


@pytest.fixture
def desk(tmp_path: Path, vendor: str) -> Desk:
    return Desk(tmp_path, vendor)


def incident(plan: str | None = "abc", *needs: str, **more: Any) -> dict[str, Any]:
    question = None if plan is None else {"plan": plan, "needs": list(needs)}
    return {"id": 7, "integration": NAME, "question": question, **more}


def test_a_plan_is_approved_once(desk: Desk) -> None:
    """It may wait for a second person; another plan of the same incident is another matter."""
    ada = desk.person()
    desk.shows(incident("abc"))
    assert ada.looks()
    assert not ada.looks()
    desk.shows(incident("def"))
    assert ada.looks()
    assert desk.called == ["approve INC-7 --by ada --reason seen the evidence|"] * 2


def test_several_plans_are_answered_each_by_its_name(desk: Desk) -> None:
    """And one that they have said yes to is left to the others."""
    mine = {"plan": "old", "needs": [], "yes": ["ada"]}
    asked = [{"plan": plan, "needs": [], "yes": ["ben"]} for plan in ("abc", "def")]
    desk.shows(incident("old", questions=[mine, *asked]))
    assert desk.person().looks()
    plans = [line.removesuffix("|").partition("--plan ")[2] for line in desk.called]
    assert plans == ["abc", "def"]


def test_an_answer_that_was_not_taken_is_given_again(desk: Desk) -> None:
    ada = desk.person()
    desk.shows(incident())
    (desk.folder / "refuses").touch()
    assert ada.looks()
    (desk.folder / "refuses").unlink()
    assert ada.looks()
    assert len(desk.called) == 2


def test_a_key_is_made_and_offered_by_the_one_who_does(desk: Desk) -> None:
    """The value comes from the vendor on stdin; the second person only approves."""
    before = desk.keys()
    desk.shows(incident("abc", OFFER))
    assert desk.person().looks()
    assert desk.person(name="ben", offers=False).looks()
    offered, *answers = desk.called
    assert offered.startswith(f"key offer {NAME}|test_")
    assert [line.split(" --reason")[0] for line in answers] == [
        "approve INC-7 --by ada",
        "approve INC-7 --by ben",
    ]
    assert len(desk.keys()) == len(before) + 1


def test_one_who_denies(desk: Desk) -> None:
    desk.shows(incident())
    assert desk.person(denies=True).looks()
    assert desk.called == ["deny INC-7 --by ada --reason seen the evidence|"]


def test_other_peoples_incidents_are_left_alone(desk: Desk) -> None:
    desk.shows({**incident(), "integration": "maintainx@other"}, incident(None))
    assert not desk.person(revokes=True).looks()
    assert desk.called == []


def test_a_key_is_revoked_by_the_one_who_does_when_asked(desk: Desk) -> None:
    """Once, and only by them; a plan that waits is answered all the same."""
    mark = desk.new_key()
    asks = [{"kind": "revoke_key", "fingerprint": mark, "text": "revoke it"}]
    desk.shows(incident(None, asks=asks))
    assert not desk.person().looks()
    assert desk.keys()[mark] == "active"
    ada = desk.person(revokes=True)
    assert ada.looks()
    assert desk.keys()[mark] == "revoked"
    assert not ada.looks()


def test_a_key_is_revoked_late_by_one_who_takes_their_time(desk: Desk) -> None:
    mark = desk.new_key()
    desk.shows(incident(None, asks=[{"kind": "revoke_key", "fingerprint": mark}]))
    ada = desk.person(revokes=True, revokes_after_s=0.4)
    assert not ada.looks()
    assert desk.keys()[mark] == "active"
    wait_until(ada.looks, 10, "the key is revoked")
    assert desk.keys()[mark] == "revoked"


MARK = "0a1b2c3d"
ASKED: list[tuple[dict[str, Any], list[str]]] = [
    (incident(None), []),
    (incident(None, asks=[]), []),
    (incident(None, asks=[{"kind": "revoke_key", "fingerprint": MARK}]), [MARK]),
    (incident(None, asks=[{"kind": "look", "fingerprint": MARK}]), []),
    (incident("abc", f"the leaked key {MARK} revoked: revoke {MARK} now"), [MARK]),
    (incident("abc", f"Revoke the old key ({MARK}) in the settings"), [MARK]),
    (incident("abc", f"approve the key {MARK}"), []),
    (incident("abc", OFFER), []),
]


@pytest.mark.parametrize(("shown", "marks"), ASKED)
def test_which_keys_are_to_be_revoked(shown: dict[str, Any], marks: list[str]) -> None:
    assert list(keys_to_revoke(shown)) == marks


def test_an_attentive_person_needs_no_page(desk: Desk) -> None:
    """Nobody pages for what wakes nobody: they look by themselves. The process ends with its
    parent."""
    desk.shows(incident())
    ada = desk.person(attentive=True)
    names = ("name", "program", "env", "integration", "vendor", "pager", "pager_ca", "attentive")
    config = desk.folder / "ada.json"
    config.write_text(json.dumps({name: getattr(ada, name) for name in names}))
    with Processes(desk.folder / "logs") as processes:
        processes.start(["person", "--config", str(config)])
        wait_until(lambda: len(desk.called) > 0, 10, "they have answered")
    assert desk.called[0].startswith("approve INC-7 --by ada")


def test_a_step_that_failed_is_mended_once(desk: Desk, unit: httpx.Client) -> None:
    """By the one who does, and after a while: the service is restarted by hand, and the step tried
    again."""
    ada, late = (
        desk.person(mends=True, unit=str(unit.base_url)),
        desk.person(mends=True, mends_after_s=60, unit=str(unit.base_url)),
    )
    desk.shows(incident(None, steps=[{"name": "rotate-key", "state": "failed"}]))
    assert not desk.person().looks()
    assert not late.looks()
    assert ada.looks()
    assert not ada.looks()
    (called,) = desk.called
    assert called.startswith("incident retry INC-7 rotate-key --reason restarted by hand")
    assert unit.get("/state").json()["restarts"] == 1


def test_a_step_that_is_done_needs_no_mending(desk: Desk) -> None:
    desk.shows(incident(None, steps=[{"name": "rotate-key", "state": "done"}]))
    assert not desk.person(mends=True).looks()
    assert desk.called == []
