"""The YAML that a runbook may be written in: the core schema of version 1.2, cut down.

Only `true` and `false` are booleans (`no` is text), a date is text, and nothing in a file can name
a Python object.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import yaml

from watchkeeper.runbook.problems import BadFile, Problem

TAG = "tag:yaml.org,2002:"
MAPPING, SEQUENCE = TAG + "map", TAG + "seq"
_BOOLEANS = {"true": True, "false": False}
SCALARS: dict[str, Callable[[str], object]] = {
    TAG + "str": str,
    TAG + "null": lambda _: None,
    TAG + "bool": lambda text: _BOOLEANS[text.lower()],
    TAG + "int": int,
    TAG + "float": float,
}


class _CoreLoader(yaml.SafeLoader):
    """Safe, with none of YAML 1.1's guesses at what a plain word may mean."""


_CoreLoader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]{1,18}$", list("-+0123456789")),
    (
        "float",
        r"^[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$",
        list("-+.0123456789"),
    ),
):
    _CoreLoader.add_implicit_resolver(TAG + _name, re.compile(_pattern), _first)


# What a person has most probably done, where the parser speaks of itself.
_HINTS = (
    ("character '\\t'", "; indent with blanks, not with a tab"),
    ("flow mapping", "; a text that holds `: `, `,` or a bracket stands in quotes"),
    ("flow sequence", "; a text that holds `: `, `,` or a bracket stands in quotes"),
    ("mapping values", "; indented too far, or a text that holds `: ` and stands in no quotes"),
    ("block end", "; not indented as the lines above and below it"),
)


def composed(path: Path, text: str) -> yaml.Node | None:
    """The one document in a text as nodes with marks; None where it is empty. Raises BadFile."""
    try:
        loader = _CoreLoader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        unfinished = (error.problem or "").endswith("unexpected end of stream")
        mark = (unfinished and error.context_mark) or error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.context, error.problem) if part)
        words += next((hint for part, hint in _HINTS if part in words), "")
        raise BadFile([Problem(path, mark.line + 1 if mark else 1, "", words)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise BadFile([Problem(path, line, "", "holds a control character")]) from None
    except RecursionError:
        raise BadFile([Problem(path, 1, "", "is nested too deeply")]) from None
    except (ValueError, OverflowError):  # an escape such as "\UFFFFFFFF", beyond Unicode
        raise BadFile([Problem(path, 1, "", "holds an escape that is no character")]) from None
