"""A Functions host in small, for tests: an engine, and the front that clients talk to.

with EngineHost(app_dir, settings, tmp_path / "engine.log") as host:
    httpx.get(host.base_url + "/v2/")

It runs on an event loop in a thread of its own, so that tests can be plain functions that block.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import uvicorn

from devhost.sockets import IDLE_CONNECTION_SECONDS, bind
from tests.engine.front import Front
from tests.engine.process import EngineProcess

_PATIENCE = 600.0
"""In seconds; the longest test takes one or two minutes."""
_Result = TypeVar("_Result")


class EngineHost:
    """Serves the app in `app_dir`; it is ready once the constructor returns."""

    base_url: str

    def __init__(
        self,
        app_dir: Path,
        settings: Mapping[str, str],
        log: Path,
        *,
        engine: EngineProcess | None = None,
    ) -> None:
        """Raises `RuntimeError` with what the engine said if it cannot load the app."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.engine = engine or EngineProcess(log)
        try:
            self.run(self._start(app_dir, settings))
        except BaseException:
            self._end_loop()
            raise

    async def _start(self, app_dir: Path, settings: Mapping[str, str]) -> None:
        await self.engine.start(app_dir, settings)
        self._front = Front(self.engine, app_dir)
        listener = bind("127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._front,
                interface="asgi3",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=IDLE_CONNECTION_SECONDS,
            )
        )
        # What arrives before it has started waits in the listener's queue.
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Does `work` on the host's event loop, where the engine can be called.

        Raises `TimeoutError` after ten minutes.
        """
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The exceptions (`message`, `stack_trace`) of the HTTP invocations that failed."""
        return self._front.failures

    def stop(self) -> None:
        """Stops the front and the engine."""
        try:
            self.run(self._stop())
        finally:
            self._end_loop()

    async def _stop(self) -> None:
        self._server.should_exit = True
        await self._serving
        await self._front.close()
        await self.engine.stop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
