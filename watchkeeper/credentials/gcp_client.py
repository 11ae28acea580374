"""Google's client for Secret Manager on its REST transport, and its errors as ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from watchkeeper.credentials.far_call import NotThere, keep_quiet, needs_extra
from watchkeeper.errors import Transient, UserError, WatchkeeperError

if TYPE_CHECKING:
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient

T = TypeVar("T")

# Operation -> the role that grants it.
ROLES: Final = {
    "access": "roles/secretmanager.secretAccessor",
    "add": "roles/secretmanager.secretVersionAdder",
    "create": "roles/secretmanager.admin on the project, or the secret made by hand",
    "destroy": "roles/secretmanager.secretVersionManager",
    "disable": "roles/secretmanager.secretVersionManager",
    "list": "roles/secretmanager.viewer",
}
_LINKS = frozenset({"ParseError", "RequestException", "TransportError"})
_NO_CREDENTIALS = frozenset({"DefaultCredentialsError", "RefreshError"})


def gcp_client(api: str | None, where: str) -> SecretManagerServiceClient:
    """Raises UserError where the extra or credentials are missing."""
    try:
        return ask(where, "access", lambda: _made(api))
    except ImportError:
        raise needs_extra(where, "gcp") from None


@lru_cache(maxsize=64)
def _made(api: str | None) -> SecretManagerServiceClient:
    """One for each process. A stand-in never gets real credentials."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceRestTransport,
    )

    keep_quiet("google.api_core", "google.auth", "google.cloud.secretmanager_v1")
    if api is None:
        wire = SecretManagerServiceRestTransport()
    else:
        wire = SecretManagerServiceRestTransport(
            host=api.removeprefix("http://"),
            url_scheme="http",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        )
        wire._session.trust_env = False
    # Google sends none; the library would follow one with the key in its body.
    wire._session.max_redirects = 0
    return SecretManagerServiceClient(transport=wire)


def ask(where: str, operation: str, call: Callable[[], T]) -> T:
    """What it answers. Raises NotThere, Transient or UserError, in words of ours alone: the
    library's own error is not kept, nor the frames that it holds."""
    fault: WatchkeeperError
    try:
        return call()
    except (ImportError, WatchkeeperError):
        raise
    except Exception as error:
        fault = _fault(where, operation, error)
    raise fault


def _fault(where: str, operation: str, error: Exception) -> WatchkeeperError:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & _NO_CREDENTIALS:
        return UserError(
            f"{where}: no Google credentials are usable; gcloud auth application-default login"
        )
    code = getattr(error, "code", None)
    if "GoogleAPICallError" in kinds and code is not None:
        return _refusal(where, operation, int(code))
    if "TooManyRedirects" in kinds:
        return UserError(f"{where} answers with a redirect, which is not followed")
    if kinds & _LINKS:
        return Transient(f"{where} cannot be reached ({type(error).__name__})")
    return UserError(f"{where} cannot be used: {type(error).__name__} in the Google library")


def _refusal(where: str, operation: str, status: int) -> WatchkeeperError:
    if operation == "create" and status == 409:
        return Transient(f"{where} was made by somebody else in the same moment")
    if operation == "create" and status == 404:
        return UserError(f"{where}: Google knows no such project")
    if status == 404:
        return NotThere(where)
    if status == 401:
        return UserError(f"{where}: Google does not accept our credentials; renew them")
    if status == 403:
        needed = ROLES[operation]
        return UserError(f"{where}: Google denies it; whoever runs this needs {needed}")
    if status >= 500 or status in (408, 409, 429):
        return Transient(f"{where}: Google cannot answer now (status {status})")
    return UserError(f"{where}: Google refuses to {operation} (status {status}); look at it there")
