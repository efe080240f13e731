"""Two requests to two instances at once, each in a process of its own, on one storage account."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from registry_core.settings import Settings
from registry_core.storage import keys
from tests.integration.explorer import instance
from tests.integration.explorer.instance import Answer, Report, Request
from tests.integration.explorer.search import Event
from tests.interference.operations import Operation

_TIMES = re.compile(r"^([MT]):\d{19}")
_IDS = re.compile(r"[0-9a-f]{8}([-,][0-9a-f]{4}){3}[-,][0-9a-f]{12}")
"""Ids of uploads, in names of objects and, encoded, in keys of rows."""


class Instance:
    """A process that runs one instance of the registry.

    A careless one leaves out the conditions of its writes on tables: what the explorer is to find.
    """

    def __init__(self, settings: Settings, *, is_careless: bool = False) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        arguments = (other, settings, is_careless)
        self._process = context.Process(target=instance.run, args=arguments, daemon=True)
        self._process.start()
        other.close()
        assert self._receive() is None

    def begin(self, request: Request) -> Report:
        """Has it answer a request, as far as that goes without storage."""
        self._pipe.send(request)
        return self._report()

    def release(self, number: int) -> Report:
        """Has it make a storage call that it has announced."""
        self._pipe.send(number)
        return self._report()

    def _report(self) -> Report:
        report = self._receive()
        assert isinstance(report, Report)
        return report

    def _receive(self) -> object:
        assert self._pipe.poll(60), "the instance got stuck"
        return self._pipe.recv()

    def stop(self) -> None:
        self._pipe.send(None)
        self._process.join(10)
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


@dataclass(frozen=True)
class _Pending:
    instance: int
    number: int
    since: int


class Race:
    """One execution of requests that begin at once, made call by call."""

    def __init__(
        self,
        instances: Sequence[Instance],
        requests: Sequence[Request],
        names: Mapping[str, str],
    ) -> None:
        """`names` says what to call what is different in every execution, such as random names."""
        self._instances = instances
        self._names = names
        self._steps = 0
        self._pending: dict[Event, _Pending] = {}
        self._seen: dict[tuple[int, str], int] = {}
        self._known: set[tuple[int, int]] = set()
        self.answers: list[Answer | None] = [None] * len(requests)
        for index, request in enumerate(requests):
            self._take(index, instances[index].begin(request))

    def pending(self) -> Mapping[Event, int]:
        """The calls that may be next, each with the number of the step that brought it."""
        return {event: pending.since for event, pending in self._pending.items()}

    def step(self, event: Event) -> None:
        """Makes a call."""
        pending = self._pending.pop(event)
        self._steps += 1
        self._take(pending.instance, self._instances[pending.instance].release(pending.number))

    def _take(self, index: int, report: Report) -> None:
        self.answers[index] = report.answer
        waiting = {call.number for call in report.pending}
        self._pending = {
            event: pending
            for event, pending in self._pending.items()
            if pending.instance != index or pending.number in waiting
        }
        for call in report.pending:
            if (index, call.number) in self._known:
                continue
            self._known.add((index, call.number))
            operations = tuple(map(self._normal, call.operations))
            text = ", ".join(map(str, operations))
            count = self._seen[index, text] = self._seen.get((index, text), 0) + 1
            event = Event(index, f"{text} #{count}", operations)
            self._pending[event] = _Pending(index, call.number, self._steps)

    def _normal(self, operation: Operation) -> Operation:
        """The operation as it is in every execution: without times and random names."""
        return replace(
            operation,
            partition=self._renamed(operation.partition),
            first=self._renamed(operation.first),
            end=self._renamed(operation.end),
        )

    def _renamed(self, text: str) -> str:
        for random, name in self._names.items():
            text = text.replace(random, name).replace(keys.encode(random), name)
        return _IDS.sub("*", _TIMES.sub(r"\1:*", text))
