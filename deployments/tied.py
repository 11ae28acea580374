"""Ending with the process that started us, however it ends: its pipe to us is closed then.

`python -m deployments.tied MODULE ARGS...` runs a module so; `end_with_parent` does it from inside.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def end_with_parent(end: Callable[[], None] = terminate) -> None:
    """Call `end` once standard input is at its end."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        end()

    threading.Thread(target=wait, daemon=True, name="tied").start()


if __name__ == "__main__":
    end_with_parent()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
