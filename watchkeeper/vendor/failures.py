"""Why no usable answer came: a closed set, told without a word that might hold a secret."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Literal

import httpx

from watchkeeper.errors import Transient

Kind = Literal[
    "timeout",
    "dns",
    "refused",
    "unreachable",
    "reset",
    "tls",
    "protocol",
    "cut",
    "too_large",
]

WORDS: dict[Kind, str] = {
    "timeout": "no complete answer within the deadline",
    "dns": "the host name did not resolve",
    "refused": "the connection was refused",
    "unreachable": "no connection could be made",
    "reset": "the connection broke",
    "tls": "the TLS handshake failed",
    "protocol": "what came back is not a complete HTTP answer",
    "cut": "the answer began and did not come to its end",
    "too_large": "the answer is larger than we read",
}


class CallFailed(Transient):
    """No usable answer. `kind` says at which step the call ended; `status`: of an answer that came
    and is more than we read."""

    def __init__(self, kind: Kind, call: str, status: int | None = None) -> None:
        super().__init__(f"{call}: {WORDS[kind]}")
        self.kind, self.status = kind, status


def kind_of(error: BaseException) -> Kind:
    """Judge an error of the transport by its type and by the types that caused it."""
    causes = tuple(_causes(error))
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "timeout"
    if any(isinstance(cause, socket.gaierror | UnicodeError) for cause in causes):
        return "dns"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "tls"
    if isinstance(error, httpx.ConnectError):
        refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
        return "refused" if refused else "unreachable"
    if isinstance(error, httpx.ProtocolError):
        return "protocol"
    return "reset"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _causes(part)
        error = error.__cause__ or error.__context__
