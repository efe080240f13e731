"""Calling functions as the Python worker does: `async` ones on the event loop, others in threads.

https://learn.microsoft.com/azure/azure-functions/python-scale-performance-reference
"""

import asyncio
import contextlib
import contextvars
import inspect
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

UserFunction = Callable[..., Any]

_log = logging.getLogger("devhost")


class FunctionExitError(Exception):
    """The function called `sys.exit` or the like, which in Azure ends the worker, not the host."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the app; `parameter` is the name of the argument its trigger gives it."""

    name: str
    call: UserFunction
    parameter: str

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop, and not in a thread."""
        return inspect.iscoroutinefunction(self.call)


class Worker:
    """Calls functions, of which `threads` that are not `async` run at the same time.

    The threads are daemons, so that a function which never returns cannot keep the process alive.
    """

    def __init__(self, threads: int | None = None) -> None:
        # As many as the worker has where PYTHON_THREADPOOL_THREAD_COUNT does not say otherwise.
        self._threads = asyncio.Semaphore(threads or min(32, (os.cpu_count() or 1) + 4))

    async def call(self, function: Function, argument: object) -> Any:
        """Call `function` and return what it returns.

        Raises:
            FunctionExitError: it tried to end the process.
            Exception: whatever it raised.
        """
        if not function.is_async:
            return await self._call_in_thread(function, argument)
        try:
            return await function.call(**{function.parameter: argument})
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise FunctionExitError("the function cancelled itself") from error
        except Exception:
            raise
        except BaseException as error:
            # SystemExit would end the event loop that meets it.
            raise FunctionExitError(f"the function ended with {error!r}") from error

    async def succeeds(self, function: Function, argument: object) -> bool:
        """Call `function` for a trigger that expects no answer; log how it went, and tell whether.

        Nothing that the function raises gets further.
        """
        began = time.monotonic()
        try:
            await self.call(function, argument)
        except Exception:  # noqa: BLE001 - whatever it is, the trigger goes on
            _log.exception("%s: the function failed", function.name)
            return False
        milliseconds = round((time.monotonic() - began) * 1000)
        _log.info("%s: done in %d ms", function.name, milliseconds)
        return True

    async def _call_in_thread(self, function: Function, argument: object) -> Any:
        await self._threads.acquire()
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def finish(result: object, error: Exception | None) -> None:
            # Only now: the caller may have given up, but the thread was busy all the same.
            self._threads.release()
            if outcome.done():
                return
            if error is None:
                outcome.set_result(result)
            else:
                outcome.set_exception(error)

        def run() -> None:
            result: object = None
            failure: Exception | None = None
            try:
                result = context.run(function.call, **{function.parameter: argument})
            except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
                failure = _for_a_future(error)
            # The loop may have ended before the function.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, result, failure)

        threading.Thread(target=run, name=function.name, daemon=True).start()
        return await outcome


def _for_a_future(error: BaseException) -> Exception:
    """Return `error`, or what stands for it if a future could not carry it."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    substitute = FunctionExitError(f"the function ended with {error!r}")
    substitute.__cause__ = error
    return substitute
