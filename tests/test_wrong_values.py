"""Values that a client would refuse at its first use are refused when the file is read."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from pydantic import BaseModel

from watchkeeper.credentials.references import open_source
from watchkeeper.errors import UserError
from watchkeeper.runbook import base
from watchkeeper.runbook.addresses import url_fault
from watchkeeper.runbook.integration import Integration
from watchkeeper.runbook.load import load_runbook, watch

NAME = "maintainx@sandbox"
LOCAL = "http://127.0.0.1:8080"

# An entry with everything in it, and the other choices where there are several kinds.
FULL: dict[str, Any] = {
    "runbook": "maintainx",
    "sandbox": True,
    "base_url": f"{LOCAL}/v1",
    "status_page_url": LOCAL,
    "control_url": LOCAL,
    "direct_url": LOCAL,
    "credential": {"name": "key", "reference": "file:key", "second": "env:SECOND"},
    "service": {
        "health_url": f"{LOCAL}/health",
        "health_urls": {"more": f"{LOCAL}/health?more"},
        "metrics": {"kind": "text", "url": f"{LOCAL}/metrics"},
        "logs": {"kind": "file", "path": "sync.log"},
        "runtime": {"kind": "kubernetes", "selector": "app=x"},
        "disk": {"path": "/var"},
    },
    "consumers": [
        {
            "name": "a",
            "health_url": f"{LOCAL}/health",
            "runtime": {
                "kind": "cloud_run",
                "project": "my-project",
                "region": "us-central1",
                "service": "x",
                "api": LOCAL,
            },
        },
        {
            "name": "b",
            "health_url": f"{LOCAL}/health",
            "runtime": {
                "kind": "command",
                "restart": ["true"],
                "replicas": ["true"],
                "scale": ["true"],
            },
        },
        {
            "name": "c",
            "health_url": f"{LOCAL}/health",
            "runtime": {"kind": "kubernetes", "deployment": "x", "kubeconfig": "kube"},
        },
    ],
    "settings": {"kind": "http", "url": f"{LOCAL}/settings", "token": "env:TOKEN"},
    "jobs": [
        {
            "name": "nightly",
            "criticality": "deferrable",
            "scheduler": {
                "kind": "prefect",
                "deployment": "a/b",
                "api": f"{LOCAL}/api",
                "auth": "env:AUTH",
            },
        },
        {
            "name": "weekly",
            "criticality": "deferrable",
            "scheduler": {"kind": "kubernetes", "cron_job": "x", "kubeconfig": "kube"},
        },
    ],
    "pager": {
        "routing_key": "env:PD",
        "base_url": "https://127.0.0.1:8443",
        "ca_file": "ca.pem",
    },
    "channels": [
        {"kind": "webhook", "url": "env:HOOK", "signing_key": "env:SIGN"},
        {"kind": "apprise", "url": "env:APPRISE"},
        {
            "kind": "pagerduty",
            "name": "second",
            "routing_key": "env:PD",
            "base_url": "https://127.0.0.1:8443",
            "ca_file": "ca.pem",
        },
    ],
}
OTHERS: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("settings",), {"kind": "file", "path": "settings.json", "reload": ["true"]}),
    (("service", "metrics"), {"kind": "prometheus", "url": LOCAL}),
    (("service", "logs"), {"kind": "kubernetes", "selector": "app=x", "kubectl": ["kubectl"]}),
    (("service", "logs"), {"kind": "command", "command": ["true"]}),
]

Loc = tuple[str | int, ...]


def put(data: dict[str, Any], at: Loc, value: Any) -> dict[str, Any]:
    changed = deepcopy(data)
    node: Any = changed
    for step in at[:-1]:
        node = node[step]
    node[at[-1]] = value
    return changed


ENTRIES = [FULL, *(put(FULL, at, other) for at, other in OTHERS)]


def leaves(node: Any, at: Loc = ()) -> list[tuple[Loc, Any]]:
    if isinstance(node, dict):
        return [leaf for key, value in node.items() for leaf in leaves(value, (*at, key))]
    if isinstance(node, list):
        return [leaf for n, value in enumerate(node) for leaf in leaves(value, (*at, n))]
    return [(at, node)]


def patterns(model: type[BaseModel], at: tuple[str, ...] = ()) -> set[tuple[tuple[str, ...], str]]:
    """Where the entry's shape wants a URL, a reference or a file, without places in lists."""
    found = set()
    for name, field in model.model_fields.items():
        for pattern in (base.URL, base.SECRET_REFERENCE, base.FILE):
            if repr(pattern) in repr((field.annotation, field.metadata)):
                found.add(((*at, name), pattern))
        for below in models(field.annotation):
            found |= patterns(below, (*at, name))
    return found


def models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models(part)]


def named(at: Loc) -> tuple[str, ...]:
    """Without places in lists, nor the names that a person gave."""
    plain = tuple(step for step in at if isinstance(step, str))
    return plain[:2] if plain[:2] == ("service", "health_urls") else plain


def wrong(pattern: str, at: tuple[str, ...]) -> list[str]:
    if pattern != base.URL:
        return WRONG_REFERENCES if pattern == base.SECRET_REFERENCE else WRONG_FILES
    return [*WRONG_URLS, *(WITH_QUERY if at[-1] in ("base_url", "status_page_url", "api") else [])]


