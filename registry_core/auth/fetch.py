"""Fetches a JSON document from an https address that the operator trusts."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from registry_core.storage.budget import current
from registry_core.storage.client.body import TooLarge
from registry_core.storage.client.choice import connections

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
    try:
        async with asyncio.timeout(seconds), connections() as there:
            reply = await there.exchange("GET", uri, {}, most=_MAX_BYTES)
    except TooLarge as error:
        raise ValueError(str(error)) from error
    if reply.status != 200:
        raise ValueError(f"status {reply.status}")
    try:
        document = json.loads(reply.body)
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error
    if not isinstance(document, dict):
        raise TypeError("the answer is not a JSON object")
    return document
