"""YAML in which every value remembers the line it was written on; a key is always text."""

from __future__ import annotations

import math
from pathlib import Path

import yaml

from watchkeeper.errors import UserError
from watchkeeper.runbook.document import Document, Loc, Place, field_text
from watchkeeper.runbook.problems import BadFile, Problem
from watchkeeper.runbook.yaml_core import MAPPING, SCALARS, SEQUENCE, TAG, composed

MAX_VALUES = 20_000
MAX_DEPTH = 40


def read_document(path: Path) -> Document:
    """The file's data and places; duplicate keys and odd tags come as `problems` of the document.

    Raises BadFile where the text is no YAML at all, UserError where the file cannot be read.
    """
    node = composed(path, _text(path))
    if node is None:
        raise BadFile([Problem(path, 1, "", "the file is empty")])
    walk = _Walk(path)
    try:
        data = walk.value(node, (), node.start_mark.line + 1)
    except _TooBigError as error:
        raise BadFile([Problem(path, error.line, "", str(error))]) from None
    return Document(data, walk.places, tuple(walk.problems))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadFile([Problem(path, line, "", "the file must be UTF-8 text")]) from None


class _TooBigError(Exception):
    """Aliases can make a small file endless; no runbook is."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _Walk:
    """One pass over the nodes of a file, gathering places and problems."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[Loc, Place] = {}
        self.problems: list[tuple[Loc, Problem]] = []

    def value(self, node: yaml.Node, loc: Loc, line: int) -> object:
        if len(loc) > MAX_DEPTH:
            raise _TooBigError(line, "is nested too deeply")
        if len(self.places) >= MAX_VALUES:
            raise _TooBigError(line, "holds too many values")
        self.places[loc] = Place(self.path, line, field_text(loc))
        if isinstance(node, yaml.MappingNode) and node.tag == MAPPING:
            return self.mapping(node, loc)
        if isinstance(node, yaml.SequenceNode) and node.tag == SEQUENCE:
            return [
                self.value(item, (*loc, index), item.start_mark.line + 1)
                for index, item in enumerate(node.value)
            ]
        return self.scalar(node, loc, line)

    def mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or not _is_text(key.value):
                self.report(loc, line, "a key must be plain text")
            elif key.value in found:
                first = self.places[(*loc, key.value)].line
                self.report((*loc, key.value), line, f"is given twice; first on line {first}")
            else:
                found[key.value] = self.value(value, (*loc, key.value), line)
        return found

    def scalar(self, node: yaml.Node, loc: Loc, line: int) -> object:
        convert = SCALARS.get(node.tag)
        if convert is None or not isinstance(node, yaml.ScalarNode):
            self.report(loc, line, f"the tag {node.tag.replace(TAG, '!!')} is not allowed")
            return None
        try:
            value = convert(node.value)
        except (ValueError, KeyError):
            self.report(loc, line, f"is not a {node.tag.replace(TAG, '!!')}")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.report(loc, line, "is too large a number")
        elif isinstance(value, str) and not _is_text(value):
            self.report(loc, line, "holds half of a surrogate pair, which is no text")
        else:
            return value
        return None

    def report(self, loc: Loc, line: int, message: str) -> None:
        self.problems.append((loc, Problem(self.path, line, field_text(loc), message)))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)
