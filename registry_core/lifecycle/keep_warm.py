"""Keeps an instance for HTTP: the app asks itself for `/healthz`, as a client does."""

from __future__ import annotations

import logging

import aiohttp

_LOGGER = logging.getLogger("slipway")
_TIMEOUT_SECONDS = 30.0
"""An instance that starts from nothing was reported to take as long."""


async def ask_health(host: str) -> None:
    """Asks `host` for `/healthz` by https, once.

    Timers have instances of their own, so only a request that comes by the front end keeps one that
    serves HTTP. What fails is one line in the log: the next time comes by itself.
    """
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"https://{host}/healthz", allow_redirects=False) as response,
        ):
            if response.status != 200:
                _LOGGER.warning("keep warm: %s answered %d", host, response.status)
    except (aiohttp.ClientError, OSError) as error:
        _LOGGER.warning("keep warm: %s cannot be reached: %s", host, type(error).__name__)
