"""What all stand-ins share: loopback only, one ready line, an end when told or orphaned."""

import argparse
import json
import os
import signal
import socket
import sys
import threading

LOOPBACK = "127.0.0.1"


class NotLoopback(ValueError):
    """A stand-in was asked to be reachable from elsewhere."""


def listen(port: int = 0, host: str = LOOPBACK) -> socket.socket:
    """A listening socket; port 0 takes a free one."""
    if host != LOOPBACK:
        raise NotLoopback(f"stand-ins listen on {LOOPBACK} only, not on {host}")
    # Named as TCP, or asyncio does not switch Nagle off and each answer waits 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(128)
    return sock


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def parser(name: str, about: str) -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog=f"python -m watchkeeper.sandbox.{name}", description=about)
    found.add_argument("--port", type=int, default=0, help="0 takes a free one")
    found.add_argument("--tied", action="store_true", help="end when stdin ends")
    return found


def obey(tied: bool) -> None:
    """Signals end the process at once: a stand-in has nothing to save."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_DFL)
    if tied:
        threading.Thread(target=_until_orphaned, daemon=True).start()


def _until_orphaned() -> None:
    # Read below the buffer: a thread inside a buffered read cannot be left at exit.
    while os.read(0, 4096):
        pass
    os._exit(0)


def ready(name: str, url: str, **facts: str | int) -> None:
    """The one line on stdout."""
    line = {"ready": name, "url": url, "pid": os.getpid(), **facts}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
