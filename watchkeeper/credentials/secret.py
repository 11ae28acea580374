"""A secret as a value that cannot be shown by mistake."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, NoReturn

from watchkeeper.errors import UserError

LONGEST: Final = 8192
_AROUND: Final = " \t\r\n"


class Secret:
    """A key. Printing, formatting, pickling and JSON never show it; `reveal()` alone does.

    `fingerprint` is the first 8 hex digits of its SHA-256: enough to tell two keys apart.
    Raises ValueError, without the value, on anything that cannot travel in an HTTP header.
    """

    __slots__ = ("__value", "fingerprint")

    __value: str
    fingerprint: str

    def __init__(self, value: str) -> None:
        fault = _fault(value)
        if fault is not None:
            raise ValueError(f"a secret {fault}")
        object.__setattr__(self, "_Secret__value", value)
        mark = hashlib.sha256(value.encode("ascii")).hexdigest()[:8]
        object.__setattr__(self, "fingerprint", mark)

    @property
    def length(self) -> int:
        """How many characters it has."""
        return len(self.__value)

    def reveal(self) -> str:
        return self.__value

    def __repr__(self) -> str:
        return f"Secret({self.fingerprint})"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal(), other.reveal())

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is neither pickled nor copied: hand its reference on")


def clean(text: str | bytes, reference: str) -> Secret:
    """The secret in `text`, without the white space that editors and `echo` leave around it.

    Raises UserError naming the reference, never what was found there.
    """
    value = text.decode("latin-1") if isinstance(text, bytes) else text
    stripped = value.strip(_AROUND)
    fault = _fault(stripped)
    if fault is not None:
        raise UserError(f"the secret at {reference} {fault}; store it again, the key alone")
    return Secret(stripped)


def spaced(text: str) -> bool:
    """Whether there is white space at its ends, which `clean` leaves out and others may send."""
    return text != text.strip(_AROUND)


def _fault(value: str) -> str | None:
    if not value:
        return "is empty"
    if len(value) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if not value.isascii():
        return "has characters outside ASCII"
    if not all("!" <= character <= "~" for character in value):
        return "has white space or control characters inside"
    return None
