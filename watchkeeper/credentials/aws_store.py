"""`aws:NAME`: keys in AWS Secrets Manager, their stages the labels that its consumers know.

`aws:NAME_OR_ARN?region=eu-west-1&field=api_key`: `field` where the value is a JSON object of which
the key is one member; the others are kept. A secret is in one rotation at a time, whichever field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from watchkeeper.credentials import versions
from watchkeeper.credentials.aws_secret import (
    CURRENT,
    PENDING,
    PREVIOUS,
    AwsSecret,
    AwsVersion,
    Label,
)
from watchkeeper.credentials.aws_view import LABELS, AwsView, view
from watchkeeper.credentials.key_text import key_in, text_with
from watchkeeper.credentials.protocols import RotatableStore, Stage, StoredKey, Version
from watchkeeper.credentials.remote_reference import read_reference
from watchkeeper.credentials.secret import Secret

_TOKENS = UUID("6f0b4f6e-2d6d-4f0e-9b36-8d1f3b1c5a70")


def open_aws(reference: str, now: Callable[[], datetime]) -> RotatableStore:
    """Raises UserError on a reference that cannot be read. Opens nothing yet."""
    name, options = read_reference(reference, ("region", "field", "endpoint"), "endpoint")
    in_arn = name.split(":")[3] if name.startswith("arn:") and name.count(":") >= 6 else None
    region = options.get("region") or in_arn
    secret = AwsSecret(reference, name, region, options.get("endpoint"))
    return AwsStore(secret, options.get("field"), now)


@dataclass(frozen=True, slots=True)
class AwsStore:
    """A RotatableStore; see there for what each call does.

    AWS makes the first version of a secret current at once: the first key is current as soon as
    it is offered, and `withdraw` cannot take it back.
    """

    secret: AwsSecret
    field: str | None
    now: Callable[[], datetime]

    @property
    def reference(self) -> str:
        return self.secret.reference

    def read(self, stage: Stage = "current") -> Secret | None:
        if stage != "current":
            held = self._look().stages.at(stage)
            return held.secret if held else None
        version = self.secret.at(CURRENT)
        if version is None:
            if self.secret.labels() is None:
                raise versions.missing(self.reference)
            return None
        return key_in(version.text, self.field, self.reference)[0]

    def stored(self) -> StoredKey:
        return self._look().stages.stored(self.reference)

    def versions(self) -> list[Version]:
        return self._look().stages.versions()

    def offer(self, secret: Secret, replace: bool = False) -> str:
        seen = self._look_or_none()
        waits = seen.stages.pending if seen else None
        if waits is None or waits.secret != secret:
            before = seen.stages if seen else versions.Stages()
            versions.offered(before, secret, replace, self.now(), self.reference)
            if seen is None:
                self.secret.create()
            seen = seen or self._seen({})
            self._settle(seen)
            self._put(seen, secret)
        return secret.fingerprint

    def promote(self, fingerprint: str) -> None:
        seen = self._look_or_none() or self._seen({})
        after = versions.promoted(seen.stages, fingerprint, self.now(), self.reference)
        if after is seen.stages:
            if seen.promoting:
                self.secret.move(PENDING, None, seen.id(PENDING))
            return
        pending = self._rebased(seen)
        self.secret.move(CURRENT, pending, seen.id(CURRENT))
        self.secret.move(PENDING, None, pending)

    def withdraw(self) -> None:
        seen = self._look_or_none()
        if seen is not None and PENDING in seen.at:
            self._settle(seen)
            self.secret.move(PENDING, None, seen.id(PENDING))

    def rollback(self) -> None:
        seen = self._look_or_none() or self._seen({})
        if not seen.rolling_back:
            versions.rolled_back(seen.stages, self.now(), self.reference)
            taken_back, back = seen.id(CURRENT), seen.id(PREVIOUS)
            if not seen.promoting:
                self.secret.move(PENDING, taken_back, seen.id(PENDING))
            self.secret.move(CURRENT, back, taken_back)
            self.secret.move(PREVIOUS, None, taken_back)
            return
        self._settle(seen)

    def _settle(self, seen: AwsView) -> None:
        """What a rollback has left to do: or the key that it took back would be the way back."""
        if seen.rolling_back:
            self.secret.move(PREVIOUS, None, seen.id(PREVIOUS))

    def _rebased(self, seen: AwsView) -> str:
        """The pending version, made anew where other members were changed since it was offered."""
        current, pending, held = seen.at.get(CURRENT), seen.at[PENDING], seen.stages.pending
        if self.field is None or current is None or held is None:
            return pending.id
        if text_with(held.secret, current.text, self.field, self.reference) == pending.text:
            return pending.id
        return self._put(seen, held.secret)

    def _put(self, seen: AwsView, secret: Secret) -> str:
        """The id says no more than the fingerprint does: it stands in AWS's logs."""
        current = seen.at.get(CURRENT)
        base = f"{current.id if current else ''}/{self.field or ''}/{secret.fingerprint}"
        token = str(uuid5(_TOKENS, base))
        before = current.text if current else None
        if PENDING not in self.secret.put(
            token, lambda: text_with(secret, before, self.field, self.reference)
        ):
            self.secret.move(PENDING, token, seen.id(PENDING))
        return token

    def _look(self) -> AwsView:
        seen = self._look_or_none()
        if seen is None:
            raise versions.missing(self.reference)
        return seen

    def _look_or_none(self) -> AwsView | None:
        labels = self.secret.labels()
        if labels is None:
            return None
        by_id: dict[str, AwsVersion | None] = {}
        for label in LABELS.values():
            if label in labels and labels[label] not in by_id:
                by_id[labels[label]] = self.secret.at(label)
        at = {label: by_id[labels[label]] for label in LABELS.values() if label in labels}
        return self._seen({label: version for label, version in at.items() if version})

    def _seen(self, at: Mapping[Label, AwsVersion]) -> AwsView:
        return view(at, self.field, self.reference)
