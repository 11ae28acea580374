"""Ending with the process that started us, however it ends: its pipe to us is closed then.

`python -m deployments.tied MODULE ARGS...` runs a module so; `end_with_parent` does it from inside.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable

# Longer than runs and servers take to end.
END_WITHIN_S = 90.0


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def kill() -> None:
    """Ourselves and, where we lead a group of processes, all of it: what we started ends as well."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def end_with_parent(end: Callable[[], None] = terminate, within_s: float = END_WITHIN_S) -> None:
    """Call `end` once standard input is at its end; killed where we still live `within_s` later: a
    runner without its supervisor starts runs that nobody expects."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        end()
        time.sleep(within_s)
        kill()

    threading.Thread(target=wait, daemon=True, name="tied").start()


if __name__ == "__main__":
    end_with_parent()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
