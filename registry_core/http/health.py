"""`GET /healthz`: 200 once storage is reachable, for probes; open to all, so it tells no more."""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.responses import PlainTextResponse, Response

from registry_core.errors import RegistryError
from registry_core.http import policy
from registry_core.registry import Registry
from registry_core.storage.faults import StorageFault, UnexpectedRefusal
from registry_core.system import SchemaError

_LOGGER = logging.getLogger("slipway")
_REMEMBER_SECONDS = 5.0
_UNREACHABLE = "storage unreachable"


class Health:
    """Asks storage at most once in five seconds, however often it is asked itself."""

    def __init__(self) -> None:
        self._until = 0.0
        self._asking = asyncio.Lock()
        self._fault = ""
        """What keeps the registry from working, in a line; empty if nothing does."""

    async def get(self, registry: Registry) -> Response:
        """200 `ok`, or 503 and why."""
        response = await self._answer(registry)
        policy.apply(response)
        return response

    async def _answer(self, registry: Registry) -> Response:
        async with self._asking:
            if time.monotonic() >= self._until:
                self._fault = await _fault(registry)
                self._until = time.monotonic() + _REMEMBER_SECONDS
        if self._fault:
            return PlainTextResponse(f"{self._fault}\n", 503, {"Retry-After": "5"})
        if registry.room.is_out:
            return PlainTextResponse("storage full\n", 503, {"Retry-After": "60"})
        return PlainTextResponse("ok\n")


async def _fault(registry: Registry) -> str:
    try:
        async with asyncio.timeout(registry.settings.limits.health):
            services = await registry.open()
            return "" if await services.system.is_there() else _UNREACHABLE
    except SchemaError as error:
        _LOGGER.error("%s", error.text)  # noqa: TRY400 - nothing failed, so no stack trace
        return error.text
    except (StorageFault, UnexpectedRefusal, RegistryError, TimeoutError):
        _LOGGER.warning("health check failed", exc_info=True)
        return _UNREACHABLE
