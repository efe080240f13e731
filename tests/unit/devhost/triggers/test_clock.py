import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from devhost.triggers import clock
from devhost.triggers.clock import SystemClock
from devhost.triggers.ncrontab import NEVER

SOON = timedelta(milliseconds=30)


async def test_a_moment_comes_and_never_too_early() -> None:
    moment = datetime.now(UTC) + SOON
    assert await SystemClock().wait_until(moment, asyncio.Event())
    assert datetime.now(UTC) >= moment


async def test_a_moment_further_away_than_the_longest_wait_comes_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "_LONGEST_WAIT", 0.001)
    moment = datetime.now(UTC) + SOON
    assert await SystemClock().wait_until(moment, asyncio.Event())
    assert datetime.now(UTC) >= moment


async def test_who_is_stopping_waits_for_nothing() -> None:
    stopping = asyncio.Event()
    waiting = asyncio.create_task(SystemClock().wait_until(NEVER, stopping))
    await asyncio.sleep(0)
    stopping.set()
    assert not await waiting
    assert not await SystemClock().wait_until(datetime.now(UTC) - SOON, stopping)
