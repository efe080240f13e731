"""A pipeline of one call policy, with something that answers in storage's place behind it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from azure.core.pipeline import PipelineContext, PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.rest import HttpRequest

from registry_core.storage.calls import CallHook, CallPolicy

URL = "https://acct.blob.core.windows.net/content/uploads/x"


@dataclass
class Answer:
    status_code: int = 201
    is_stream_consumed: bool = False

    async def read(self) -> None:
        self.is_stream_consumed = True


@dataclass
class Wire(AsyncHTTPPolicy[Any, Any]):
    """Stands for all that comes after the policy: answers when it is let."""

    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    answer: Answer = field(default_factory=Answer)
    error: Exception | None = None

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        url = request.http_request.url
        self.seen.append(url)
        await asyncio.sleep(0)
        if url in self.gates:
            await self.gates[url].wait()
        if self.error:
            raise self.error
        return PipelineResponse(request.http_request, self.answer, request.context)


def policy_of(hook: CallHook, wire: Wire) -> CallPolicy:
    """The hook's policy, with `wire` behind it."""
    made = hook.policy()
    made.next = wire
    return made


async def call(policy: CallPolicy, url: str = URL, method: str = "GET") -> Any:
    request = PipelineRequest(HttpRequest(method, url), PipelineContext(None))
    return await policy.send(request)
