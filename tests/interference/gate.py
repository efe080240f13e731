"""A storage call that is held until a test lets it go: what happens meanwhile is up to the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.interference.hook import InterferingHook
from tests.interference.kinds import Hold, Interference, SeenCall


class Gate:
    """Holds the first call of an instance that matches, or its answer, until it is opened."""

    def __init__(
        self,
        hook: InterferingHook,
        matches: Callable[[SeenCall], bool],
        *,
        is_answered: bool = False,
        loses_answer: bool = False,
    ) -> None:
        self.reached, self._open = asyncio.Event(), asyncio.Event()
        held: list[SeenCall] = []

        async def wait() -> None:
            self.reached.set()
            await self._open.wait()

        def plan(call: SeenCall) -> Interference | None:
            if held or not matches(call):
                return None
            held.append(call)
            if is_answered:
                return Hold(after_gate=wait, loses_answer=loses_answer)
            return Hold(before_gate=wait, loses_answer=loses_answer)

        hook.plan = plan

    def open(self) -> None:
        """Lets the call go."""
        self._open.set()
