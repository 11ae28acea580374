"""`env:NAME`: a key in the environment of our own process. It can be read, not rotated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from watchkeeper.credentials.secret import Secret, clean
from watchkeeper.errors import UserError


@dataclass(frozen=True, slots=True)
class EnvSource:
    name: str
    environment: Mapping[str, str] = field(repr=False)

    def read(self) -> Secret:
        value = self.environment.get(self.name)
        if value is None:
            raise UserError(f"env:{self.name} is not set; export {self.name}")
        return clean(value, f"env:{self.name}")
