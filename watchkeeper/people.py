"""Who said something: a name as it is shown, the account that it came from, and whether two people
are known to be two."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from watchkeeper.errors import UserError

LONGEST_NAME = 80
# Shown as nothing, though Unicode counts them as letters or marks.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
)


class Distinct(StrEnum):
    """How two people who said yes are told apart."""

    PROVEN = "proven"
    """Two accounts of the operating system, or of two machines."""
    BY_NAME_ONLY = "by_name_only"
    """Two names that were typed. Whoever uses the account could have typed both."""


class Origin(StrEnum):
    COMMAND = "command"
    UI = "ui"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where an answer came from. Of the UI no more is known than the name that was typed there.

    `uid`, `host`, `login`: as the operating system has them. `sudo_uid`: from the environment, so it
    is noted and proves nothing.
    """

    origin: Origin
    uid: int | None = None
    host: str = ""
    login: str = ""
    sudo_uid: str = ""

    def fields(self) -> dict[str, str]:
        """What is known, as it is kept beside the answer."""
        uid = "" if self.uid is None else str(self.uid)
        known = {"uid": uid, "host": self.host, "login": self.login, "sudo_uid": self.sudo_uid}
        return {"origin": self.origin.value, **{k: v for k, v in known.items() if v}}


# The names under which the timeline tells what no person did.
AUTOMATION = ("watchkeeper", "health", "system", "nobody")


def name_of(text: str) -> str:
    """A name as it is kept and shown: compatible forms made one, nothing in it that is not seen, and
    single spaces. Raises UserError where nothing is left."""
    name = text
    for _ in range(2):  # What was hidden may have kept two characters from becoming one.
        name = unicodedata.normalize("NFKC", name)
        name = " ".join("".join(c if _shown(c) else _gap(c) for c in name).split())
    if not name:
        raise UserError("--by needs a name that can be seen: whose word is it?")
    return name[:LONGEST_NAME]


def same_name(one: str, other: str) -> bool:
    return _folded(one) == _folded(other)


def same_account(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Of two answers as they are kept. What is not known may be the same."""
    return _account(one) is None or _account(other) is None or _account(one) == _account(other)


def distinct(yes: Sequence[Mapping[str, str]]) -> Distinct | None:
    """How those who said yes are told apart; None of fewer than two."""
    if len(yes) < 2:
        return None
    alike = any(same_account(a, b) for n, a in enumerate(yes) for b in yes[n + 1 :])
    return Distinct.BY_NAME_ONLY if alike else Distinct.PROVEN


def _account(answer: Mapping[str, str]) -> tuple[str, str] | None:
    uid, host = answer.get("uid"), answer.get("host")
    return (uid, host) if uid and host else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).casefold()


def _shown(char: str) -> bool:
    return unicodedata.category(char)[0] != "C" and char not in _BLANK


def _gap(char: str) -> str:
    """A line's end or a tab parts two words; what is merely hidden does not."""
    return " " if char.isspace() else ""
