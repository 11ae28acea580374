"""Foreign text made fit to be shown: one short printable line, without what looks like a key."""

from __future__ import annotations

import re

LONGEST = 160
# Of a longer text the rest is not looked at: it would take seconds, and is cut away.
MOST_READ = 64 * 1024
MASK = "***"
LEAST_KEY = 16
# Of what people name the words have on average at least so many letters; of keys about 1.8.
SHORTEST_WORDS = 2.6

_COLOUR = re.compile(r"\x1b\[[0-9;]{0,16}[A-Za-z]")
_AFTER_SCHEME = re.compile(r"\b(bearer|basic)\s+[^\s\"',;]+", re.IGNORECASE)
_NAMED = re.compile(
    r"((?:key|token|secret|password|passwd|authorization)[\"']?\s?[=:]\s?[\"']?)"
    r"(?!\s|bearer\b|basic\b)[^\s\"',;&]+",
    re.IGNORECASE,
)
_RUN = re.compile(r"[A-Za-z0-9_\-+/.~]{16,}={0,2}")
_WORD = re.compile(r"[A-Za-z0-9_\-]{16,}")
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# Words that people join, such as report-generator-v2 or RATE_LIMITED_429, are no keys.
_NAME = re.compile(r"[A-Za-z]+(?:[-_]+(?:[A-Za-z]+|[vV]?\d{1,3}))*[-_]*")


def harmless(text: str, longest: int = LONGEST) -> str:
    """One line of printable characters, masked before it is cut: half a key is a key's half."""
    plain = " ".join(masked(uncoloured(text[:MOST_READ])).split())
    shown = "".join(c if c.isprintable() else "?" for c in plain)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def uncoloured(text: str) -> str:
    """Without the escape sequences that colour a terminal."""
    return _COLOUR.sub("", text)


def masked(text: str) -> str:
    """`***` for what looks like a key: what follows Bearer or `key=`, and any run of 16 or more
    letters and digits that is not made of words."""
    named = _NAMED.sub(rf"\1{MASK}", _AFTER_SCHEME.sub(rf"\1 {MASK}", text))
    return _RUN.sub(lambda run: MASK if _holds_key(run[0]) else run[0], named)


def _holds_key(run: str) -> bool:
    return _restless(run) or any(_mixed(word) for word in _WORD.findall(run))


def _mixed(word: str) -> bool:
    both = any(c.isdigit() for c in word) and any(c.isalpha() for c in word)
    return both and not _NAME.fullmatch(word)


def _restless(run: str) -> bool:
    """Letters of both sizes and digits in no order: the words of a name, of CamelCase too, are
    longer."""
    size = sum(c.isalnum() for c in run)
    return size >= LEAST_KEY and size < SHORTEST_WORDS * len(_PIECE.findall(run))
