"""The time that a command gives storage."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest

from registry_core.errors import Unavailable
from registry_core.storage.budget import Budget, budgeted
from registry_core.storage.calls import Answer, Request
from slipway_cli import stores

READ = Request("GET", "https://acct.table.core.windows.net/access()")


class Clock(Budget):
    """A budget that tells how often it began anew."""

    renewals = 0

    def renew(self) -> None:
        super().renew()
        self.renewals += 1


async def sent(status: int) -> Clock:
    async def send(_: Request) -> Answer:
        return Answer(status, {})

    with budgeted(Clock(1.0)) as budget:
        await stores._Progress().send(READ, send)
    assert isinstance(budget, Clock)
    return budget


async def test_the_time_begins_anew_with_what_storage_answers_and_not_with_its_faults() -> None:
    assert [(await sent(status)).renewals for status in (200, 404, 500, 503)] == [1, 1, 0, 0]


async def test_what_does_not_answer_uses_the_time_up() -> None:
    async def send(_: Request) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError

    with budgeted(Budget(0.01)), pytest.raises(Unavailable):
        await stores._Progress().send(READ, send)
