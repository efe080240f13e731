"""One instance of the registry in a process of its own, which makes no storage call unasked.

Every storage call stops before it goes out, is announced, and waits for its turn. Whatever the
instance can do without storage it does at once: it reports only when nothing is left that could
run, so that the same turns always lead to the same calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from registry_core.errors import RegistryError
from registry_core.model.change import SetAttributes
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.settings import Settings
from registry_core.storage import budget, tables
from tests.integration.core.support import Client, connect
from tests.interference.kinds import Interference, SeenCall
from tests.interference.operations import Operation

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What an instance is to answer."""

    method: str
    url: str
    content: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Answer:
    """What it answered."""

    status: int
    code: str
    """The OCI error code; empty for a success."""
    headers: dict[str, str] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Call:
    """A storage call that waits for its turn."""

    number: int
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Report:
    """What an instance waits for, or its answer, once nothing is left for it to do by itself."""

    pending: tuple[Call, ...]
    answer: Answer | None


class _Inline(ThreadPoolExecutor):
    """Runs at once what would go to a thread, whose end nobody could foresee."""

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the caller's, who awaits the future
            future.set_exception(error)
        return future


class _Gate(Interference):
    """Holds every call until it is its turn."""

    def __init__(self) -> None:
        self.pending: dict[int, tuple[Call, asyncio.Future[None]]] = {}
        self.under_way = 0
        self._announced = 0

    async def before(self, call: SeenCall) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._announced += 1
        number = self._announced
        self.pending[number] = (Call(number, call.operations), turn)
        try:
            await turn
        except asyncio.CancelledError:  # Not wanted any more: another call has failed.
            self.pending.pop(number, None)
            raise

    async def after(self, _: SeenCall) -> None:
        self.under_way -= 1

    def release(self, number: int) -> None:
        """Lets a call go out."""
        _, turn = self.pending.pop(number)
        self.under_way += 1
        turn.set_result(None)


async def _quiet(gate: _Gate) -> None:
    """Returns when nothing is left to run: no call is under way, no callback ready."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(0)
        if not gate.under_way and not loop._ready:  # type: ignore[attr-defined]
            return
        if gate.under_way:
            await asyncio.sleep(0.0002)


async def _serve(pipe: Connection, settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(_Inline())
    gate = _Gate()
    commands: asyncio.Queue[Any] = asyncio.Queue()
    async with connect(settings) as client:
        client.hook.plan = lambda _: gate
        loop.add_reader(pipe.fileno(), lambda: commands.put_nowait(pipe.recv()))
        task: asyncio.Task[Answer] | None = None
        pipe.send(None)
        while (command := await commands.get()) is not None:
            if isinstance(command, Request):
                if task and not task.done():  # Of an execution that nobody needs to the end.
                    task.cancel()
                    await asyncio.wait([task])
                    gate.pending.clear()
                task = asyncio.create_task(_answer(client, command))
            else:
                gate.release(command)
            await _quiet(gate)
            answer = task.result() if task and task.done() else None
            pipe.send(Report(tuple(call for call, _ in gate.pending.values()), answer))
        client.hook.plan = None
        loop.remove_reader(pipe.fileno())


async def _answer(client: Client, request: Request) -> Answer:
    if request.method == "LOCK":
        return await _lock(client, *request.url.split(" "))
    response = await client.send(
        request.method, request.url, content=request.content, headers=dict(request.headers)
    )
    code = ""
    if response.status_code >= 400:
        code = response.json()["errors"][0]["code"]
    return Answer(response.status_code, code, dict(response.headers))


async def _lock(client: Client, repository: str, target: str, *attributes: str) -> Answer:
    """Sets attributes to false; there is no request yet that does."""
    name = RepositoryName(repository)
    of: Digest | Tag | None = None
    if target != "repository":
        of = Digest.parse(target) if Digest.looks_like(target) else Tag(target)
    try:
        await client.services.locks.set(name, SetAttributes(dict.fromkeys(attributes, False), of))
    except RegistryError as error:
        return Answer(error.status, error.code, {})
    return Answer(200, "", {})


def _forget_versions() -> None:
    """Has every write do without the version that it is to be applied to."""
    operation = tables._operation

    def careless(partition: str, change: tables.RowChange) -> Any:
        return operation(partition, replace(change, etag=None))

    tables._operation = careless


def run(pipe: Connection, settings: Settings, is_careless: bool) -> None:
    """The process: serves what comes through `pipe` until that says None."""
    if is_careless:
        _forget_versions()
    budget._BACK_OFF_SECONDS = 0
    asyncio.run(_serve(pipe, settings))
