"""What every part of a runbook is made of: closed frozen values, and the spellings they share."""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from watchkeeper.runbook.durations import parse_duration

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Span = Annotated[Duration, Field(gt=timedelta(0))]

_OFFSET = re.compile(r"([+-])([01]\d|2[0-3]):?([0-5]\d)")
NAME = r"^[a-z][a-z0-9_-]*$"
URL, PATH = r"^https?://[!-~]+$", r"^/[!-~]*$"
# Of a file on this machine, or a word of a command: what no system call takes is in none.
FILE, WORD = r"^[^\x00-\x1f\x7f]+$", r"^[^\x00]*$"
SIGN = r"^[a-z][a-z0-9_]*(:[a-z][a-z0-9_-]*)?$"
# Where a secret is kept: `kind:place`. The kinds are those of watchkeeper/credentials.
SECRET_REFERENCE = (
    r"^(file:([^\s\x00-\x1f\x7f]*/)?[^\s\x00-\x1f\x7f/]*[^\s\x00-\x1f\x7f/.]"
    r"|aws:[!-~]+|gcp:[!-~]+|env:[A-Za-z_][A-Za-z0-9_]*|prefect-block:[a-z0-9-]+)$"
)
SecretReference = Annotated[str, Field(pattern=SECRET_REFERENCE)]
Name = Annotated[str, Field(pattern=NAME, max_length=64)]
Url = Annotated[str, Field(pattern=URL)]
Path = Annotated[str, Field(pattern=PATH)]
FilePath = Annotated[str, Field(pattern=FILE)]
Words = Annotated[tuple[Annotated[str, Field(pattern=WORD)], ...], Field(min_length=1)]
# A named predicate over evidence, or one with the metric or log that it is about: `metric:queue`.
SignName = Annotated[str, Field(pattern=SIGN, max_length=128)]


def zone_named(text: str | None) -> tzinfo | None:
    """`Asia/Tokyo`, `UTC`, or an offset such as `+09:00`. Raises ValueError where it is none."""
    if text is None:
        return None
    if found := _OFFSET.fullmatch(text):
        sign = -1 if found[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(found[2]), minutes=int(found[3])))
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"{text!r} is no time zone; such as UTC, Asia/Tokyo or +09:00 is wanted"
        raise ValueError(message) from None


def _zone(text: str) -> str:
    zone_named(text)
    return text


# The name of a time zone, as text: what `zone_named` reads.
Zone = Annotated[str, AfterValidator(_zone)]


class Frozen(BaseModel):
    """A closed, immutable value: an unknown key is an error, not a wish.

    The text below a field is its description: editors show it, and so does what is told of a
    field that is missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
