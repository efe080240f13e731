"""A call hook that interferes: asked before every storage call, it may plan something for it."""

from __future__ import annotations

from collections.abc import Callable

from registry_core.storage.calls import Answer, CallHook, Request, Send, StorageCall
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

    async def around(self, call: StorageCall, request: Request, send: Send) -> Answer:
        if self.plan is None:
            return await send(request)
        seen = SeenCall(**vars(call), operations=operations_of(request))
        interference = self.plan(seen)
        if interference is None:
            return await send(request)
        await interference.before(seen)
        answer = await interference.forward(request, send)
        call.status = seen.status = answer.status
        await interference.after(seen)
        return answer
