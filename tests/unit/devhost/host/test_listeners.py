import asyncio

import pytest

from devhost.host.listeners import Listeners


class FakeListener:
    """A listener with one call in progress, which ends when `release` is set."""

    def __init__(self, error: Exception | None = None) -> None:
        self.prepared = False
        self.ended: str | None = None
        self.release = asyncio.Event()
        self._error = error

    async def prepare(self) -> None:
        self.prepared = True

    async def listen(self, stopping: asyncio.Event) -> None:
        assert self.prepared
        if self._error:
            raise self._error
        try:
            await stopping.wait()
            await self.release.wait()
            self.ended = "by itself"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


async def test_a_call_in_progress_may_end_within_the_patience() -> None:
    listener = FakeListener()
    listeners = Listeners([listener])
    await listeners.start()
    listener.release.set()
    await listeners.stop(patience=10)
    assert listener.ended == "by itself"


async def test_after_the_patience_a_call_is_cancelled() -> None:
    listener = FakeListener()
    listeners = Listeners([listener])
    await listeners.start()
    await listeners.stop(patience=0.01)
    assert listener.ended == "cancelled"


async def test_one_that_fails_is_logged_and_leaves_the_others_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing, healthy = FakeListener(ValueError("on purpose")), FakeListener()
    healthy.release.set()
    listeners = Listeners([failing, healthy])
    await listeners.start()
    await listeners.stop(patience=10)
    assert healthy.ended == "by itself"
    assert "on purpose" in caplog.text


async def test_without_triggers_there_is_nothing_to_stop() -> None:
    listeners = Listeners([])
    await listeners.start()
    await listeners.stop(patience=10)
