"""Reading an answer that may be of any size, in pieces of any size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable

# A body of single bytes in a chunk each keeps a loop busy that nobody else gets a turn in: neither
# the other answers nor the deadline.
CHUNKS_A_TURN = 100


class TooLarge(Exception):
    """There is more than was to be read."""


async def bounded(chunks: AsyncIterable[bytes], most: int) -> bytes:
    """All of it. Raises TooLarge as soon as it is more than `most` bytes."""
    body, count = bytearray(), 0
    async for chunk in chunks:
        body += chunk
        if len(body) > most:
            raise TooLarge
        count += 1
        if count % CHUNKS_A_TURN == 0:
            await asyncio.sleep(0)
    return bytes(body)
