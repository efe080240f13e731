"""Fetches a JSON document from an https address that the operator trusts."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from registry_core.storage.budget import current

FETCH_SECONDS = 5.0
"""The longest that a fetch may take."""
_MAX_BYTES = 1024 * 1024


async def fetch_json(uri: str) -> dict[str, Any]:
    """The object at `uri`, of at most 1 MiB, within 5 s and the budget; redirects are not followed.

    Raises OSError and TimeoutError if it cannot be reached, ValueError and TypeError if what is
    there is no such document.
    """
    seconds = min(FETCH_SECONDS, current().left)
    if seconds <= 0:
        raise TimeoutError
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(uri, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            content = await response.content.read(_MAX_BYTES + 1)
            while len(content) <= _MAX_BYTES and not response.content.at_eof():
                content += await response.content.read(_MAX_BYTES + 1)
    except aiohttp.ClientError as error:
        raise OSError(type(error).__name__) from error
    if len(content) > _MAX_BYTES:
        raise ValueError("the answer is too large")
    try:
        document = json.loads(content)
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error
    if not isinstance(document, dict):
        raise TypeError("the answer is not a JSON object")
    return document
