"""Ctrl-C, where there is something to clear away before the end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from slipway_cli.command import CommandError

_Answer = TypeVar("_Answer")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(CommandError):
    """Somebody pressed Ctrl-C."""

    status = 130


async def interruptible(work: Coroutine[Any, Any, _Answer], advice: str) -> _Answer:
    """Does the work; Ctrl-C has it end as an error would. The second one ends it at once.

    Raises `Interrupted`, with the advice how to go on.
    """
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    is_interrupted = False

    def interrupt() -> None:
        nonlocal is_interrupted
        is_interrupted = True
        restore()
        task.cancel()

    def restore() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    with suppress(NotImplementedError):  # On Windows, Ctrl-C ends it at once.
        for number in _SIGNALS:
            loop.add_signal_handler(number, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        if is_interrupted:
            raise Interrupted(f"interrupted. {advice}") from None
        raise
    finally:
        with suppress(NotImplementedError):
            restore()
