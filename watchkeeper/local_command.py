"""Local commands that tell something, such as `journalctl`, or do something, such as a reload: argv
as it stands, no shell, no input, bounded in time and size. One that does not end is killed, with
all that it has started.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from watchkeeper.errors import Ambiguous, Permanent, Transient
from watchkeeper.harmless import harmless

DEADLINE_S = 10.0
LARGEST = 1024 * 1024
LONGEST_COMPLAINT = 120
LONGEST_LINE = 2000
_KILLED_WITHIN_S = 2.0
_CHUNK = 65536
# A command needs a place, a language and its own configuration, and none of our settings: they
# may name secrets.
_PASSED_ON = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "XDG_RUNTIME_DIR", "KUBECONFIG"),
    *("AWS_PROFILE", "CLOUDSDK_CONFIG", "CLOUDSDK_ACTIVE_CONFIG_NAME"),
    *("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"),
)
# One that does something needs no more than a place and a language.
_PASSED_ON_TO_ACT = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT")
_LAST_WORDS_S = 0.2
# What kubectl's library writes for its own developers before kubectl says what is wrong.
_FOR_DEVELOPERS = re.compile(r"[EWIF]\d{4} \d\d:\d\d:")


class Unreadable(Transient):
    """What was to be read could not be. Its text names what, and quotes one harmless line."""


class NotStarted(Unreadable):
    """The command is not there, or cannot be run."""


@dataclass(frozen=True, slots=True)
class Output:
    """`text`: the end of what a command printed; `cut` where it printed more. `complaint`: what it
    said first on its error output, made harmless."""

    text: bytes
    cut: bool = False
    complaint: str = ""


async def output_of(
    argv: Sequence[str], *, deadline_s: float = DEADLINE_S, largest: int = LARGEST
) -> Output:
    """What it printed. Raises Unreadable where it is missing, fails, or does not end in time."""
    name = Path(argv[0]).name
    async with _pipe() as (stdout, to_stdout), _pipe() as (stderr, to_stderr):
        process = await _started(argv, to_stdout, to_stderr)
        try:
            async with asyncio.timeout(deadline_s):
                (text, cut), (said, _), code = await asyncio.gather(
                    _end_of(stdout, largest), _end_of(stderr, largest), process.wait()
                )
        except BaseException as error:
            await _kill(process)
            if not isinstance(error, TimeoutError):
                raise
            raise Unreadable(f"{name} did not end in {deadline_s:g} s") from None
    complaint = _complaint(said)
    if code:
        raise Unreadable(f"{name} ended {code}" + (f": {complaint}" if complaint else ""))
    return Output(text, cut, complaint)


async def carry_out(argv: Sequence[str], what: str, *, deadline_s: float) -> None:
    """Run a command that does something; `what` begins each error's text.

    Raises Permanent if it cannot be started, Transient if it fails, Ambiguous if it did not end in
    time: it may have done it. What it leaves running keeps nobody waiting.
    """
    name = Path(argv[0]).name
    async with _pipe() as (stderr, to_stderr):
        try:
            process = await _started(argv, _nowhere(), to_stderr, _PASSED_ON_TO_ACT)
        except NotStarted as error:
            raise Permanent(f"{what}: {error}") from None
        try:
            code, said = await _ended(process, stderr, deadline_s)
        except BaseException as error:
            await _kill(process)
            if not isinstance(error, TimeoutError):
                raise
            raise Ambiguous(f"{what}: {name} did not end in {deadline_s:g} s") from None
    if code:
        raise Transient(f"{what}: {name} ended {code}" + (f": {said}" if said else ""))


async def _ended(
    process: asyncio.subprocess.Process, stderr: asyncio.StreamReader, deadline_s: float
) -> tuple[int, str]:
    saying = asyncio.create_task(_end_of(stderr, LARGEST))
    try:
        code = await asyncio.wait_for(process.wait(), deadline_s)
        # A service that it has started holds the pipe for as long as it runs.
        await asyncio.wait({saying}, timeout=_LAST_WORDS_S)
        return code, _complaint(saying.result()[0]) if saying.done() else ""
    finally:
        saying.cancel()


def _nowhere() -> BinaryIO:
    return open(os.devnull, "wb", 0)


@asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[asyncio.StreamReader, BinaryIO]]:
    """A pipe of our own, which can be closed though somebody still holds its other end."""
    ours, theirs = os.pipe()
    reader = asyncio.StreamReader()
    with os.fdopen(theirs, "wb", 0) as writing:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", 0)
        )
        try:
            yield reader, writing
        finally:
            transport.close()


async def _started(
    argv: Sequence[str],
    stdout: BinaryIO,
    stderr: BinaryIO,
    passed_on: Sequence[str] = _PASSED_ON,
) -> asyncio.subprocess.Process:
    name = Path(argv[0]).name
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={k: v for k, v in os.environ.items() if k in passed_on},
            start_new_session=True,
        )
    except FileNotFoundError:
        raise NotStarted(f"there is no command {name} on this machine") from None
    except OSError as error:
        raise NotStarted(f"{name} cannot be run: {error.strerror}") from None
    finally:
        stdout.close()
        stderr.close()


async def _end_of(stream: asyncio.StreamReader, largest: int) -> tuple[bytes, bool]:
    """The last bytes, and whether there were more; all is read, or the command would wait."""
    kept, cut = bytearray(), False
    while chunk := await stream.read(_CHUNK):
        kept += chunk
        if len(kept) > largest + _CHUNK:
            del kept[:-largest]
            cut = True
    return bytes(kept[-largest:]), cut or len(kept) > largest


async def _kill(process: asyncio.subprocess.Process) -> None:
    """The whole group: what a script has started holds our pipes and goes on otherwise."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _KILLED_WITHIN_S)


def _complaint(said: bytes) -> str:
    decoded = said.decode(errors="replace")
    lines = [line[:LONGEST_LINE] for line in decoded.splitlines() if line.strip()]
    plain = [line for line in lines if not _FOR_DEVELOPERS.match(line)]
    return harmless(next(iter(plain or lines), ""), LONGEST_COMPLAINT)
