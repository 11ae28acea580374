"""Bodies whose `Content-Encoding` is odd: read if they can be read at all. Pure and bounded."""

from __future__ import annotations

import zlib

# What is compressed to a thousandth is no answer of an API.
_GZIP = b"\x1f\x8b"
_GZIPPED = frozenset({"gzip", "x-gzip"})
# Codings that we cannot undo. What else stands in the header names none, such as `utf-8`.
_FOREIGN = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip"})


class TooLargeInside(Exception):
    """It unpacks to more than was to be read."""


def decoded(body: bytes, header: str, most: int) -> tuple[bytes, str | None]:
    """(the bytes as they were meant, the coding that could not be undone).

    We ask for none, so what is declared is often wrong: `utf-8`, gzip for plain text, plain for
    gzip. What the bytes are goes before what is said of them. Raises TooLargeInside.
    """
    codings = [part.strip().strip("\"'").lower() for part in header.split(",")]
    foreign = [coding for coding in codings if coding in _FOREIGN]
    if body.startswith(_GZIP):
        unpacked = _inflated(body, zlib.MAX_WBITS | 16, most)
        return (body, "gzip") if unpacked is None else (unpacked, None)
    if "deflate" in codings and not _reads(body):
        for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
            unpacked = _inflated(body, window, most)
            if unpacked is not None:
                return unpacked, None
        return body, "deflate"
    if foreign and body and not _reads(body):
        return body, foreign[0]
    return body, None


def mislabelled(body: bytes, header: str) -> str | None:
    """The coding that is declared of bytes that are plain text: we read them, and a client that goes
    by the label cannot."""
    codings = [part.strip().strip("\"'").lower() for part in header.split(",")]
    known = [coding for coding in codings if coding in _GZIPPED | _FOREIGN | {"deflate"}]
    return known[0] if known and body.strip() and _reads(body) else None


def _inflated(body: bytes, window: int, most: int) -> bytes | None:
    inflater = zlib.decompressobj(window)
    try:
        found = inflater.decompress(body, most + 1)
    except zlib.error:
        return None
    if len(found) > most:
        raise TooLargeInside
    return found if inflater.eof else None


def _reads(body: bytes) -> bool:
    """Text as it is: JSON, a page, words."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c.isspace() for c in text[:256].lstrip("\ufeff"))
