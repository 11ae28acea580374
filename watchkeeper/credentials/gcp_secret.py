"""One secret of Google Secret Manager by the calls that we make of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from watchkeeper.credentials.crc32c import crc32c
from watchkeeper.credentials.far_call import READ_S, NotThere
from watchkeeper.credentials.gcp_client import ask, gcp_client
from watchkeeper.credentials.key_text import text_with
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Transient

if TYPE_CHECKING:
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient, SecretPayload

# Of the newest versions of a secret; a rotation needs two of them.
MOST_LISTED: Final = 200


@dataclass(frozen=True, slots=True)
class GcpVersion:
    """`name` is the whole resource name; `text` is read apart from the list."""

    name: str
    number: int
    created: datetime
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class GcpSecret:
    """`name`: projects/P/secrets/S. The methods raise what `ask` raises, but NotThere only where it
    is said."""

    name: str
    api: str | None

    @property
    def where(self) -> str:
        return f"gcp:{self.name}"

    def enabled(self) -> tuple[GcpVersion, ...] | None:
        """Its enabled versions, the newest first; None where there is no such secret."""
        try:
            found = ask(self.where, "list", lambda: tuple(self._listed()))
        except NotThere:
            return None
        return tuple(sorted(found, key=lambda version: version.number, reverse=True))

    def read(self, version: GcpVersion) -> GcpVersion:
        """The same with its text. Raises Transient where it was changed or damaged on the way."""
        payload = ask(self.where, "access", lambda: self._payload(version.name))
        if payload.data_crc32c and payload.data_crc32c != crc32c(payload.data):
            raise Transient(f"{self.where}: its value was damaged on the way")
        text = payload.data.decode("latin-1")
        return GcpVersion(version.name, version.number, version.created, text)

    def create(self) -> None:
        """Empty, with the replication that Google chooses."""
        parent, _, name = self.name.rpartition("/secrets/")
        request = {
            "parent": parent,
            "secret_id": name,
            "secret": {"replication": {"automatic": {}}},
        }
        ask(
            self.where,
            "create",
            lambda: self._client().create_secret(request=request, retry=None, timeout=READ_S),
        )

    def add(self, secret: Secret) -> None:
        """A new version of it, the newest; the secret is made first where there is none."""
        try:
            ask(self.where, "add", lambda: self._add(secret))
        except NotThere:
            self.create()
            ask(self.where, "add", lambda: self._add(secret))

    def destroy(self, version: GcpVersion) -> None:
        request = {"name": version.name}
        ask(
            self.where,
            "destroy",
            lambda: self._client().destroy_secret_version(
                request=request, retry=None, timeout=READ_S
            ),
        )

    def disable(self, version: GcpVersion) -> None:
        request = {"name": version.name}
        ask(
            self.where,
            "disable",
            lambda: self._client().disable_secret_version(
                request=request, retry=None, timeout=READ_S
            ),
        )

    def _client(self) -> SecretManagerServiceClient:
        return gcp_client(self.api, self.where)

    def _listed(self) -> Iterator[GcpVersion]:
        listed = self._client().list_secret_versions(
            request={"parent": self.name, "page_size": 100}, retry=None, timeout=READ_S
        )
        for version in islice(listed, MOST_LISTED):
            if version.state.name == "ENABLED":
                number = int(version.name.rpartition("/")[2])
                yield GcpVersion(version.name, number, _utc(version.create_time))

    def _payload(self, name: str) -> SecretPayload:
        told = self._client().access_secret_version(
            request={"name": name}, retry=None, timeout=READ_S
        )
        return told.payload

    def _add(self, secret: Secret) -> None:
        data = text_with(secret, None, None, self.where).encode("ascii")
        payload = {"data": data, "data_crc32c": crc32c(data)}
        self._client().add_secret_version(
            request={"parent": self.name, "payload": payload}, retry=None, timeout=READ_S
        )


def _utc(at: datetime) -> datetime:
    return datetime.fromtimestamp(at.timestamp(), UTC)
