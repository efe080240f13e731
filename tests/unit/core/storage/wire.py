"""What answers in storage's place behind a call hook."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from registry_core.storage.calls import Answer, CallHook, Request

URL = "https://acct.blob.core.windows.net/content/uploads/x"


@dataclass
class Wire:
    """Stands for all that comes after the hook: answers when it is let."""

    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    answer: Answer = field(default_factory=lambda: Answer(201, {}))
    error: Exception | None = None

    async def send(self, request: Request) -> Answer:
        self.seen.append(request.url)
        await asyncio.sleep(0)
        if request.url in self.gates:
            await self.gates[request.url].wait()
        if self.error:
            raise self.error
        return self.answer


Send = Callable[[Request], Awaitable[Answer]]


def sending(hook: CallHook, wire: Wire) -> Send:
    """Sends a request through the hook, to `wire` behind it."""

    async def send(request: Request) -> Answer:
        return await hook.send(request, wire.send)

    return send


async def call(send: Send, url: str = URL, method: str = "GET") -> Answer:
    return await send(Request(method, url))
