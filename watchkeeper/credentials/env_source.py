"""`env:NAME`: a key in the environment of our own process. It can be read, not rotated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from watchkeeper.credentials.protocols import StoredKey
from watchkeeper.credentials.secret import Secret, clean, spaced
from watchkeeper.errors import UserError


@dataclass(frozen=True, slots=True)
class EnvSource:
    name: str
    environment: Mapping[str, str] = field(repr=False)

    def read(self) -> Secret:
        return clean(self._raw(), f"env:{self.name}")

    def stored(self) -> StoredKey:
        raw = self._raw()
        secret = clean(raw, f"env:{self.name}")
        return StoredKey(secret.fingerprint, secret.length, spaced(raw), {})

    def _raw(self) -> str:
        value = self.environment.get(self.name)
        if value is None:
            raise UserError(f"env:{self.name} is not set; export {self.name}")
        return value
