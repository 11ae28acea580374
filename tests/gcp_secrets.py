"""A stand-in for Google Secret Manager's REST API, as much of it as our store asks for.

Written from the shapes that the official client sends and reads, not from our store.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from watchkeeper.credentials.crc32c import crc32c

_PATH = re.compile(
    r"/v1/(projects/[^/]+)/secrets(?:/([^/:]+))?(?:/versions(?:/(\w+))?)?(?::(\w+))?"
)
_STATES = {"enable": "ENABLED", "disable": "DISABLED", "destroy": "DESTROYED"}
_WORDS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    503: "UNAVAILABLE",
}
Start = Callable[[str, list[tuple[str, str]]], Any]


class Wrong(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Version:
    name: str
    data: bytes
    at: datetime
    state: str = "ENABLED"

    def shown(self) -> dict[str, Any]:
        at = self.at.isoformat().replace("+00:00", "Z")
        return {"name": self.name, "createTime": at, "state": self.state, "etag": '"1"'}


@dataclass
class GcpSecrets:
    """A WSGI application. `damaged`: values are sent with one byte changed."""

    secrets: dict[str, list[Version]] = field(default_factory=dict)
    damaged: bool = False
    at: datetime = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterator[bytes]:
        try:
            status, answer = 200, self._answer(environ)
        except Wrong as wrong:
            status, answer = wrong.status, error(wrong.status, str(wrong))
        body = json.dumps(answer).encode()
        start(
            f"{status} {_WORDS.get(status, 'OK')}",
            [("Content-Type", "application/json"), ("Content-Length", str(len(body)))],
        )
        return iter([body])

    def enabled(self, name: str) -> list[str]:
        """The values that can be read, the oldest first."""
        kept = self.secrets.get(name, [])
        return [v.data.decode() for v in kept if v.state == "ENABLED"]

    def latest(self, name: str) -> str | None:
        """What a consumer gets that starts now."""
        kept = self.secrets.get(name, [])
        return kept[-1].data.decode() if kept and kept[-1].state == "ENABLED" else None

    def add(self, name: str, data: bytes) -> Version:
        kept = self.secrets[name]
        self.at += timedelta(seconds=1)
        kept.append(Version(f"{name}/versions/{len(kept) + 1}", data, self.at))
        return kept[-1]

    def _answer(self, environ: dict[str, Any]) -> dict[str, Any]:
        match = _PATH.fullmatch(environ["PATH_INFO"])
        if match is None:
            raise Wrong(404, "no such path")
        project, secret, number, verb = match.groups()
        query = parse_qs(environ["QUERY_STRING"])
        body = _body(environ)
        if secret is None:
            return self._create(project, query["secretId"][0], body)
        name = f"{project}/secrets/{secret}"
        if name not in self.secrets:
            raise Wrong(404, f"Secret [{name}] not found.")
        if verb == "addVersion":
            return self._add(name, body)
        if number is None:
            return self._list(name, query)
        return self._one(name, number, verb)

    def _create(self, project: str, secret: str, body: dict[str, Any]) -> dict[str, Any]:
        name = f"{project}/secrets/{secret}"
        if name in self.secrets:
            raise Wrong(409, f"Secret [{name}] already exists.")
        if "automatic" not in body.get("replication", {}):
            raise Wrong(400, "replication is required")
        self.secrets[name] = []
        return {"name": name, "replication": body["replication"], "etag": '"1"'}

    def _add(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        data = base64.b64decode(body["payload"]["data"])
        if int(body["payload"]["dataCrc32c"]) != crc32c(data):
            raise Wrong(400, "the checksum is not that of the data")
        return self.add(name, data).shown()

    def _list(self, name: str, query: dict[str, list[str]]) -> dict[str, Any]:
        first = int(query.get("pageToken", ["0"])[0])
        end = first + min(int(query["pageSize"][0]), 3)
        newest = self.secrets[name][::-1]
        more = {"nextPageToken": str(end)} if end < len(newest) else {}
        shown = [version.shown() for version in newest[first:end]]
        return {"versions": shown, "totalSize": len(newest), **more}

    def _one(self, name: str, number: str, verb: str) -> dict[str, Any]:
        kept = self.secrets[name]
        which = len(kept) if number == "latest" else int(number)
        if not 0 < which <= len(kept):
            raise Wrong(404, f"Secret Version [{name}/versions/{number}] not found.")
        version = kept[which - 1]
        if verb == "access":
            return self._access(version)
        if version.state == "DESTROYED":
            raise Wrong(400, "the version is destroyed")
        version.state = _STATES[verb]
        return version.shown()

    def _access(self, version: Version) -> dict[str, Any]:
        if version.state != "ENABLED":
            raise Wrong(400, f"Secret Version [{version.name}] is in {version.state} state.")
        sent = b"~" + version.data[1:] if self.damaged else version.data
        payload = {
            "data": base64.b64encode(sent).decode(),
            "dataCrc32c": str(crc32c(version.data)),
        }
        return {"name": version.name, "payload": payload}


def error(status: int, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": _WORDS[status]}}


def operation(environ: dict[str, Any]) -> str:
    """`list`, `access`, `add`, `create`, `disable`, `destroy` or `enable`."""
    match = _PATH.fullmatch(environ["PATH_INFO"])
    assert match is not None, environ["PATH_INFO"]
    verb = {"addVersion": "add", None: "list" if environ["REQUEST_METHOD"] == "GET" else "create"}
    return verb.get(match[4], match[4])


def _body(environ: dict[str, Any]) -> dict[str, Any]:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return json.loads(environ["wsgi.input"].read(length)) if length else {}
