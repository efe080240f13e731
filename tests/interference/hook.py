"""A call hook that interferes: asked before every storage call, it may plan something for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure.core.pipeline import PipelineRequest

from registry_core.storage.calls import CallHook, Response, Send, StorageCall
from tests.interference.kinds import Interference, SeenCall
from tests.interference.operations import operations_of


class InterferingHook(CallHook):
    """Hands each call to the interference that is planned for it, if one is."""

    def __init__(self) -> None:
        super().__init__()
        self.plan: Callable[[SeenCall], Interference | None] | None = None
        """Asked before every call."""

    def plan_nth(self, number: int, interference: Interference) -> None:
        """Plans `interference` for the `number`th call of any trace, counted from 1, once."""
        pending = [interference]

        def plan(call: SeenCall) -> Interference | None:
            return pending.pop() if call.number == number and pending else None

        self.plan = plan

    async def around(
        self, call: StorageCall, request: PipelineRequest[Any], send: Send
    ) -> Response:
        if self.plan is None:
            return await send(request)
        seen = SeenCall(**vars(call), operations=operations_of(request.http_request))
        interference = self.plan(seen)
        if interference is None:
            return await send(request)
        await interference.before(seen)
        response = await interference.forward(request, send)
        call.status = seen.status = response.http_response.status_code
        await _settle(response)
        await interference.after(seen)
        return response


async def _settle(response: Response) -> None:
    """Reads the answer whole where it can be, so that a dropped one leaves its connection clean."""
    answer = response.http_response
    if not getattr(answer, "is_stream_consumed", True):
        await answer.read()
