"""CRC-32C (Castagnoli), with which Google's stores have a value checked on its way."""

from __future__ import annotations

from functools import cache

_REVERSED = 0x82F63B78


def crc32c(data: bytes) -> int:
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    return tuple(_of_byte(byte) for byte in range(256))


def _of_byte(crc: int) -> int:
    for _ in range(8):
        crc = (crc >> 1) ^ (_REVERSED if crc & 1 else 0)
    return crc
