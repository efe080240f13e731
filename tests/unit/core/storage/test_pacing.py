import asyncio

import pytest

from registry_core.storage import pacing


async def test_outcomes_come_in_order_and_no_more_than_32_are_under_way() -> None:
    under_way, most = 0, 0

    async def call(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return number

    assert await pacing.together(call(number) for number in range(100)) == list(range(100))
    assert most == 32


async def test_the_first_that_fails_ends_the_others_and_those_to_come_do_not_begin() -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def call(number: int) -> None:
        begun.append(number)
        try:
            await asyncio.sleep(0 if number == 1 else 60)
            raise LookupError
        except asyncio.CancelledError:
            ended.append(number)
            raise

    with pytest.raises(LookupError):
        await pacing.together(call(number) for number in range(100))
    assert begun == list(range(32))
    assert sorted(ended) == [number for number in range(32) if number != 1]
