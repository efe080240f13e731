"""Interferences: what a test does to a storage call on its way out, or to its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from registry_core.storage.calls import Answer, Request, Send, StorageCall
from registry_core.storage.faults import Ambiguous
from tests.interference.operations import Operation


@dataclass
class SeenCall(StorageCall):
    """A storage call with what it reads or writes."""

    operations: tuple[Operation, ...] = ()

    def __str__(self) -> str:
        return ", ".join(map(str, self.operations)) or super().__str__()


class Interference:
    """What happens to a call; the base class lets it pass."""

    async def before(self, call: SeenCall, /) -> None:
        """Runs before the call goes out; what it raises is the call's outcome, unapplied."""

    async def forward(self, request: Request, send: Send, /) -> Answer:
        """Hands the call to storage."""
        return await send(request)

    async def after(self, call: SeenCall, /) -> None:
        """Runs when the answer has come; what it raises replaces it: applied, but unseen."""


@dataclass
class Refuse(Interference):
    """The connection fails before storage sees the call."""

    async def before(self, call: SeenCall) -> None:
        raise Ambiguous(f"interference: no connection for {call}")


@dataclass
class Drop(Interference):
    """Storage applies the call, and its answer is lost."""

    async def after(self, call: SeenCall) -> None:
        raise Ambiguous(f"interference: answer lost of {call}")


CODES = {
    412: "ConditionNotMet",
    429: "TooManyRequests",
    500: "OperationTimedOut",
    503: "ServerBusy",
}
"""What storage calls the reason of a status."""


@dataclass
class Answered(Interference):
    """Storage answers with a status, and has done nothing."""

    status: int

    async def forward(self, _: Request, __: Send) -> Answer:
        return Answer(self.status, {"x-ms-error-code": CODES[self.status]})


@dataclass
class Divert(Interference):
    """Another server answers in storage's place, say with a status that storage may give."""

    url: str

    async def forward(self, request: Request, send: Send) -> Answer:
        request.url = self.url
        return await send(request)


@dataclass
class Postpone(Interference):
    """The caller gives up waiting, and storage applies the call later: at `deliver`."""

    _delivery: Callable[[], Awaitable[Answer]] | None = None

    async def forward(self, request: Request, send: Send) -> Answer:
        self._delivery = partial(send, request)
        raise Ambiguous("interference: no answer in time")

    async def deliver(self) -> int | None:
        """Has storage apply the call now, once; the status it answered, None if none was kept."""
        delivery, self._delivery = self._delivery, None
        return (await delivery()).status if delivery else None


class Killed(BaseException):
    """The process that made a storage call is dead. Nothing of it goes on."""


@dataclass
class Death(Interference):
    """The process dies around the `number`th call from now on: it makes no other call.

    What was under way may have been applied or not.
    """

    number: int
    is_answered: bool
    """Whether storage has applied the call; else it has not even come there."""
    seen: int = 0

    async def before(self, call: SeenCall) -> None:
        self.seen += 1
        if self.seen > self.number or (self.seen == self.number and not self.is_answered):
            raise Killed(f"before {call}")

    async def after(self, call: SeenCall) -> None:
        if self.seen >= self.number:
            raise Killed(f"after {call}")


@dataclass
class Hold(Interference):
    """The call waits for `before_gate` to go out, and its answer for `after_gate` to be seen."""

    before_gate: Callable[[], Awaitable[Any]] | None = None
    after_gate: Callable[[], Awaitable[Any]] | None = None
    loses_answer: bool = False

    async def before(self, _: SeenCall) -> None:
        if self.before_gate:
            await self.before_gate()

    async def after(self, call: SeenCall) -> None:
        if self.after_gate:
            await self.after_gate()
        if self.loses_answer:
            raise Ambiguous(f"interference: answer lost of {call}")
