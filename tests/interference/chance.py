"""Storage that fails a share of its calls: each call by the throw of a die."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass

from registry_core.errors import Unavailable
from registry_core.storage.calls import Answer, Request, Send
from registry_core.storage.faults import StorageFault
from tests.interference.hook import InterferingHook
from tests.interference.kinds import Answered, Drop, Interference, Postpone, Refuse, SeenCall

_STATUSES = (429, 500, 503)
_LATEST_SECONDS = 2.0

met: ContextVar[list[str] | None] = ContextVar("met", default=None)
"""What the request at hand has met with: a list, for those who want to know."""


@dataclass
class Belated(Postpone):
    """The caller gives up waiting, and storage applies the call some time after that."""

    seconds: float = 0.0

    async def forward(self, request: Request, send: Send) -> Answer:
        # Whoever gave up may write to its own memory again.
        request.body = bytes(request.body)
        task = asyncio.create_task(self._deliver())
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        return await super().forward(request, send)

    async def _deliver(self) -> None:
        await asyncio.sleep(self.seconds)
        with suppress(StorageFault, Unavailable):
            await self.deliver()


under_way: set[asyncio.Task[None]] = set()
"""The calls that are still to be applied."""


class ChanceHook(InterferingHook):
    """Fails a share of the calls of a process, and counts."""

    def __init__(self, share: float, seed: int) -> None:
        super().__init__()
        self._share = share
        self._random = random.Random(seed)
        self._open: Counter[object] = Counter()
        self.failed: Counter[str] = Counter()
        """By the name of what was done to them."""
        self.repeated = 0
        """How many of the calls that failed were followed by the same call once more."""
        self.plan = self._throw

    def _throw(self, call: SeenCall) -> Interference | None:
        same = (call.method, call.url, call.operations)
        if self._open[same]:
            self._open[same] -= 1
            self.repeated += 1
        if self._random.random() >= self._share:
            return None
        interference = self._draw()
        name = type(interference).__name__.lower()
        self._open[same] += 1
        self.failed[name] += 1
        if (found := met.get()) is not None:
            found.append(name)
        return interference

    def _draw(self) -> Interference:
        return self._random.choice(
            (
                Refuse(),
                Drop(),
                Answered(self._random.choice(_STATUSES)),
                Belated(seconds=self._random.uniform(0, _LATEST_SECONDS)),
            )
        )
