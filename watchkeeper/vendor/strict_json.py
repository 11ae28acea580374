"""JSON read as a contract: anything that two readers could understand differently is an error."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from watchkeeper.errors import Permanent

LARGEST = 8 * 1024 * 1024
# Eight MiB of `[],[],` would be 250 MiB of values, and seconds of nothing else.
MOST_VALUES = 100_000
DEEPEST = 64
_BOM = b"\xef\xbb\xbf"
_BETWEEN = bytes(set(range(256)) - set(b'"[{,'))
_SURROGATE = re.compile("[\ud800-\udfff]")


class BadBody(Permanent):
    """The vendor's answer is not what its contract says."""


class _Unfit(ValueError):
    """What is wrong with a text, in words of ours."""


def loads(body: bytes, largest: int = LARGEST) -> Any:
    """The value of a UTF-8 JSON text, with or without a byte order mark.

    Raises BadBody on NaN and infinities (1e999 too), a key given twice, more than `DEEPEST`
    levels, `MOST_VALUES` values or `largest` bytes, trailing text, or broken JSON. Its text quotes
    nothing.
    """
    body = body.removeprefix(_BOM)
    fault = _beyond(body, largest)
    value: Any = None
    if fault is None:
        value, fault = _attempt(body)
    if fault is not None:
        raise BadBody(f"the JSON body {fault}")
    return value


def canonical(value: Any) -> str:
    """The one text of a JSON value: keys sorted, no spaces, characters as they are.

    Half of a surrogate pair, which vendors make by cutting texts, stays an escape: UTF-8, and so
    every database, would refuse it as a character.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def _beyond(body: bytes, largest: int) -> str | None:
    if len(body) > largest:
        return "is too large"
    # The second count leaves out what stands in texts; the first is nearly always enough.
    if _separators(body) > MOST_VALUES and _separators(_outside(body)) > MOST_VALUES:
        return f"holds more than {MOST_VALUES} values"
    return None


def _outside(body: bytes) -> bytes:
    """The separators that stand in no text. Nothing but passes over bytes: this must stay quicker
    than what it spares us."""
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes that meet change nothing for what stands around them.
    marks = unescaped.translate(None, _BETWEEN).replace(b'""', b"")
    return b"".join(marks.split(b'"')[::2])


def _separators(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _attempt(body: bytes) -> tuple[Any, str | None]:
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except _Unfit as error:
        return None, str(error)
    except UnicodeDecodeError:
        return None, "is not UTF-8"
    except RecursionError:
        return None, "is nested too deep"
    except json.JSONDecodeError as error:
        return None, f"is broken at character {error.pos}"
    except ValueError:
        return None, "holds a number with too many digits"
    return (None, "is nested too deep") if _too_deep(value) else (value, None)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Unfit("gives a key twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise _Unfit("holds NaN or infinity")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Unfit("holds a number beyond every bound")
    return number


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
