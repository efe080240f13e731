"""One instance of the registry in a process of its own, which makes no storage call unasked.

Every storage call stops before it goes out, is announced, and waits for its turn. Whatever the
instance can do without storage it does at once: it reports only when nothing is left that could
run, so that the same turns always lead to the same calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from registry_core.repositories import rows
from registry_core.settings import Settings
from registry_core.storage import budget, tables
from registry_core.storage.entities import Part
from registry_core.storage.faults import Ambiguous
from tests.integration.core.support import Client, connect
from tests.integration.explorer import requests
from tests.integration.explorer.requests import Answer, Request
from tests.interference.kinds import Interference, SeenCall
from tests.interference.operations import Operation

T = TypeVar("T")


@dataclass(frozen=True)
class Begin:
    """What an instance is to answer: requests, one after the other."""

    requests: Sequence[Request]
    inline_bytes: int
    """Manifests up to this size lie in their row."""


@dataclass(frozen=True)
class Release:
    """A storage call whose turn it is."""

    number: int
    loses_answer: bool = False
    """Whether storage makes it, and the connection breaks before the answer."""


@dataclass(frozen=True)
class Call:
    """A storage call that waits for its turn."""

    number: int
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Report:
    """What an instance waits for, and its answers, once nothing is left for it to do by itself."""

    pending: tuple[Call, ...]
    answers: tuple[Answer, ...]
    """To its first requests, as many as it has answered."""


class _Inline(ThreadPoolExecutor):
    """Runs at once what would go to a thread, whose end nobody could foresee."""

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the caller's, who awaits the future
            future.set_exception(error)
        return future


class _Gate:
    """Holds every call until it is its turn."""

    def __init__(self) -> None:
        self.pending: dict[int, tuple[Call, asyncio.Future[bool]]] = {}
        self.landed = asyncio.Event()
        """Set while no call is under way."""
        self.landed.set()
        self.is_closed = False
        """Nothing goes out any more: who waits is told to end."""
        self._announced = 0

    async def wait(self, operations: tuple[Operation, ...]) -> bool:
        """Waits for the turn; answers whether the call is to lose its answer."""
        if self.is_closed:
            raise asyncio.CancelledError
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._announced += 1
        number = self._announced
        self.pending[number] = (Call(number, operations), turn)
        try:
            return await turn
        except asyncio.CancelledError:  # Not wanted any more: another call has failed.
            self.pending.pop(number, None)
            raise

    def release(self, release: Release) -> None:
        """Lets a call go out."""
        _, turn = self.pending.pop(release.number)
        self.landed.clear()
        turn.set_result(release.loses_answer)


class _Turn(Interference):
    """Has one call wait at the gate."""

    def __init__(self, gate: _Gate) -> None:
        self._gate = gate
        self._loses_answer = False

    async def before(self, call: SeenCall) -> None:
        self._loses_answer = await self._gate.wait(call.operations)

    async def after(self, call: SeenCall) -> None:
        self._gate.landed.set()
        if self._loses_answer:
            raise Ambiguous(f"interference: answer lost of {call}")


async def _quiet(gate: _Gate) -> None:
    """Returns when nothing is left to run: no call is under way, no callback ready."""
    loop = asyncio.get_running_loop()
    await gate.landed.wait()
    while True:
        await asyncio.sleep(0)
        if not loop._ready:  # type: ignore[attr-defined]
            return


async def _serve(pipe: Connection, settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_Inline())
    gate = _Gate()
    commands: asyncio.Queue[Any] = asyncio.Queue()
    async with connect(settings) as client:
        client.hook.plan = lambda _: _Turn(gate)
        loop.add_reader(pipe.fileno(), lambda: commands.put_nowait(_received(pipe)))
        task: asyncio.Task[None] | None = None
        answers: list[Answer] = []
        pipe.send(None)
        while (command := await commands.get()) is not None:
            if isinstance(command, Begin):
                await _give_up(task, gate)
                rows.INLINE_BYTES = command.inline_bytes
                answers = []
                task = asyncio.create_task(_answer_all(client, command.requests, answers))
            else:
                gate.release(command)
            await _quiet(gate)
            if task and task.done():
                task.result()
            pipe.send(Report(tuple(call for call, _ in gate.pending.values()), tuple(answers)))
        await _give_up(task, gate)
        client.hook.plan = None
        loop.remove_reader(pipe.fileno())


def _received(pipe: Connection) -> object:
    """What the test wants; None, which ends the instance, where the test has gone."""
    try:
        return pipe.recv()
    except (EOFError, ConnectionResetError):
        asyncio.get_running_loop().remove_reader(pipe.fileno())
        return None


async def _answer_all(client: Client, wanted: Sequence[Request], answers: list[Answer]) -> None:
    for request in wanted:
        found = await requests.answer(client, request)
        answers.append(found)


async def _give_up(task: asyncio.Task[None] | None, gate: _Gate) -> None:
    """Ends an execution that nobody needs to the end: it makes no call any more."""
    if task and not task.done():
        gate.is_closed = True
        task.cancel()
        await asyncio.wait([task])
        gate.is_closed = False
    gate.pending.clear()


def _forget_versions() -> None:
    """Has every write do without the version that it is to be applied to."""
    part = tables._part

    def careless(change: tables.RowChange) -> Part:
        return part(replace(change, etag=None))

    tables._part = careless


def run(pipe: Connection, settings: Settings, is_careless: bool) -> None:
    """The process: serves what comes through `pipe` until that says None."""
    if is_careless:
        _forget_versions()
    budget._BACK_OFF_SECONDS = 0
    asyncio.run(_serve(pipe, settings))
