"""The explorer of interleavings against the plain enumeration of all of them, on small programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.explorer.search import Event, Explorer
from tests.interference.operations import Operation

#: A step is a set of calls made at once; a call reads or writes one of the cells.
Call = tuple[str, int]
Program = tuple[tuple[Call, ...], ...]


@dataclass
class Machine:
    """Cells that hold who wrote them last; what a program reads is what it learns."""

    programs: Sequence[Program]
    death: tuple[int, str] | None = None
    """The instance that dies, and the call in whose place."""
    cells: dict[int, str] = field(default_factory=dict)
    learnt: dict[str, str] = field(default_factory=dict)
    _pending: dict[Event, int] = field(default_factory=dict)
    _steps: int = 0
    _position: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._position = [0] * len(self.programs)
        for instance in range(len(self.programs)):
            self._announce(instance)

    def _announce(self, instance: int) -> None:
        position = self._position[instance]
        for number, (kind, cell) in enumerate(self.programs[instance][position : position + 1][0]):
            method = "GET" if kind == "read" else "PUT"
            name = f"{position}.{number} {method} {cell}"
            operation = Operation(method, "cells", "", str(cell))
            is_death = (instance, name) == self.death
            self._pending[Event(instance, name, (operation,), is_death)] = self._steps

    def pending(self) -> Mapping[Event, int]:
        return dict(self._pending)

    def step(self, event: Event) -> None:
        self._pending.pop(event)
        self._steps += 1
        if event.is_death:
            left = {e: since for e, since in self._pending.items() if e.instance != event.instance}
            self._pending = left
            return
        (operation,) = event.operations
        label = f"{event.instance}:{event.name}"
        if operation.is_read:
            self.learnt[label] = self.cells.get(int(operation.first), "")
        else:
            self.cells[int(operation.first)] = label
        if any(other.instance == event.instance for other in self._pending):
            return
        self._position[event.instance] += 1
        if self._position[event.instance] < len(self.programs[event.instance]):
            self._announce(event.instance)

    @property
    def outcome(self) -> tuple[frozenset[tuple[int, str]], frozenset[tuple[str, str]]]:
        return frozenset(self.cells.items()), frozenset(self.learnt.items())


def every_outcome(start: Callable[[], Machine]) -> set[object]:
    """By trying every order."""

    def orders(prefix: tuple[Event, ...]) -> Iterator[object]:
        machine = start()
        for event in prefix:
            machine.step(event)
        if not machine.pending():
            yield machine.outcome
        for event in list(machine.pending()):
            yield from orders((*prefix, event))

    return set(orders(()))


calls = st.tuples(st.sampled_from(["read", "write"]), st.integers(0, 2))
programs = st.lists(st.lists(calls, min_size=1, max_size=2).map(tuple), min_size=1, max_size=2)


small = st.lists(programs.map(tuple), min_size=2, max_size=3).filter(
    lambda p: sum(len(step) for program in p for step in program) <= 7
)


@settings(max_examples=4 * settings().max_examples)
@given(small)
def test_it_finds_every_outcome_and_no_execution_twice(found: list[Program]) -> None:
    outcomes: list[object] = []

    def finish(run: Machine, _: Sequence[Event]) -> None:
        outcomes.append(run.outcome)

    explorer = Explorer(lambda: Machine(found), finish)
    explorer.explore()
    assert set(outcomes) == every_outcome(lambda: Machine(found))
    assert explorer.complete == len(outcomes)


def test_calls_that_do_not_touch_the_same_row_are_tried_in_one_order_only() -> None:
    programs: list[Program] = [((("write", n),), (("write", n + 1),)) for n in (0, 10, 20)]
    explorer = Explorer(lambda: Machine(programs), lambda *_: None)
    explorer.explore()
    assert (explorer.complete, explorer.cut_short) == (1, 0)


def test_two_writers_of_one_row_are_tried_both_ways() -> None:
    explorer = Explorer(lambda: Machine([((("write", 1),),)] * 2), lambda *_: None)
    explorer.explore()
    assert explorer.complete == 2


@settings(max_examples=4 * settings().max_examples)
@given(small, st.data())
def test_it_finds_every_outcome_in_which_an_instance_dies_at_a_call(
    found: list[Program], data: st.DataObject
) -> None:
    deaths = [
        (instance, f"{position}.{number} {'GET' if kind == 'read' else 'PUT'} {cell}")
        for instance, program in enumerate(found)
        for position, step in enumerate(program)
        for number, (kind, cell) in enumerate(step)
    ]
    death = data.draw(st.sampled_from(deaths))
    outcomes: set[object] = set()
    explorer = Explorer(lambda: Machine(found, death), lambda run, _: outcomes.add(run.outcome))
    assert explorer.explore()
    assert outcomes == every_outcome(lambda: Machine(found, death))


def test_where_all_are_too_many_it_says_so_and_draws_the_same_ones_each_time() -> None:
    programs: list[Program] = [((("write", 1),),) * 4] * 2

    def drawn() -> tuple[bool, int, list[object]]:
        outcomes: list[object] = []
        explorer = Explorer(lambda: Machine(programs), lambda run, _: outcomes.append(run.outcome))
        is_whole = explorer.explore(most=3)
        explorer.sample(Random("seed"), 5)
        return is_whole, explorer.complete, outcomes

    assert drawn() == drawn()
    is_whole, count, outcomes = drawn()
    assert (is_whole, count, len(outcomes)) == (False, 8, 8)
