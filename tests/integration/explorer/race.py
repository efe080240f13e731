"""Requests to several instances at once, each in a process of its own, on one storage account."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType, TracebackType
from typing import Self

from registry_core.blobs import rows as blob_rows
from registry_core.repositories import rows
from registry_core.settings import Settings
from registry_core.storage import keys
from tests.integration.explorer import instance
from tests.integration.explorer.instance import Begin, Release, Report
from tests.integration.explorer.requests import DELETIONS, Answer, Request
from tests.integration.explorer.search import Event
from tests.interference.operations import SEND, Operation

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

    def begin(self, requests: Sequence[Request], inline_bytes: int) -> Report:
        """Has it answer requests, one after the other, as far as that goes without storage."""
        self._pipe.send(Begin(requests, inline_bytes))
        return self._report()

    def release(self, number: int, *, loses_answer: bool = False) -> Report:
        """Has it make a storage call that it has announced."""
        self._pipe.send(Release(number, loses_answer))
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


class Kind(Enum):
    """What can go wrong at a storage call."""

    LOST_ANSWER = "its answer is lost"
    """Storage makes the call, and the connection breaks."""
    DEATH = "death before it"
    """The instance stops for ever before it makes the call."""


@dataclass(frozen=True)
class Mishap:
    """One thing that goes wrong, at the storage call that this event is."""

    kind: Kind
    event: Event

    def __str__(self) -> str:
        return f"{self.event.instance}: {self.event.name}: {self.kind.value}"


@dataclass(frozen=True)
class _Pending:
    instance: int
    number: int
    since: int


class Race:
    """One execution of requests that begin at once, made call by call.

    Of each instance several requests, one after the other.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        requests: Sequence[Sequence[Request]],
        names: Mapping[str, str],
        *,
        mishap: Mishap | None = None,
        inline_bytes: int = rows.INLINE_BYTES,
        watched: Mapping[int, Sequence[Operation]] = MappingProxyType({}),
        on_answer: Callable[[Race, int, int], None],
    ) -> None:
        """`names` says what to call what is different in every execution, such as random names.

        `on_answer` is told of each answer at its moment: of which instance, and which of its. What
        is looked at then is `watched`, by instance: its writes come in every order with writes of
        others to that.
        """
        self._instances = instances
        self._names = names
        self._mishap = mishap
        self._watched = watched
        self._on_answer = on_answer
        self._steps = 0
        self._pending: dict[Event, _Pending] = {}
        self._seen: dict[tuple[int, str], int] = {}
        self._known: set[tuple[int, int]] = set()
        self.requests = requests
        self.answers: list[tuple[Answer, ...]] = [()] * len(requests)
        self.dead: int | None = None
        """The instance that has died."""
        self._announcing: set[int] = set()
        self.unannounced: list[str] = []
        """What was deleted without a message before."""
        for index, series in enumerate(requests):
            self._take(index, instances[index].begin(series, inline_bytes))

    def pending(self) -> Mapping[Event, int]:
        """The calls that may be next, each with the number of the step that brought it."""
        return {event: pending.since for event, pending in self._pending.items()}

    def step(self, event: Event) -> None:
        """Makes a call, or lets it go wrong."""
        pending = self._pending.pop(event)
        self._steps += 1
        index = pending.instance
        kind = self._mishap.kind if self._mishap and self._mishap.event == event else None
        if kind is Kind.DEATH:
            self.dead = index
            self._pending = {e: p for e, p in self._pending.items() if p.instance != index}
            return
        self._watch(event)
        loses_answer = kind is Kind.LOST_ANSWER
        self._take(index, self._instances[index].release(pending.number, loses_answer=loses_answer))

    def _watch(self, event: Event) -> None:
        """Sees that a deletion has sent its message before it makes anything gone."""
        if any(each.action == SEND for each in event.operations):
            self._announcing.add(event.instance)
        elif event.instance not in self._announcing:
            self.unannounced += [
                f"{each} by {event.instance}: deleted, and no message was sent before"
                for each in event.operations
                if not each.is_read and self._frees(event.instance, each)
            ]

    def _frees(self, index: int, operation: Operation) -> bool:
        """Whether it deletes a manifest, or a link: by an instance that does nothing but delete."""
        if any(each.method not in DELETIONS for each in self.requests[index]):
            return False
        if operation.resource == blob_rows.TABLE:
            return operation.method == "DELETE" and operation.first.startswith(blob_rows.LINKS)
        # A tombstone in the place of a manifest.
        return operation.first in rows.MANIFESTS and operation.method == "PUT"

    def _take(self, index: int, report: Report) -> None:
        before, self.answers[index] = self.answers[index], report.answers
        for number in range(len(before), len(report.answers)):
            self._on_answer(self, index, number)
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
            event = self._event(index, tuple(map(self._normal, call.operations)))
            self._pending[event] = _Pending(index, call.number, self._steps)

    def _event(self, index: int, operations: tuple[Operation, ...]) -> Event:
        text = ", ".join(map(str, operations))
        count = self._seen[index, text] = self._seen.get((index, text), 0) + 1
        event = Event(index, f"{text} #{count}", operations)
        if event.is_write:
            watched = tuple(map(self._normal, self._watched.get(index, ())))
            event = replace(event, operations=operations + watched)
        mishap = self._mishap
        is_death = mishap is not None and mishap.kind is Kind.DEATH and mishap.event == event
        return replace(event, is_death=is_death)

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
