"""Which certificate authorities are trusted: those of httpx, whatever the environment says."""

from __future__ import annotations

from functools import cache
from ssl import SSLContext

import httpx


@cache
def authorities() -> SSLContext:
    """Read once a process: it takes longer than a call."""
    return httpx.create_ssl_context(trust_env=False)
