"""Every interleaving of the storage calls of concurrent requests, each equivalent one once.

Two orders of the same calls are equivalent if they differ only in the order of calls that do not
touch the same row, or that only read it. Dynamic partial-order reduction finds one order of each
class: Abdulla, Aronis, Jonsson and Sagonas, "Optimal Dynamic Partial Order Reduction" (POPL 2014),
algorithm "Source-DPOR", with sleep sets. A call, not a process, is the unit that is scheduled: a
request makes several at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Generic, Protocol, TypeVar

from tests.interference.operations import Operation


@dataclass(frozen=True)
class Event:
    """A storage call of one of the instances."""

    instance: int
    name: str
    operations: tuple[Operation, ...] = field(compare=False, repr=False)
    is_death: bool = field(default=False, compare=False)
    """Whether the instance dies in its place: it makes neither this call nor any other."""

    @property
    def is_write(self) -> bool:
        """Whether it changes anything."""
        return not all(operation.is_read for operation in self.operations)

    def conflicts_with(self, other: Event) -> bool:
        """Whether the order of the two can matter."""
        if self.is_death or other.is_death:
            return self.instance == other.instance
        return any(
            mine.touches(theirs) and not (mine.is_read and theirs.is_read)
            for mine in self.operations
            for theirs in other.operations
        )


class Run(Protocol):
    """One execution from the beginning, which goes on call by call."""

    def pending(self) -> Mapping[Event, int]:
        """The calls that may be next, each with the number of the step that brought it, from 0."""

    def step(self, event: Event) -> None:
        """Makes the call `event` and waits for what follows from it."""


R = TypeVar("R", bound=Run)


@dataclass
class _Node:
    """A point of the execution being explored, before its next call."""

    enabled: Mapping[Event, int]
    sleep: set[Event]
    chosen: Event | None = None
    backtrack: set[Event] = field(default_factory=set)
    done: set[Event] = field(default_factory=set)


class Explorer(Generic[R]):
    """Explores all executions that `start` can begin. `finish` sees each complete one."""

    def __init__(
        self, start: Callable[[], R], finish: Callable[[R, Sequence[Event]], None]
    ) -> None:
        self._start = start
        self._finish = finish
        self._nodes: list[_Node] = []
        self.complete = 0
        """Executions that went to their end: one for each class of equivalent ones."""
        self.cut_short = 0
        """Executions that were found to be equivalent to earlier ones on their way."""

    def explore(self, most: int | None = None) -> bool:
        """Runs until nothing is left to explore, or `most` executions have been begun.

        Answers whether nothing was left.
        """
        begun = 0
        while most is None or begun < most:
            begun += 1
            self._execute()
            while self._nodes and not self._next_choice(self._nodes[-1]):
                self._nodes.pop()
            if not self._nodes:
                return True
        return False

    def sample(self, random: Random, count: int) -> None:
        """Makes `count` executions in which every next call is drawn: where all are too many."""
        for _ in range(count):
            run, trace = self._start(), list[Event]()
            while pending := sorted(run.pending(), key=lambda e: (e.instance, e.name)):
                trace.append(random.choice(pending))
                run.step(trace[-1])
            self.complete += 1
            self._finish(run, trace)

    def _next_choice(self, node: _Node) -> bool:
        """Turns `node` to a call that has yet to be tried there; False if there is none."""
        if node.chosen is not None:
            node.done.add(node.chosen)
            node.sleep.add(node.chosen)
            node.chosen = None
        left = [e for e in node.backtrack if e not in node.done and e not in node.sleep]
        if not left:
            return False
        node.chosen = min(left, key=lambda e: (e.instance, e.name))
        return True

    def _execute(self) -> None:
        """Repeats the choices made so far, then goes on to the end, noting every race."""
        run = self._start()
        for node in self._nodes:
            assert node.chosen is not None
            run.step(_same(run.pending(), node.chosen))
        while True:
            enabled = run.pending()
            if not enabled:
                self.complete += 1
                self._note_races()
                self._finish(run, [node.chosen for node in self._nodes if node.chosen])
                return
            sleep = self._inherited_sleep()
            awake = [e for e in enabled if e not in sleep]
            if not awake:
                self.cut_short += 1
                self._note_races()
                return
            awake.sort(key=self._order)
            node = _Node(enabled, sleep, awake[0], {awake[0]})
            self._nodes.append(node)
            run.step(awake[0])

    def _order(self, event: Event) -> tuple[bool, bool, str]:
        """Going on with the same instance keeps the first executions serial.

        Death comes last: what it cuts off has been seen then, and a race with each call is noted.
        """
        last = self._nodes[-1].chosen if self._nodes else None
        is_other = last is not None and event.instance != last.instance
        return event.is_death, is_other, event.name

    def _inherited_sleep(self) -> set[Event]:
        if not self._nodes:
            return set()
        parent = self._nodes[-1]
        assert parent.chosen is not None
        return {e for e in parent.sleep if not e.conflicts_with(parent.chosen)}

    def _note_races(self) -> None:
        """For every two calls that could have come the other way round: plans that they will."""
        trace = [node.chosen for node in self._nodes if node.chosen is not None]
        # Bit k of before[i]: the call k had to come before the call i, in this execution.
        before: list[int] = []
        for index, event in enumerate(trace):
            cause = self._nodes[index].enabled[event] - 1
            mask = before[cause] | 1 << cause if cause >= 0 else 0
            for earlier in range(index - 1, -1, -1):
                if mask >> earlier & 1 or not trace[earlier].conflicts_with(event):
                    continue
                if self._is_race(earlier, index, event):
                    self._plan_reversal(trace, before, earlier, index)
                mask |= before[earlier] | 1 << earlier
            before.append(mask)

    def _is_race(self, earlier: int, index: int, event: Event) -> bool:
        """Calls of one instance race only if both were waiting: else one led to the other."""
        other = self._nodes[earlier].chosen
        assert other is not None
        return other.instance != event.instance or event in self._nodes[earlier].enabled

    def _plan_reversal(
        self, trace: Sequence[Event], before: Sequence[int], earlier: int, index: int
    ) -> None:
        node = self._nodes[earlier]
        independent = [k for k in range(earlier + 1, index) if not before[k] >> earlier & 1]
        initials = list(self._initials(trace, before, independent, trace[index]))
        if any(event in node.backtrack for event in initials):
            return
        possible = [event for event in initials if event in node.enabled]
        if possible:
            node.backtrack.add(possible[0])
        else:
            node.backtrack.update(node.enabled)

    @staticmethod
    def _initials(
        trace: Sequence[Event], before: Sequence[int], steps: Sequence[int], last: Event
    ) -> Iterator[Event]:
        """Of the calls at `steps` and then `last`: those that no other of them must precede."""
        members = 0
        for step in steps:
            if not before[step] & members:
                yield trace[step]
            members |= 1 << step
        if not any(trace[step].conflicts_with(last) for step in steps):
            yield last


def _same(pending: Mapping[Event, int], wanted: Event) -> Event:
    """The event as this execution has it: its operations name other times and ids."""
    for event in pending:
        if event == wanted:
            return event
    raise AssertionError(
        f"the execution cannot be repeated: no {wanted} in {sorted(map(str, pending))}"
    )
