"""A listener that takes metrics where Azure Monitor would."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

PATH = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/components/a/metrics"


@dataclass
class Monitor:
    """What came, and what is answered."""

    url: str = ""
    status: int = 200
    taken: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((request.path, dict(request.headers), await request.read()))
        self.came.set()
        return web.Response(status=self.status)

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The lines of the last request."""
        return [json.loads(line) for line in self.taken[-1][2].splitlines()]

    def sums(self) -> Counter[tuple[str, ...]]:
        """Of all requests: the sum of each metric, by its name and its dimensions but the region.

        Of times, how many there were.
        """
        found: Counter[tuple[str, ...]] = Counter()
        for *_, body in self.taken:
            for line in body.splitlines():
                base = json.loads(line)["data"]["baseData"]
                for series in base["series"]:
                    pairs = zip(base["dimNames"], series["dimValues"], strict=True)
                    also = [value for name, value in pairs if name != "Geolocation"]
                    what = "count" if base["metric"] == "RequestLatency" else "sum"
                    found[(base["metric"], *also)] += series[what]
        return found


@asynccontextmanager
async def listening() -> AsyncIterator[Monitor]:
    """A listener on this machine."""
    monitor = Monitor()
    app = web.Application()
    app.router.add_post("/{path:.*}", monitor.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monitor.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    try:
        yield monitor
    finally:
        await runner.cleanup()
