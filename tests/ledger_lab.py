"""Performs effects in processes that are killed on the way: a forked child for each case.

python ledger_lab.py HOME DATABASE_URL   with cases as JSON lines on stdin, {step, point}

Answers each with its child's exit status. The far side is a file a case, to which the effect
appends a line; a failpoint kills the child with SIGKILL at its point.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from sqlmodel import Session

from watchkeeper.effects import REGISTRY, EffectKind, Promise
from watchkeeper.failpoints import arm
from watchkeeper.performing.ledger import Duty, perform, transact
from watchkeeper.performing.watch import Watch
from watchkeeper.settings import Settings
from watchkeeper.store import incidents
from watchkeeper.store.engine import open_store

INCIDENT = 1


def far_side(home: Path, target: str) -> Path:
    return home / f"far-{target}"


async def once(watch: Watch, kind: EffectKind, target: str) -> str:
    """Bring one effect about, as any process would that comes by; the ledger's word for it."""
    duty, far = Duty(INCIDENT, 1), far_side(watch.settings.home, target)

    def change(session: Session) -> str:
        incidents.note(session, INCIDENT, f"did {target}", now=watch.now())
        return "changed"

    async def do() -> str:
        with far.open("a") as file:
            file.write(f"{duty.effect(kind, target).dedup_key}\n")
        return "sent"

    async def read_back() -> str | None:
        return "there" if far.exists() else None

    if kind.promise is Promise.TRANSACTION:
        return transact(watch, duty, kind, target, change).value
    return (await perform(watch, duty, kind, target, do, read_back)).value


def die(home: Path, url: str, step: str, point: str) -> None:
    arm(home / "failpoints")
    watch = Watch(Settings(home=home), open_store(url))
    (home / "failpoints" / f"effect.{step}.{point}").touch()
    asyncio.run(once(watch, REGISTRY[step], f"{step}-{point}"))


def main() -> None:
    home, url = Path(sys.argv[1]), sys.argv[2]
    (home / "failpoints").mkdir()
    for line in sys.stdin:
        case = json.loads(line)
        child = os.fork()
        if child == 0:
            die(home, url, case["step"], case["point"])
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({**case, "status": os.waitstatus_to_exitcode(status)}) + "\n")


if __name__ == "__main__":
    main()
