import asyncio

import pytest

from registry_core.auth.throttle import Throttle
from registry_core.errors import TooManyRequests


class Clock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock.now, clock.sleep)


async def fail(throttle: Throttle, times: int, source: str = "a") -> None:
    for _ in range(times):
        await throttle.failed(source)


async def test_a_typing_error_waits_for_nothing(throttle: Throttle, clock: Clock) -> None:
    await fail(throttle, 10)
    assert clock.slept == []


@pytest.mark.rule("S8")
async def test_answers_to_wrong_passwords_wait_longer_each_time_up_to_a_second(
    throttle: Throttle, clock: Clock
) -> None:
    await fail(throttle, 30)
    assert len(clock.slept) == 20
    assert clock.slept == sorted(clock.slept)
    assert (clock.slept[0], clock.slept[-1]) == (0.1, 1.0)


@pytest.mark.rule("S8")
async def test_each_source_is_counted_for_itself(throttle: Throttle, clock: Clock) -> None:
    await fail(throttle, 20, "a")
    waited = len(clock.slept)
    await fail(throttle, 10, "b")
    assert len(clock.slept) == waited


async def test_what_was_wrong_is_forgotten_in_time(throttle: Throttle, clock: Clock) -> None:
    await fail(throttle, 20)
    clock.slept.clear()
    clock.time += 301
    await fail(throttle, 10)
    assert clock.slept == []


async def test_a_source_is_held_off_from_its_first_wrong_password_that_is_to_wait(
    throttle: Throttle, clock: Clock
) -> None:
    await fail(throttle, 9)
    assert throttle.held_off("a") == 0
    await fail(throttle, 1)
    assert (throttle.held_off("a"), throttle.held_off("b")) == (300, 0)
    clock.time += 299
    assert throttle.held_off("a") == 1
    clock.time += 1
    assert throttle.held_off("a") == 0


async def test_beside_fifty_that_wait_the_next_is_told_to_come_again() -> None:
    waiting = asyncio.Event()

    async def wait(_: float) -> None:
        await waiting.wait()

    throttle = Throttle(sleep=wait)
    await fail(throttle, 10)
    tasks = [asyncio.create_task(throttle.failed("a")) for _ in range(50)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests) as refused:
        await throttle.failed("a")
    assert int(refused.value.headers["Retry-After"]) >= 1
    waiting.set()
    await asyncio.gather(*tasks)


async def test_what_is_remembered_is_bounded(throttle: Throttle) -> None:
    for number in range(10_050):
        await throttle.failed(str(number))
    assert len(throttle._failures) == 10_000
