"""A key that was offered, tried wherever ours is used: its scope as well as its validity. Key values
stay in the store; everything said here speaks of fingerprints.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Permanent
from watchkeeper.evidence import Reading
from watchkeeper.performing.connectors import keys_of
from watchkeeper.performing.endpoint_probe import probes_of
from watchkeeper.performing.key_probe import try_key
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched


@dataclass(frozen=True, slots=True)
class KeyTest:
    """Whether the vendor accepts an offered key wherever ours is used."""

    fingerprint: str
    accepted: bool
    readings: tuple[Reading, ...]

    @property
    def unclear(self) -> bool:
        """No word on the key at all: the vendor failed or throttled us instead of judging it."""
        statuses = [r.status for r in self.readings if not r.succeeded]
        return any(s is None or s == 429 or s >= 500 for s in statuses)

    def says(self) -> str:
        bad = [r.says() for r in self.readings if not r.succeeded]
        if self.accepted:
            return f"the vendor accepts {self.fingerprint} on {len(self.readings)} endpoints"
        verdict = "cannot be tried now" if self.unclear else "is not good"
        return f"the offered key {self.fingerprint} {verdict}: {bad[0]}"


def offered(watch: Watch, watched: Watched) -> str | None:
    """The fingerprint of the pending key, if one has been offered. Reads the store: not for the
    event loop's thread."""
    secret = keys_of(watch, watched).read("pending")
    return None if secret is None else secret.fingerprint


async def test_offered(watch: Watch, watched: Watched) -> KeyTest:
    """Try the pending key. Raises Permanent where nobody has offered one."""
    secret = await asyncio.to_thread(keys_of(watch, watched).read, "pending")
    if secret is None:
        raise Permanent(f"no key is offered: watchkeeper key offer {watched.name}")
    return await test_key(watch, watched, secret)


async def test_key(watch: Watch, watched: Watched, secret: Secret) -> KeyTest:
    """Read every probed endpoint, and every list that a job moves, with it: scope is tested as well
    as validity."""
    readings = await asyncio.gather(
        *(try_key(watch, watched, secret, name, path) for name, path in paths_of(watched))
    )
    return KeyTest(secret.fingerprint, all(r.succeeded for r in readings), tuple(readings))


def paths_of(watched: Watched) -> tuple[tuple[str, str], ...]:
    """(name, path) of whatever a key must be let in to: what is probed, and what jobs read."""
    runbook = watched.runbook
    probes = [probe for probe in probes_of(runbook) if probe.method != "POST"]
    probed = {probe.resource for probe in probes}
    moved = {name for job in runbook.jobs for name in job.resources}
    lists = [runbook.resource(name) for name in sorted(moved - probed)]
    return (
        *((probe.name, probe.path) for probe in probes),
        *((r.name, f"{r.path}?{r.limit_param}=1" if r.limit_param else r.path) for r in lists),
    )
