"""Keeps an instance for HTTP: the app asks itself for `/healthz`, as a client does."""

from __future__ import annotations

import asyncio
import logging

from registry_core.storage.client.choice import connections

_LOGGER = logging.getLogger("slipway")
_TIMEOUT_SECONDS = 30.0
"""An instance that starts from nothing was reported to take as long."""
_MOST_BYTES = 64 * 1024


async def ask_health(host: str) -> None:
    """Asks `host` for `/healthz` by https, once.

    Timers have instances of their own, so only a request that comes by the front end keeps one that
    serves HTTP. What fails is one line in the log: the next time comes by itself.
    """
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS), connections() as there:
            reply = await there.exchange("GET", f"https://{host}/healthz", {}, most=_MOST_BYTES)
    except OSError as error:
        _LOGGER.warning("keep warm: %s cannot be reached: %s", host, type(error).__name__)
    else:
        if reply.status != 200:
            _LOGGER.warning("keep warm: %s answered %d", host, reply.status)
