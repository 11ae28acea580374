"""`gcp:projects/P/secrets/S`: keys in Google Secret Manager.

The current key is the newest enabled version of S: consumers that take `latest` start on it. So a
key that nobody has tried may never be that: it waits in a secret of its own, S-pending.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.credentials import versions
from watchkeeper.credentials.gcp_secret import GcpSecret, GcpVersion
from watchkeeper.credentials.gcp_view import GcpView, view
from watchkeeper.credentials.key_text import key_in
from watchkeeper.credentials.protocols import RotatableStore, Stage, StoredKey, Version
from watchkeeper.credentials.remote_reference import read_reference
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import UserError

# A secret's name has at most 255 characters, and S-pending is one.
_NAME = re.compile(r"projects/[a-z0-9:.-]{1,63}/secrets/[A-Za-z0-9_-]{1,247}", re.ASCII)


def open_gcp(reference: str, now: Callable[[], datetime]) -> RotatableStore:
    """Raises UserError on a reference that cannot be read. Opens nothing yet."""
    name, options = read_reference(reference, ("api",), "api")
    if not _NAME.fullmatch(name):
        raise UserError(f"{reference} is no secret of Google's: gcp:projects/PROJECT/secrets/NAME")
    api = options.get("api")
    kept, waiting = GcpSecret(name, api), GcpSecret(f"{name}-pending", api)
    return GcpStore(kept, waiting, reference, now)


@dataclass(frozen=True, slots=True)
class GcpStore:
    """A RotatableStore; see there for what each call does."""

    kept: GcpSecret
    waiting: GcpSecret
    reference: str
    now: Callable[[], datetime]

    def read(self, stage: Stage = "current") -> Secret | None:
        if stage == "current" and (listed := self.kept.enabled()):
            text = self.kept.read(listed[0]).text
            return key_in(text, None, self.reference)[0]
        held = self._look().stages.at(stage)
        return held.secret if held else None

    def stored(self) -> StoredKey:
        return self._look().stages.stored(self.reference)

    def versions(self) -> list[Version]:
        return self._look().stages.versions()

    def offer(self, secret: Secret, replace: bool = False) -> str:
        seen = self._view()
        after = versions.offered(seen.stages, secret, replace, self.now(), self.reference)
        if after is not seen.stages:
            self._settle(seen)
            self.waiting.add(secret)
        # All that wait but the newest: a replaced one may be left by whoever died here before.
        self._close(seen.waiting if after is not seen.stages else seen.waiting[1:])
        return secret.fingerprint

    def promote(self, fingerprint: str) -> None:
        seen = self._view()
        after = versions.promoted(seen.stages, fingerprint, self.now(), self.reference)
        if after is not seen.stages and after.current is not None:
            self.kept.add(after.current.secret)
            self._close(seen.waiting)
        elif seen.promoting:
            self._close(seen.waiting)

    def withdraw(self) -> None:
        seen = self._view()
        self._settle(seen)
        self._close(seen.waiting)

    def rollback(self) -> None:
        seen = self._view()
        if seen.rolling_back:
            self._settle(seen)
            return
        after = versions.rolled_back(seen.stages, self.now(), self.reference)
        if after.current is None or after.pending is None:
            return
        if not seen.promoting:
            self.waiting.add(after.pending.secret)
        self.kept.add(after.current.secret)
        self.kept.disable(seen.kept[0])

    def _settle(self, seen: GcpView) -> None:
        """What a rollback has left to do: or the key that it took back would be the way back."""
        if seen.rolling_back:
            self.kept.disable(seen.kept[1])

    def _close(self, waiting: tuple[GcpVersion, ...]) -> None:
        """The oldest first: the newest one that is left is the pending key."""
        for version in reversed(waiting):
            self.waiting.destroy(version)

    def _look(self) -> GcpView:
        seen = self._view()
        if not seen.there:
            raise versions.missing(self.reference)
        return seen

    def _view(self) -> GcpView:
        kept, waiting = self.kept.enabled(), self.waiting.enabled()
        there = kept is not None or waiting is not None
        kept, waiting = (kept or ())[:2], waiting or ()
        return view(
            tuple(self.kept.read(version) for version in kept),
            tuple(map(self.waiting.read, waiting[:1])) + waiting[1:],
            there,
            self.reference,
        )
