"""One secret of AWS Secrets Manager by the calls that we make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from watchkeeper.credentials.aws_client import ask, aws_client
from watchkeeper.credentials.far_call import NotThere
from watchkeeper.errors import UserError

Label = Literal["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"]
CURRENT: Final = "AWSCURRENT"
PENDING: Final = "AWSPENDING"
PREVIOUS: Final = "AWSPREVIOUS"


@dataclass(frozen=True, slots=True)
class AwsVersion:
    id: str
    text: str = field(repr=False)
    created: datetime


@dataclass(frozen=True, slots=True)
class AwsSecret:
    """Each method is one call. They raise what `ask` raises, but NotThere only where it is said."""

    reference: str
    name: str
    region: str | None
    endpoint: str | None

    def labels(self) -> Mapping[str, str] | None:
        """Label -> version id. None: there is no such secret. Empty: it has no version yet."""
        client = aws_client(self.region, self.endpoint, self.reference)
        try:
            told = ask(self.reference, lambda: client.describe_secret(SecretId=self.name))
        except NotThere:
            return None
        by_id = told.get("VersionIdsToStages", {})
        return {label: version for version, labels in by_id.items() for label in labels}

    def at(self, label: Label) -> AwsVersion | None:
        """None where no version has the label, or where there is no such secret.

        The label is always named: without one a stand-in may serve another version.
        """
        client = aws_client(self.region, self.endpoint, self.reference)
        try:
            told = ask(
                self.reference,
                lambda: client.get_secret_value(SecretId=self.name, VersionStage=label),
            )
        except NotThere:
            return None
        if "SecretString" not in told:
            raise UserError(f"{self.reference} ({label}) holds bytes; store the key as text")
        created = told["CreatedDate"].astimezone(UTC)
        return AwsVersion(told["VersionId"], told["SecretString"], created)

    def create(self) -> None:
        """Without a version. Raises UserError where an ARN was to name it: it would be another."""
        if self.name.startswith("arn:"):
            raise UserError(f"{self.reference} does not exist, and AWS chooses ARNs: name it")
        client = aws_client(self.region, self.endpoint, self.reference)
        ask(self.reference, lambda: client.create_secret(Name=self.name))

    def put(self, token: str, text: Callable[[], str]) -> frozenset[str]:
        """A new version on offer, with `token` for its id; returns the labels that it has.

        One that is there with the same text is left as it is, without the label if it has lost it.
        `text` is made in the call alone: no frame of an error holds it.
        """
        client = aws_client(self.region, self.endpoint, self.reference)
        told = ask(
            self.reference,
            lambda: client.put_secret_value(
                SecretId=self.name,
                ClientRequestToken=token,
                SecretString=text(),
                VersionStages=[PENDING],
            ),
        )
        return frozenset(told["VersionStages"])

    def move(self, label: Label, to: str | None, off: str | None) -> None:
        """Raises Transient where the label is no longer at `off`."""
        client = aws_client(self.region, self.endpoint, self.reference)
        where = {"MoveToVersionId": to, "RemoveFromVersionId": off}
        given = {name: version for name, version in where.items() if version is not None}
        ask(
            self.reference,
            lambda: client.update_secret_version_stage(
                SecretId=self.name, VersionStage=label, **given
            ),
        )
