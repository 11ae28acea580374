"""`prefect-block:NAME`: a key in a Secret block of Prefect's. It can be read, not rotated.

Prefect keeps such a block on its server; whoever may read the server's blocks reads the key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from watchkeeper.credentials.protocols import StoredKey
from watchkeeper.credentials.references import register_source
from watchkeeper.credentials.secret import Secret, clean, spaced
from watchkeeper.errors import Transient, UserError, WatchkeeperError

READ_S = 5.0
_SLUG = "secret"
# As Prefect has it; it becomes a part of a path.
_NAME = re.compile(r"[a-z0-9-]+", re.ASCII)


def register() -> None:
    """Let this process read `prefect-block:` references. Cheap: Prefect is imported by the first
    one that is read, which must be pointed at a server by then."""
    register_source("prefect-block", BlockSource)


@dataclass(frozen=True, slots=True)
class BlockSource:
    """A SecretSource; see there. It asks the server once for each call, and blocks for that."""

    name: str

    @property
    def reference(self) -> str:
        return f"prefect-block:{self.name}"

    def read(self) -> Secret:
        return clean(self._raw(), self.reference)

    def stored(self) -> StoredKey:
        raw = self._raw()
        secret = clean(raw, self.reference)
        return StoredKey(secret.fingerprint, secret.length, spaced(raw), {})

    def _raw(self) -> str:
        """As it is stored: the block's own `get` takes a key of digits for a number."""
        fault: WatchkeeperError
        try:
            value = _value(self.name)
        except Exception as error:
            fault = _fault(self.reference, error)
        else:
            if isinstance(value, str):
                return value
            fault = UserError(f"{self.reference} holds no text; make it a Secret block with one")
        raise fault


def _value(name: str) -> object:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    if not _NAME.fullmatch(name):
        raise UserError(f"prefect-block:{name}: a block's name has only a-z, 0-9 and -")
    if not PREFECT_API_URL.value():
        # Prefect would start a server of its own, without the block.
        raise UserError(f"prefect-block:{name}: no Prefect server is known; set PREFECT_API_URL")
    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(httpx_settings={"timeout": READ_S}, sync_client=True) as client,
    ):
        return client.read_block_document_by_name(name, _SLUG).data.get("value")


def _fault(reference: str, error: Exception) -> WatchkeeperError:
    """Ours as it is; of others not even the text: it may quote what the server sent."""
    if isinstance(error, WatchkeeperError):
        return error
    kind = type(error).__name__
    if kind == "ObjectNotFound":
        return UserError(f"{reference} does not exist; make a Secret block of that name")
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return UserError(f"{reference}: the Prefect server refuses us; set PREFECT_API_AUTH_STRING")
    return Transient(f"{reference} cannot be read from the Prefect server ({kind})")
