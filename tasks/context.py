"""The watch of this process, opened once, from the environment that the supervisor gave it."""

from __future__ import annotations

import os
from functools import cache

from tasks.registering import register
from watchkeeper.failpoints import arm
from watchkeeper.performing.watch import Watch, open_watch
from watchkeeper.settings import Settings


@cache
def current() -> Watch:
    """Flows and tasks of one process share it; so do their database connections."""
    os.umask(0o077)
    settings = Settings()
    arm(settings.home / "failpoints" if settings.failpoints else None)
    watch = open_watch(settings)
    register(watch.secrets_base)
    return watch
