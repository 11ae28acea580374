"""systemd's notifications (sd_notify): ready, alive, stopping. Silent where nothing listens."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Systemd:
    """`address`: of its socket, or None. `watchdog`: whether it wants signs of life."""

    address: str | None = None
    watchdog: bool = False

    def ready(self) -> None:
        self._say("READY=1")

    def alive(self, status: str) -> None:
        """With each completed sweep: one that hangs ends this process, and systemd starts another."""
        self._say("\n".join([*(["WATCHDOG=1"] if self.watchdog else []), f"STATUS={status}"]))

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if self.address is None:
            return
        # An abstract address has a zero byte where systemd writes an @.
        where = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto(text.encode(), where)
        except OSError:
            logger.warning("systemd was not told %s", text.partition("=")[0], exc_info=True)


def taken_from(environment: MutableMapping[str, str]) -> Systemd:
    """What systemd set for this process, and for no child of ours."""
    address = environment.pop("NOTIFY_SOCKET", None)
    asked = environment.pop("WATCHDOG_USEC", None)
    whose = environment.pop("WATCHDOG_PID", None)
    mine = whose is None or whose == str(os.getpid())
    return Systemd(address or None, bool(address and asked and mine))
