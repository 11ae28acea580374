"""What may be sent, where to, and with which key: decisions only, nothing is sent here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import httpx

from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Refused
from watchkeeper.runbook.api import Auth
from watchkeeper.runbook.integration import Watched
from watchkeeper.vendor.reply import SAFE_METHODS

TEST_KEY = "test_"
# Whatever a caller sets here is dropped: who we are is not the caller's to say.
OURS = frozenset({"authorization", "proxy-authorization", "cookie", "host", "accept-encoding"})
MAX_BYTES = 8 * 1024 * 1024
_PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far one call may go: its exchange in seconds, the wait before it, the answer's bytes.

    `max_wait_s` None: what the call's purpose can bear.
    """

    deadline_s: float = 10.0
    max_wait_s: float | None = None
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class Guard:
    """What is fixed for one client: the one origin, how the key travels, what is forbidden."""

    integration: str
    base_url: str
    auth: Auth
    organisation: int | None
    sandbox: bool
    dry_run: bool
    user_agent: str

    @classmethod
    def of(cls, watched: Watched, dry_run: bool, user_agent: str) -> Guard:
        entry = watched.integration
        return cls(
            integration=watched.name,
            base_url=watched.base_url,
            auth=watched.runbook.auth,
            organisation=entry.organisation,
            sandbox=entry.sandbox,
            dry_run=dry_run,
            user_agent=user_agent,
        )

    def url(self, path: str) -> httpx.URL:
        """A path below base_url, or an absolute URL of the same origin; Refused otherwise."""
        if not _PLAIN.fullmatch(path) or "\\" in path or path.startswith("//"):
            raise Refused(f"{self.integration}: {path[:80]!r} is no path of this API")
        url = _parsed(self.base_url.rstrip("/") + path if path.startswith("/") else path)
        if url is None:
            raise Refused(f"{self.integration}: {path[:80]!r} is no URL")
        self.check_origin(url)
        return url

    def check_origin(self, url: httpx.URL) -> None:
        if origin(url) != _base(self.base_url):
            raise Refused(
                f"{self.integration}: {url.scheme}://{url.host[:80]} is not its API; "
                "only base_url's own scheme, host and port are called"
            )

    def check_method(self, method: str) -> None:
        if self.dry_run and method not in SAFE_METHODS:
            raise Refused(f"{self.integration}: a dry run sends no {method}")

    def check_key(self, secret: Secret | None) -> None:
        """A rehearsal's key never meets a live API, a live key never meets a stand-in."""
        if secret is None or secret.reveal().startswith(TEST_KEY) is self.sandbox:
            return
        rule = "a sandbox takes only test_ keys" if self.sandbox else "test_ keys are for sandboxes"
        raise Refused(
            f"{self.integration}: key {secret.fingerprint} was neither sent nor kept: {rule}"
        )

    def headers(self, given: Mapping[str, str], url: httpx.URL) -> dict[str, str]:
        """The caller's headers, but for those that are ours, and ours but for the key."""
        fixed = {
            "host": url.netloc.decode("ascii"),
            "user-agent": self.user_agent,
            "accept-encoding": "identity",
        }
        organisation = self.auth.organisation_header
        dropped = OURS | {self.auth.header.lower(), (organisation or "").lower()}
        kept = {name: value for name, value in given.items() if name.lower() not in dropped}
        if organisation and self.organisation is not None:
            fixed[organisation.lower()] = str(self.organisation)
        return {**kept, **fixed}

    def key_header(self, secret: Secret) -> tuple[str, str]:
        return self.auth.header, f"{self.auth.scheme} {secret.reveal()}".strip()


def origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port or _PORTS.get(url.scheme)


@lru_cache
def _base(base_url: str) -> tuple[str, bytes, int | None]:
    return origin(httpx.URL(base_url))


def _parsed(text: str) -> httpx.URL | None:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL:
        return None
