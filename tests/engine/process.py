"""The engine's process as the host sees it: started, told of its app, asked to run functions."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devhost.processes.children import Child
from tests.engine.protos import StatusResult

ROOT = Path(__file__).resolve().parents[2]
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").is_file(), reason="memory is read from Linux's /proc"
)
_START_TIMEOUT = 60.0
"""In seconds; also how long the Functions host waits for a worker."""


@dataclass(frozen=True)
class Function:
    """A function of the app; `trigger` is its binding as the engine reports it."""

    name: str
    id: str
    trigger: Mapping[str, Any]


class EngineProcess:
    """One engine with one app. All is to be called on the event loop it was started on."""

    http_uri: str
    """Where the engine takes forwarded requests: scheme, address and port."""
    functions: Mapping[str, Function]
    load_results: list[dict[str, Any]]
    """What the engine said of the app as a whole, and then of each function."""

    def __init__(self, log: Path, python: Path = Path(sys.executable)) -> None:
        """`python` runs it, and finds `tests.engine.worker` by the PYTHONPATH of its settings."""
        self._log = log
        self._python = python
        self._calls: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def start(self, app_dir: Path, env: Mapping[str, str]) -> None:
        """Starts the engine and has it load the app in `app_dir`, with no settings but `env`.

        The thread must live on as long as the process should: see `devhost.processes.children`.
        Raises `RuntimeError` with what the engine said if it ends or cannot load the app.
        """
        connected: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        connected = asyncio.get_running_loop().create_future()
        listener = await asyncio.start_server(
            lambda reader, writer: connected.set_result((reader, writer)), "127.0.0.1", 0
        )
        port = listener.sockets[0].getsockname()[1]
        command = [str(self._python), "-u", "-m", "tests.engine.worker", str(port), str(app_dir)]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **env}
        with self._log.open("wb") as output:
            # Python looks for modules in the current directory first: those of the app.
            self._process = Child(command, output=output, env=environment, cwd=app_dir)
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                while not connected.done() and self._process.poll() is None:
                    await asyncio.wait([connected], timeout=0.05)
        except BaseException:
            self._process.stop()
            raise
        finally:
            listener.close()
        if not connected.done():
            raise RuntimeError(f"the engine ended:\n{self.output}")
        reader, self._writer = connected.result()
        self._receiving = asyncio.create_task(self._receive(reader))
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await self._initialize()
        except BaseException:
            await self.stop()
            raise

    async def _initialize(self) -> None:
        answer = await self._call("init", {})
        self.load_results = answer["results"]
        if any(result["status"] != StatusResult.Success for result in self.load_results):
            raise RuntimeError(f"the engine cannot load the app: {self.load_results}")
        self.functions = {
            function["name"]: Function(
                function["name"],
                function["id"],
                next(b for b in function["bindings"] if b["type"].endswith("Trigger")),
            )
            for function in answer["functions"]
        }
        self.http_uri = answer["http_uri"]
        await self._wait_until_listening()

    async def _wait_until_listening(self) -> None:
        """The engine names its port before it listens there; the host tries until it does."""
        host, _, port = self.http_uri.removeprefix("http://").partition(":")
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return

    async def invoke(
        self,
        function: Function,
        data: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
        invocation_id: str | None = None,
    ) -> dict[str, Any]:
        """Runs a function with `data` (a TypedData's field) for its trigger.

        Gives the result: `status`, and the `exception` of a failure.
        """
        message = {
            "function": function.id,
            "id": invocation_id or str(uuid.uuid4()),
            "input": {function.trigger["name"]: data},
            "metadata": metadata or {},
        }
        answer = await self._call("invoke", message)
        result: dict[str, Any] = answer["result"]
        return result

    async def _call(self, call: str, message: Mapping[str, Any]) -> dict[str, Any]:
        if self._receiving.done():
            raise RuntimeError(f"the engine has hung up:\n{self.output}")
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._calls[message.get("id", call)] = future
        self._writer.write(json.dumps({"call": call, **message}).encode() + b"\n")
        return await future

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            answer = json.loads(line)
            future = self._calls.pop(answer.get("id", answer["call"]))
            # The request it belongs to may have been given up.
            if not future.done():
                future.set_result(answer)
        for future in self._calls.values():
            if not future.done():
                future.set_exception(RuntimeError(f"the engine hung up:\n{self.output}"))

    @property
    def output(self) -> str:
        """The end of what the process has printed, on both streams."""
        return self._log.read_text(errors="replace")[-5000:]

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def memory(self, figure: str = "VmRSS") -> int:
        """Resident memory in bytes, now (`VmRSS`) or at its peak (`VmHWM`); see proc(5)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"{figure}:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024

    async def stop(self) -> None:
        """Ends the process."""
        self._process.stop()
        await self._receiving
        self._writer.close()
        await self._writer.wait_closed()
