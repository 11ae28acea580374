"""Proof that a drill stays in its own world: its sockets, its processes' arguments, its files.

Reads /proc, so it watches on Linux only; elsewhere a drill says that it was not watched.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

PROC = Path("/proc")
POLL_S = 0.5


def spellings(value: str) -> tuple[bytes, ...]:
    """A secret as it may lie in a file: plain, base64 at each of its three offsets, hex, in a URL."""
    raw = value.encode()
    coded = [base64.b64encode(b" " * shift + raw)[4 * (shift > 0) : -4] for shift in range(3)]
    return tuple(dict.fromkeys([raw, raw.hex().encode(), quote(value, safe="").encode(), *coded]))


def find_leaks(
    values: Iterable[str],
    folder: Path,
    known: tuple[Path, ...],
    let_go: Callable[[], None] = lambda: None,
) -> list[str]:
    """Files below `folder`, `known` places apart, that hold one of the values in any spelling.

    Whoever closes a file loses all locks that this process has on it: a connection of ours to an
    SQLite database in there would not be reckoned with from then on, and see nothing new once the
    others have gone. `let_go` closes such connections, after the files were read.
    """
    wanted = [s for value in values for s in spellings(value)]
    try:
        return _holding(wanted, folder, known)
    finally:
        let_go()


def _holding(wanted: list[bytes], folder: Path, known: tuple[Path, ...]) -> list[str]:
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(path.is_relative_to(place) for place in known)
        and _holds(path, wanted)
    ]


def _holds(path: Path, wanted: list[bytes]) -> bool:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        # Databases in use make and remove files beside them all the time.
        return False
    return any(spelling in content for spelling in wanted)


def tables() -> Iterator[str]:
    """The text of this machine's TCP tables."""
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            yield (PROC / "net" / name).read_text()


class Witness:
    """Looks at this process's descendants while a drill runs: where they connect, how they were
    started."""

    def __init__(self, tables: Callable[[], Iterable[str]] = tables) -> None:
        self._tables = tables
        self.off_loopback: set[str] = set()
        self.arguments: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Witness:
        if PROC.is_dir():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(5)

    @property
    def watched(self) -> bool:
        return PROC.is_dir()

    def _watch(self) -> None:
        while not self._ended.wait(POLL_S):
            remote = {k: v for table in self._tables() for k, v in remote_addresses(table)}
            for pid in _descendants(os.getpid()):
                self.arguments.add(_arguments(pid))
                self.off_loopback |= {
                    f"{remote[inode]} by process {_arguments(pid)[:80]}"
                    for inode in _socket_inodes(pid)
                    if inode in remote
                }


def remote_addresses(table: str) -> Iterator[tuple[str, str]]:
    """(inode, address) of every connection in a TCP table of /proc that leaves loopback."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        host, _, port = fields[2].partition(":")
        address = _address(host)
        if not (address.is_loopback or address.is_unspecified):
            yield fields[9], f"{address}:{int(port, 16)}"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    raw = bytes.fromhex(text)
    words = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    if len(words) == 4:
        return ipaddress.IPv4Address(words)
    six = ipaddress.IPv6Address(words)
    return six.ipv4_mapped or six


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(folder.name))
    found, todo = [], [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _arguments(pid: int) -> str:
    try:
        return (
            (PROC / str(pid) / "cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode("utf-8", "replace")
        )
    except OSError:
        return ""


def _socket_inodes(pid: int) -> Iterator[str]:
    try:
        entries = list((PROC / str(pid) / "fd").iterdir())
    except OSError:
        return
    for entry in entries:
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]
