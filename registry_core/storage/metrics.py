"""Custom metrics of Azure Monitor: put together in memory, and sent once a minute at most.

"Ingest custom metrics for an Azure resource using the REST API", Azure Monitor documentation: one
line of JSON for each metric and minute, with the least, the greatest, the sum and the count.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime

from registry_core.storage.client.choice import connections
from registry_core.storage.connection import Connection
from registry_core.storage.faults import Refused

PAUSE_SECONDS = 60.0
"""So long an instance gathers before it sends."""
MOST_SERIES = 2_000
"""More than these are not gathered: nobody can fill the memory by asking for many things."""
SCOPE = "https://monitoring.azure.com/.default"
"""What the token must be for."""
_SEND_SECONDS = 10.0
_MOST_BYTES = 64 * 1024
_LOGGER = logging.getLogger("slipway")

Token = Callable[[], Awaitable[str]]
"""Answers a token that allows to publish. Raises `Refused`."""


@dataclass
class _Values:
    """What was seen of one thing in one minute."""

    least: float
    greatest: float
    total: float
    count: int

    def add(self, value: float, count: int) -> None:
        """Sees a value so many times."""
        self.least, self.greatest = min(self.least, value), max(self.greatest, value)
        self.total += value * count
        self.count += count


_Key = tuple[datetime, str, tuple[tuple[str, str], ...]]


class MetricsSender:
    """Sends the metrics of one instance. Used on one event loop; `close` when done.

    Nothing runs while there is nothing to tell: the first value has what is gathered sent a minute
    later, and nothing is asked again. What could not be sent is not sent again, because nobody
    knows whether it has arrived: rather too little is told than too much.
    """

    def __init__(
        self,
        url: str,
        namespace: str,
        token: Token | None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = url
        self._namespace = namespace
        self._token = token
        self._now = now
        self._pause = pause
        self._values: dict[_Key, _Values] = {}
        self._sending: asyncio.Task[None] | None = None
        self._has_failed = False

    @classmethod
    def over(cls, connection: Callable[[], Connection], url: str, namespace: str) -> MetricsSender:
        """Signs in as the identity that a connection has. Over plain http it sends no token."""

        async def token() -> str:
            return await connection().token(SCOPE)

        return cls(url, namespace, token if url.startswith("https://") else None)

    def add(
        self, metric: str, dimensions: Mapping[str, str], value: float = 1, count: int = 1
    ) -> None:
        """Sees a value so many times, and has it sent within a minute or so."""
        minute = self._now().replace(second=0, microsecond=0)
        key = minute, metric, tuple(sorted(dimensions.items()))
        known = self._values.get(key)
        if known is not None:
            known.add(value, count)
        elif len(self._values) < MOST_SERIES:
            self._values[key] = _Values(value, value, value * count, count)
        if self._sending is None:
            loop = asyncio.get_running_loop()
            # Of its own: the request that happens to come first has a budget and a trace.
            self._sending = loop.create_task(self._send_later(), context=Context())

    async def send(self) -> None:
        """Sends what is gathered, in one request. What fails is a line in the log."""
        gathered, self._values = self._values, {}
        if not gathered:
            return
        try:
            await self._post(self._lines(gathered))
        except (OSError, Refused, ValueError) as error:
            # Once, not each minute.
            if not self._has_failed:
                _LOGGER.warning("metrics could not be sent: %s %s", type(error).__name__, error)
            self._has_failed = True
        else:
            self._has_failed = False

    async def close(self) -> None:
        """Sends the last of them."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
            self._sending = None
        await self.send()

    async def _send_later(self) -> None:
        await self._pause(PAUSE_SECONDS)
        # What is added from now on has another task.
        self._sending = None
        await self.send()

    async def _post(self, body: bytes) -> None:
        headers = {"Content-Type": "application/x-ndjson"}
        async with asyncio.timeout(_SEND_SECONDS):
            if self._token is not None:
                headers["Authorization"] = f"Bearer {await self._token()}"
            async with connections() as there:
                reply = await there.exchange("POST", self._url, headers, body, most=_MOST_BYTES)
            if reply.status >= 300:
                raise ValueError(f"Azure Monitor answered {reply.status}")

    def _lines(self, gathered: dict[_Key, _Values]) -> bytes:
        """A line for each metric, minute and set of dimensions."""
        documents: dict[tuple[datetime, str, tuple[str, ...]], list[dict[str, object]]] = {}
        for (minute, metric, dimensions), values in gathered.items():
            names = tuple(name for name, _ in dimensions)
            series = documents.setdefault((minute, metric, names), [])
            series.append(
                {
                    "dimValues": [value for _, value in dimensions],
                    "min": values.least,
                    "max": values.greatest,
                    "sum": values.total,
                    "count": values.count,
                }
            )
        return b"".join(
            json.dumps(self._document(*about, series), separators=(",", ":")).encode() + b"\n"
            for about, series in documents.items()
        )

    def _document(
        self, minute: datetime, metric: str, names: tuple[str, ...], series: list[dict[str, object]]
    ) -> dict[str, object]:
        known = {
            "metric": metric,
            "namespace": self._namespace,
            "dimNames": list(names),
            "series": series,
        }
        return {"time": minute.strftime("%Y-%m-%dT%H:%M:%SZ"), "data": {"baseData": known}}
