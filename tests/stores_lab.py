"""Stores that keys are rotated in, one of each kind: a file, AWS and Google.

AWS is moto's server, behind the real boto3; Google is a stand-in behind the official client. Moto is
known to differ from AWS: it serves another version where no label is named (we always name one), it
takes another value under a token that is in use, and it keeps a label where it was when it is given
to a second version by a call that does not say from where. What rests on the last two is seen by
the labels that are left behind, not by a refusal.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import gcp_secrets
import pytest
from gcp_secrets import GcpSecrets
from werkzeug.serving import WSGIRequestHandler, make_server

from watchkeeper.credentials import aws_client
from watchkeeper.credentials.protocols import RotatableStore
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret

OLD = Secret("test_canary_old_1111")
NEW = Secret("test_canary_new_2222")
OTHER = Secret("test_canary_other_3333")
T0 = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
NUMBERS = count()
WRITES = {"CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"}
WRITES |= {"add", "create", "disable", "destroy"}
App = Callable[[dict[str, Any], Any], Iterable[bytes]]
Call = Callable[[RotatableStore], object]


@dataclass
class Wire:
    """Stands before an application: counts its calls, denies some, and has one of them fail, as
    if whoever made it had died `before` it or `after` it."""

    app: App
    operation: Callable[[dict[str, Any]], str]
    denial: Callable[[str], tuple[str, bytes]]
    calls: int = 0
    fails: int = 0
    when: str = "before"
    denied: str = ""
    seen: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        self.calls += 1
        self.seen.append(self.operation(environ))
        if self.seen[-1] == self.denied:
            return _say(start, *self.denial("test_canary in the provider's own words"))
        if self.calls != self.fails:
            return self.app(environ, start)
        if self.when == "after":
            list(self.app(environ, lambda status, headers, exc=None: None))
        return _say(start, "503 Service Unavailable", b"test_canary: gone")

    def reset(self, fails: int = 0, when: str = "before", denied: str = "") -> None:
        self.calls, self.fails, self.when, self.denied, self.seen = 0, fails, when, denied, []


def _say(start: Any, status: str, body: bytes) -> Iterable[bytes]:
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@contextmanager
def served(app: App) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Place:
    """Where a kind of store is, and what stands there in the eyes of its consumers."""

    kind: str
    reference: str
    folder: Path
    wire: Wire | None = None
    google: GcpSecrets | None = None
    aws: Any = None

    @property
    def store(self) -> RotatableStore:
        return open_rotatable(self.reference, self.folder, lambda: T0)

    @property
    def name(self) -> str:
        return self.reference.partition(":")[2].partition("?")[0]

    def consumer(self) -> str | None:
        """The key that a consumer starts on."""
        if self.google is not None:
            return self.google.latest(self.name)
        if self.aws is not None:
            return str(
                self.aws.get_secret_value(SecretId=self.name, VersionStage="AWSCURRENT")[
                    "SecretString"
                ]
            )
        return str(json.loads((self.folder / self.name).read_text())["current"]["value"])

    def raw(self) -> object:
        """All that is kept there, to compare two ways to the same end."""
        if self.google is not None:
            names = (self.name, f"{self.name}-pending")
            return [self.google.enabled(name) for name in names]
        by_id = self.aws.describe_secret(SecretId=self.name)["VersionIdsToStages"]
        return {version: sorted(set(labels)) for version, labels in by_id.items() if labels}

    def put_raw(self, text: str) -> None:
        """As somebody does it by hand."""
        if self.google is not None:
            self.google.secrets.setdefault(self.name, [])
            self.google.add(self.name, text.encode())
        elif self.aws is not None:
            token = "0" * 32  # So that the ids of later versions are no chance either.
            self.aws.create_secret(Name=self.name, SecretString=text, ClientRequestToken=token)
        else:
            self.store.promote(self.store.offer(Secret(text.strip())))
            path = self.folder / self.name
            path.write_text(path.read_text().replace(text.strip(), json.dumps(text)[1:-1]))


def _aws_operation(environ: dict[str, Any]) -> str:
    return str(environ["HTTP_X_AMZ_TARGET"]).rpartition(".")[2]


def _aws_denial(words: str) -> tuple[str, bytes]:
    said = {"__type": "AccessDeniedException", "message": words}
    return "400 Bad Request", json.dumps(said).encode()


def _gcp_denial(words: str) -> tuple[str, bytes]:
    return "403 Forbidden", json.dumps(gcp_secrets.error(403, words)).encode()


@pytest.fixture(scope="session")
def aws_wire() -> Iterator[tuple[Wire, str]]:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    wire = Wire(DomainDispatcherApplication(create_backend_app), _aws_operation, _aws_denial)
    with pytest.MonkeyPatch.context() as patch, served(wire) as url:
        patch.delenv("AWS_PROFILE", raising=False)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        yield wire, url
        aws_client._made(None, url).close()


@pytest.fixture(scope="session")
def gcp_wire() -> Iterator[tuple[Wire, str]]:
    wire = Wire(GcpSecrets(), gcp_secrets.operation, _gcp_denial)
    with served(wire) as url:
        yield wire, url


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each test has a secret of its own."""
    kind: str = request.param
    if kind == "file":
        return Place(kind, "file:key.json", tmp_path)
    wire, url = request.getfixturevalue(f"{kind}_wire")
    wire.reset()
    return fresh(kind, wire, url, tmp_path)


def fresh(kind: str, wire: Wire, url: str, folder: Path) -> Place:
    name = f"key-{next(NUMBERS)}"
    if kind == "aws":
        client = aws_client._made(None, url)
        return Place(kind, f"aws:{name}?endpoint={url}", folder, wire, aws=client)
    assert isinstance(wire.app, GcpSecrets)
    reference = f"gcp:projects/p-1/secrets/{name}?api={url}"
    return Place(kind, reference, folder, wire, google=wire.app)


every = pytest.mark.parametrize("place", ["file", "aws", "gcp"], indirect=True)
far = pytest.mark.parametrize("place", ["aws", "gcp"], indirect=True)
on_aws = pytest.mark.parametrize("place", ["aws"], indirect=True)
on_gcp = pytest.mark.parametrize("place", ["gcp"], indirect=True)


def seeded(place: Place) -> RotatableStore:
    """OLD is current, and nothing else is there."""
    place.put_raw(OLD.reveal())
    return place.store


def shape(store: RotatableStore) -> dict[str, str]:
    return {version.stage: version.fingerprint for version in store.versions()}


def of(current: Secret, **others: Secret) -> dict[str, str]:
    return {stage: key.fingerprint for stage, key in {"current": current, **others}.items()}


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
