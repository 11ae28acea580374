"""What every part of a runbook is made of: closed frozen values, and the spellings they share."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from watchkeeper.runbook.durations import parse_duration

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Span = Annotated[Duration, Field(gt=timedelta(0))]

NAME, URL, PATH = r"^[a-z][a-z0-9_-]*$", r"^https?://[^\s]+$", r"^/[^\s]*$"
SIGN = r"^[a-z][a-z0-9_]*(:[a-z][a-z0-9_-]*)?$"
# Where a secret is kept: `kind:place`. The kinds are those of watchkeeper/credentials.
SECRET_REFERENCE = r"^(file|aws|gcp|env|prefect-block):\S+$"
SecretReference = Annotated[str, Field(pattern=SECRET_REFERENCE)]
Name = Annotated[str, Field(pattern=NAME, max_length=64)]
Url = Annotated[str, Field(pattern=URL)]
Path = Annotated[str, Field(pattern=PATH)]
# A named predicate over evidence, or one with the metric or log that it is about: `metric:queue`.
SignName = Annotated[str, Field(pattern=SIGN, max_length=128)]


class Frozen(BaseModel):
    """A closed, immutable value: an unknown key is an error, not a wish.

    The text below a field is its description: editors show it, and so does what is told of a
    field that is missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
