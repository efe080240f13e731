"""`GET /healthz`: 200 once storage is reachable, for probes; open to all, so it tells no more.

Whatever storage does, it answers in seconds: whoever probes waits for ten at most.
"""

from __future__ import annotations

import asyncio
import logging
import time

from azure.core.exceptions import AzureError
from starlette.responses import PlainTextResponse, Response

from registry_core.errors import RegistryError
from registry_core.registry import Registry
from registry_core.storage.faults import StorageFault
from registry_core.system import SchemaError

_LOGGER = logging.getLogger("slipway")
_REMEMBER_SECONDS = 5.0


class Health:
    """Asks storage at most once in five seconds, however often it is asked itself."""

    def __init__(self) -> None:
        self._until = 0.0
        self._asking = asyncio.Lock()
        self._healthy = False

    async def get(self, registry: Registry) -> Response:
        """200 `ok`, or 503."""
        async with self._asking:
            if time.monotonic() >= self._until:
                self._healthy = await _reachable(registry)
                self._until = time.monotonic() + _REMEMBER_SECONDS
        if self._healthy and registry.room.is_out:
            return PlainTextResponse("storage full\n", 503, {"Retry-After": "60"})
        if self._healthy:
            return PlainTextResponse("ok\n")
        return PlainTextResponse("storage unreachable\n", 503, {"Retry-After": "5"})


async def _reachable(registry: Registry) -> bool:
    try:
        async with asyncio.timeout(registry.settings.limits.health):
            await registry.open()
            return await registry.system.is_there()
    except (AzureError, StorageFault, RegistryError, SchemaError, TimeoutError):
        _LOGGER.warning("health check failed", exc_info=True)
        return False
