"""Is the running Prefect server closed? `doctor` asks it as those would who must not get in."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from pathlib import Path

import httpx

from deployments.password import password_file, stored_password

FOREIGN_ORIGIN = "http://watchkeeper-doctor.invalid"
FOREIGN_HOST = "watchkeeper-doctor.invalid"
_TIMEOUT_S = 5.0
_PATH = "/admin/version"
_RESTART = "restart `watchkeeper up`; if it stays, another program listens at this address"


def open_doors(api: str, home: Path) -> list[str]:
    """What is open that must be closed, or closed to us: a line each, with what to do.

    Raises httpx.HTTPError where the server does not answer.
    """
    path = password_file(home)
    password = stored_password(home)
    if password is None:
        why = "is missing, damaged, or open to other accounts (its mode must be 600)"
        return [f"{path} {why}: restart `watchkeeper up`, which makes a new password"]
    name, _, word = password.partition(":")
    found = []
    with httpx.Client(base_url=api, trust_env=False, timeout=_TIMEOUT_S) as client:
        if client.get(_PATH).status_code != httpx.codes.UNAUTHORIZED:
            found.append(f"{api} answers without a password: {_RESTART}")
        if client.get(_PATH, auth=(name, word)).status_code != httpx.codes.OK:
            found.append(f"{api} does not take the password in {path}: restart `watchkeeper up`")
        # The password is not sent where the answer may be a stranger's.
        if _lets_in(client, {"origin": FOREIGN_ORIGIN}):
            found.append(f"{api} answers web pages of other origins: {_RESTART}")
        if client.get("/health", headers={"host": FOREIGN_HOST}).is_success:
            found.append(f"{api} answers under a foreign host name: {_RESTART}")
        if any(_upgraded(client, more) for more in ({}, {"origin": FOREIGN_ORIGIN})):
            found.append(f"{api} opens web sockets without a password: {_RESTART}")
    return found


def _lets_in(client: httpx.Client, origin: Mapping[str, str]) -> bool:
    asked = {**origin, "access-control-request-method": "POST"}
    replies = (
        client.get("/health", headers=origin),
        client.options("/flows/", headers=asked),
    )
    return any("access-control-allow-origin" in reply.headers for reply in replies)


def _upgraded(client: httpx.Client, headers: Mapping[str, str]) -> bool:
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    opening = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-key": key,
        "sec-websocket-version": "13",
    }
    with client.stream("GET", "/events/in", headers={**opening, **headers}) as reply:
        return reply.status_code == httpx.codes.SWITCHING_PROTOCOLS
