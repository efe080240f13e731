import asyncio
import contextvars
import sys
import threading
from typing import Any, NoReturn

import pytest

from devhost.triggers.worker import Function, FunctionExitError, UserFunction, Worker


def function(call: UserFunction) -> Function:
    return Function("f", call, "argument")


async def twice(argument: int) -> int:
    return 2 * argument


def thrice(argument: int) -> int:
    return 3 * argument


async def test_a_function_gets_its_argument_by_name_and_its_answer_is_returned() -> None:
    worker = Worker()
    assert await worker.call(function(twice), 7) == 14
    assert await worker.call(function(thrice), 7) == 21


async def test_an_async_function_runs_on_the_event_loop_and_another_in_a_thread() -> None:
    async def where(argument: object) -> threading.Thread:
        return threading.current_thread()

    def elsewhere(argument: object) -> threading.Thread:
        return threading.current_thread()

    worker = Worker()
    assert await worker.call(function(where), None) is threading.current_thread()
    thread = await worker.call(function(elsewhere), None)
    assert thread is not threading.current_thread()
    assert thread.daemon


async def test_a_thread_sees_the_context_of_its_caller() -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")

    def read(argument: object) -> str:
        return variable.get()

    assert await Worker().call(function(read), None) == "set"


async def test_no_more_threads_run_at_once_than_the_worker_has() -> None:
    running, most = 0, 0
    lock = threading.Lock()
    both = threading.Barrier(2, timeout=10)

    def count(argument: object) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait()
        with lock:
            running -= 1

    worker = Worker(threads=2)
    await asyncio.gather(*(worker.call(function(count), None) for _ in range(6)))
    assert most == 2


async def test_a_thread_that_was_given_up_is_busy_until_it_ends() -> None:
    started, release = threading.Event(), threading.Event()

    def hold(argument: object) -> None:
        started.set()
        release.wait(10)

    worker = Worker(threads=1)
    given_up = asyncio.create_task(worker.call(function(hold), None))
    await asyncio.to_thread(started.wait, 10)
    given_up.cancel()
    following = asyncio.create_task(worker.call(function(thrice), 1))
    await asyncio.wait([following], timeout=0.05)
    assert not following.done()
    release.set()
    assert await following == 3


def _raise(error: BaseException) -> NoReturn:
    raise error


class OddError(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (ValueError("x"), ValueError),
        (SystemExit(3), FunctionExitError),
        (KeyboardInterrupt(), FunctionExitError),
        (OddError(), FunctionExitError),
        (asyncio.CancelledError(), FunctionExitError),
    ],
)
async def test_whatever_a_function_raises_is_an_exception_to_its_caller(
    error: BaseException, seen: type[Exception]
) -> None:
    async def fails(argument: object) -> None:
        _raise(error)

    def fails_in_a_thread(argument: object) -> None:
        _raise(error)

    for each in (fails, fails_in_a_thread):
        with pytest.raises(seen):
            await Worker().call(function(each), None)
        assert not await Worker().succeeds(function(each), None)


async def test_stop_iteration_gets_out_of_a_thread() -> None:
    def fails(argument: object) -> Any:
        return next(iter(()))

    with pytest.raises(FunctionExitError, match="StopIteration"):
        await Worker().call(function(fails), None)


async def test_a_caller_that_is_cancelled_cancels_an_async_function() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def waits(argument: object) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    task = asyncio.create_task(Worker().succeeds(function(waits), None))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


async def test_a_function_that_fails_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def leaves(argument: object) -> None:
        sys.exit("enough")

    assert not await Worker().succeeds(function(leaves), None)
    assert "f: the function failed" in caplog.text
    assert "enough" in caplog.text
