"""Who said yes: names made one where they look alike, accounts beside them, and whether two people
are known to be two."""

from __future__ import annotations

import os
import pwd
import socket
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import MINUTE, opened
from test_approving import TWO

from deployments.commands import edge
from watchkeeper.errors import UserError
from watchkeeper.people import Account, Distinct, Origin, distinct, name_of, same_name
from watchkeeper.performing.watch import Watch
from watchkeeper.store import approvals
from watchkeeper.store.approvals import APPROVE, DENY, Approval

ANN = Account(origin=Origin.COMMAND, uid=1001, host="box-1", login="ann")
BOB = Account(origin=Origin.COMMAND, uid=1002, host="box-1", login="bob")
FAR = Account(origin=Origin.COMMAND, uid=1001, host="box-2", login="ann")
FORM = Account(origin=Origin.UI)

SAME: list[tuple[str, str]] = [
    ("ada", "ada\u200b"),
    ("ada", "\u2066ada\u2069"),
    ("ada", "a\u00adda"),
    ("ada", " Ada\t"),
    ("ada", "\uff21\uff24\uff21"),
    ("ada", "a\ufe0fd\U000e0101a"),
    ("ada", "ada\u3164"),
    ("ada", "ada\x00\x1b"),
    ("Ada Lovelace", "ada \u00a0  LOVELACE"),
    ("Ada Lovelace", "ada\nlovelace"),
    ("Strauß", "STRAUSS"),
    ("José", "Jose\u0301"),
    ("José", "Jose\u200b\u0301"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_that_look_alike_are_one(one: str, other: str) -> None:
    """W16: hidden characters, width, case, space and composition make no second person."""
    assert same_name(name_of(one), name_of(other))


@pytest.mark.parametrize(
    "text", ["", " ", "\u200b", "\u2066\u2069", "\x00", "\u3164\u2800", "\n\t"]
)
def test_a_name_that_cannot_be_seen_is_refused(text: str) -> None:
    """W16: somebody's word needs somebody."""
    with pytest.raises(UserError, match="needs a name that can be seen"):
        name_of(text)


@given(st.text(max_size=40))
def test_a_name_is_kept_as_it_is_shown(text: str) -> None:
    """Once more changes nothing, and nothing in it is hidden."""
    try:
        name = name_of(text)
    except UserError:
        return
    assert name_of(name) == name
    assert not any(unicodedata.category(c) in ("Cf", "Cc") for c in name)
    assert same_name(name, name_of(f" {text}\u200d"))


@pytest.mark.parametrize(
    ("accounts", "told"),
    [
        ((ANN,), None),
        ((ANN, BOB), Distinct.PROVEN),
        ((ANN, FAR), Distinct.PROVEN),
        ((ANN, ANN), Distinct.BY_NAME_ONLY),
        ((ANN, FORM), Distinct.BY_NAME_ONLY),
        ((FORM, FORM), Distinct.BY_NAME_ONLY),
        ((ANN, None), Distinct.BY_NAME_ONLY),
        ((ANN, BOB, ANN), Distinct.BY_NAME_ONLY),
    ],
)
def test_two_people_are_proven_or_two_by_name(
    accounts: tuple[Account | None, ...], told: Distinct | None
) -> None:
    """W16: what is not known of an account may be the same account."""
    assert distinct([account.fields() if account else {} for account in accounts]) is told


def answered(
    watch: Watch, by: str, account: Account | None, *, decision: str = APPROVE, strict: bool = False
) -> Approval:
    with watch.store.write() as session:
        return approvals.answer(
            session,
            1,
            decision,
            by=by,
            reason="seen",
            now=watch.now(),
            account=account,
            two_accounts=strict,
        )


@pytest.fixture
def asked(any_watch: Watch) -> Watch:
    """Two are wanted."""
    opened(any_watch)
    with any_watch.store.write() as session:
        approvals.ask(session, TWO, "text", (), any_watch.now(), 60 * MINUTE)
    return any_watch


def test_the_account_is_recorded_beside_the_name(asked: Watch) -> None:
    """W16: uid, host and login with each answer, and how the two are told apart as a field."""
    answered(asked, "ada", ANN)
    with pytest.raises(UserError, match="another person's yes is wanted"):
        answered(asked, "ada\u200b", BOB)
    both = answered(asked, "bo\u200bb", BOB)
    assert [(v["by"], v["uid"], v["host"], v["login"], v["origin"]) for v in both.votes] == [
        ("ada", "1001", "box-1", "ann", "command"),
        ("bob", "1002", "box-1", "bob", "command"),
    ]
    assert (both.decision, both.distinct) == (APPROVE, Distinct.PROVEN)


def test_one_account_under_two_names_is_told_as_such(asked: Watch) -> None:
    """W16: on a shared account only honour tells people apart: the record says so."""
    answered(asked, "ada", ANN)
    assert answered(asked, "bob", ANN).distinct is Distinct.BY_NAME_ONLY


@pytest.mark.parametrize(("first", "second"), [(ANN, ANN), (ANN, FORM), (FORM, ANN), (FORM, BOB)])
def test_where_accounts_are_wanted_one_account_is_one_person(
    asked: Watch, first: Account, second: Account
) -> None:
    """W16: `approvers: accounts` takes no second name of an account, and no form's word; a no is
    taken from anybody."""

    def both() -> None:
        answered(asked, "ada", first, strict=True)
        answered(asked, "bob", second, strict=True)

    with pytest.raises(UserError, match="account"):
        both()
    assert answered(asked, "bob", second, decision=DENY, strict=True).decision == DENY


def test_where_accounts_are_wanted_two_accounts_are_two(asked: Watch) -> None:
    answered(asked, "ada", ANN, strict=True)
    both = answered(asked, "bob", FAR, strict=True)
    assert (both.decision, both.distinct) == (APPROVE, Distinct.PROVEN)


def test_the_account_is_the_operating_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """W16: no variable that anybody can set names the account, or who says so by default."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOSTNAME"):
        monkeypatch.setenv(name, "mallory")
    monkeypatch.setenv("SUDO_UID", "1234")
    here = edge.account()
    assert (here.uid, here.host) == (os.getuid(), socket.gethostname())
    assert here.login == edge.person(None) == pwd.getpwuid(os.getuid()).pw_name
    assert here.sudo_uid == "1234"
    with pytest.raises(UserError):
        edge.person("")
    assert edge.person("ada\u200b") == "ada"


def test_every_command_takes_its_name_from_one_place() -> None:
    """W16: `--by` goes through `person` wherever it is taken, so that no command keeps a name that
    another would refuse."""
    taken = 0
    for path in sorted(Path(edge.__file__).parent.glob("*.py")):
        text = path.read_text()
        if "by: By" in text:
            taken += 1
            assert "person(by)" in text, path.name
    assert taken >= 8
