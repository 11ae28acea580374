"""The same seven questions as a runbook for people asks them: one after the other, with curl."""

from __future__ import annotations

import asyncio
import shutil

import httpx

PATHS = ("/v1/list0", "/v1/list1", "/v1/list2", "/v1/list3", "/health", "/metrics", "/status")
_LOOP = """
for path in "$@"; do
  CODE=$(curl -s -o /dev/null -w "%{http_code}" "$path")
  echo "$path: $CODE"
done
"""


def has_curl() -> bool:
    return shutil.which("curl") is not None and shutil.which("bash") is not None


async def by_hand(address: str) -> None:
    urls = [f"{address}{path}" for path in PATHS]
    if not has_curl():
        return await _one_by_one(urls)
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", _LOOP, "loop", *urls, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    assert told.count(b": 200") == len(PATHS), told
    return None


async def _one_by_one(urls: list[str]) -> None:
    for url in urls:
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.get(url)).raise_for_status()