WRONG_URLS = [
    "",
    "127.0.0.1:8080",
    "ftp://127.0.0.1/x",
    "file:///etc/passwd",
    "http://",
    "http:///x",
    "http://127.0.0.1:8080/a b",
    "http://127.0.0.1:8080/\u00e4",
    "http://127.0.0.1:8080/\x00",
    "http://127.0.0.1:8080/\n",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:-1/",
    "http://127.0.0.1:port/",
    "http://[::1/",
    "http://127.0.0.1.5/",
    "http://local host/",
    "http://a..localhost/",
    "http://ada:secret@127.0.0.1/",
    "http://127.0.0.1/#part",
    "https://127.0.0.1:99999/",
]
WITH_QUERY = ["https://127.0.0.1/?a=b"]
WRONG_REFERENCES = [
    "",
    "key",
    "vault:key",
    "FILE:key",
    "file:",
    "file:/",
    "file:folder/",
    "file:.",
    "file:..",
    "file:a b",
    "file:a\x00",
    "env:",
    "env:1ST",
    "env:A=B",
    "env:A-B",
    "prefect-block:",
    "prefect-block:My Block",
    "prefect-block:a/b",
]
WRONG_FILES = ["", "a\x00b", "a\nb", "\x1b[31m"]

CASES = [
    (number, at, pattern)
    for number, entry in enumerate(ENTRIES)
    for at, _ in leaves(entry)
    for where, pattern in sorted(patterns(Integration))
    if named(at) == where and (number == 0 or named(at) not in {named(a) for a, _ in leaves(FULL)})
]


def read(folder: Path, entry: dict[str, Any]) -> None:
    file = folder / "integrations.yaml"
    file.write_text(json.dumps({"integrations": {NAME: entry}}))
    watch(NAME, file)


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_right_values_are_taken(tmp_path: Path, entry: dict[str, Any]) -> None:
    """Else nothing below would prove anything."""
    read(tmp_path, entry)


def test_every_field_of_that_kind_is_tried() -> None:
    """A field that is added to the entry's shape is a row here, or this fails."""
    assert {named(at) for _, at, _ in CASES} == {where for where, _ in patterns(Integration)}
    assert len(CASES) >= 25


@pytest.mark.parametrize(
    ("number", "at", "pattern"), CASES, ids=[".".join(map(str, at)) for _, at, _ in CASES]
)
def test_a_wrong_value_is_refused_when_the_file_is_read(
    tmp_path: Path, number: int, at: Loc, pattern: str
) -> None:
    """W21: at the line it stands on, not at the first use in an incident; what might be a secret is
    not repeated."""
    for value in wrong(pattern, named(at)):
        with pytest.raises(UserError) as caught:
            read(tmp_path, put(ENTRIES[number], at, value))
        assert str(at[-1]) in str(caught.value) or "reference" in str(caught.value), value
        assert "ada:secret" not in str(caught.value)


OPTIONS: list[tuple[Loc, Any]] = [
    (("service", "runtime", "selector"), "--all"),
    (("service", "runtime", "selector"), ""),
    (("service", "runtime", "namespace"), "-n"),
    (("service", "logs"), {"kind": "kubernetes", "selector": "-o"}),
    (("service", "logs"), {"kind": "kubernetes", "selector": "a=b", "container": "--x"}),
    (("service", "logs"), {"kind": "command", "command": []}),
    (("service", "logs"), {"kind": "command", "command": ["a\x00"]}),
    (("service", "disk", "bound"), 1.5),
    (("consumers", 1, "runtime", "timeout"), "0 s"),
    (("consumers", 1, "runtime", "timeout"), "5"),
    (("consumers", 1, "runtime", "timeout"), 5),
    (("consumers", 1, "runtime", "timeout"), "-5 s"),
    (("consumers", 1, "runtime", "restart"), "systemctl restart x"),
    (("channels", 0, "kind"), "pigeon"),
    (("jobs", 0, "scheduler", "deployment"), "nightly"),
    (("jobs", 0, "criticality"), "dear"),
    (("credential", "max_age"), "a year"),
    (("credential", "expires"), "2026-12-31"),
    (("organisation",), "4711"),
]


@pytest.mark.parametrize(("at", "value"), OPTIONS)
def test_other_values_are_refused_too(tmp_path: Path, at: Loc, value: Any) -> None:
    """W21: durations, options that would reach kubectl as flags, channels that there are none of."""
    with pytest.raises(UserError):
        read(tmp_path, put(FULL, at, value))


@pytest.mark.parametrize(
    "url", ["http://localhost", "https://[::1]:8/x?y=z", "https://a-b.example."]
)
def test_what_is_taken_can_be_called(url: str) -> None:
    """And a client can make a request of it."""
    assert url_fault(url) is None
    assert httpx.Request("GET", url).url.host


@pytest.mark.parametrize(
    "reference",
    [
        "gcp:x",
        "gcp:projects/a",
        "aws:name?colour=red",
        "aws:name?region=",
        "gcp:projects/p/secrets/s?api=http://evil.example",
    ],
)
def test_a_store_is_opened_by_none_of_these(reference: str) -> None:
    """W21: `runbook check` and `up` open every reference; nothing is asked for that."""
    with pytest.raises(UserError):
        open_source(reference, Path())


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        (
            "base_url: https://api.getmaintainx.com/v1",
            "base_url: https://api.getmaintainx.com:0/v1",
        ),
        ("base_url: https://api.getmaintainx.com/v1", "base_url: https://api..com/v1"),
        ("base_url: https://api.getmaintainx.com/v1", "base_url: https://api.com/v1?a=b"),
    ],
)
def test_a_runbooks_own_addresses_are_tried_as_well(
    tmp_path: Path, given: str, changed: str
) -> None:
    text = Path("runbooks/maintainx.yaml").read_text()
    assert given in text
    file = tmp_path / "maintainx.yaml"
    file.write_text(text.replace(given, changed))
    with pytest.raises(UserError, match="base_url"):
        load_runbook(file)
