"""boto3's client for Secrets Manager, and its errors as ours."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar, cast

from watchkeeper.credentials.far_call import CONNECT_S, READ_S, NotThere, keep_quiet, needs_extra
from watchkeeper.errors import Transient, UserError, WatchkeeperError

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

T = TypeVar("T")

_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# A label is moved from where it was seen: the second code is what AWS says when it is not there.
_CHANGED = frozenset(
    {
        ("CreateSecret", "ResourceExistsException"),
        ("UpdateSecretVersionStage", "InvalidParameterException"),
    }
)
_BUSY = re.compile(r"Throttl|TooManyRequests|LimitExceeded$|Internal|Unavailable|RequestTimeout")
_LINKS = frozenset({"HTTPClientError", "ConnectionError", "ResponseParserError"})
_NO_CREDENTIALS = frozenset(
    {
        "CredentialRetrievalError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "SSOError",
        "TokenRetrievalError",
    }
)


def aws_client(region: str | None, endpoint: str | None, reference: str) -> SecretsManagerClient:
    """Raises UserError where the extra, a region or credentials are missing."""
    try:
        return ask(reference, lambda: _made(region, endpoint))
    except ImportError:
        raise needs_extra(reference, "aws") from None


@lru_cache(maxsize=64)
def _made(region: str | None, endpoint: str | None) -> SecretsManagerClient:
    """One for each process: making one takes a tenth of a second. A stand-in never gets real
    credentials."""
    from boto3.session import Session
    from botocore.config import Config

    keep_quiet("boto3", "botocore")
    config = Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    if endpoint is None:
        made = Session().client("secretsmanager", region_name=region, config=config)
    else:
        made = Session().client(
            "secretsmanager",
            region_name=region or "us-east-1",
            endpoint_url=endpoint,
            aws_access_key_id="stand-in",
            aws_secret_access_key="stand-in",
            config=config.merge(Config(proxies={})),
        )
    return cast("SecretsManagerClient", made)


def ask(reference: str, call: Callable[[], T]) -> T:
    """What it answers. Raises NotThere, Transient or UserError, in words of ours alone: the
    library's own error is not kept, nor the frames that it holds."""
    fault: WatchkeeperError
    try:
        return call()
    except (ImportError, WatchkeeperError):
        raise
    except Exception as error:
        fault = _fault(reference, error)
    raise fault


def _fault(reference: str, error: Exception) -> WatchkeeperError:
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        operation = str(getattr(error, "operation_name", ""))
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return _refusal(reference, operation, answer.get("Error", {}).get("Code", ""), status)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & _NO_CREDENTIALS:
        return UserError(f"{reference}: no AWS credentials are found; set AWS_PROFILE, or a role")
    if "NoRegionError" in kinds:
        return UserError(f"{reference} names no region: add ?region=… or set AWS_DEFAULT_REGION")
    if kinds & _LINKS:
        return Transient(f"{reference} cannot be reached ({type(error).__name__})")
    return UserError(f"{reference} cannot be used: {type(error).__name__} in the AWS library")


def _refusal(reference: str, operation: str, code: str, status: int) -> WatchkeeperError:
    """`code` comes from the far side: what is no name is not repeated."""
    named = code if re.fullmatch(r"[A-Za-z]{1,60}", code) else f"status {status}"
    if code == "ResourceNotFoundException":
        return NotThere(reference)
    if code.startswith("AccessDenied"):
        right = f"secretsmanager:{operation}"
        return UserError(
            f"{reference}: AWS denies it; whoever runs this needs {right}{_kms(right)}"
        )
    if code in _CREDENTIALS:
        return UserError(f"{reference}: AWS does not accept our credentials ({named}); renew them")
    if (operation, code) in _CHANGED:
        return Transient(f"{reference} was changed by somebody else in the same moment")
    if status >= 500 or status == 429 or _BUSY.search(code):
        return Transient(f"{reference}: AWS cannot answer now ({named})")
    return UserError(f"{reference}: AWS refuses {operation} ({named}); look at the secret there")


def _kms(right: str) -> str:
    key = {"GetSecretValue": "kms:Decrypt", "PutSecretValue": "kms:GenerateDataKey"}
    needed = key.get(right.partition(":")[2])
    return f", and {needed} where the secret has a KMS key of its own" if needed else ""
