"""Whether what clients were told at once could have been told them one after the other.

The search is that of Wing and Gong, with the memory of Lowe: it looks for an order of the
operations in which each takes effect at one moment between its call and its return, and in which
all that was told is true. Which operations have been placed, and the state they lead to, is
remembered, so nothing is searched twice. The answer is exact: an order, or that there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
A = TypeVar("A")

NEVER = math.inf
"""The return of an operation whose outcome nobody knows: it may take effect at any later time."""


@dataclass(frozen=True)
class Operation(Generic[A]):
    """What one client asked for, and between which moments it can have taken effect."""

    called: float
    returned: float
    act: A
    """What was asked and told."""
    is_optional: bool = False
    """Whether it may have had no effect at all."""

    def __post_init__(self) -> None:
        if self.returned < self.called:
            raise ValueError("an operation cannot return before it is called")
        if self.returned == NEVER and not self.is_optional:
            raise ValueError("nobody knows whether an operation without a return took effect")


Step = Callable[[S, A], S | None]
"""The state after an operation; None where what was told is not true of the state before it."""


@dataclass(frozen=True)
class Verdict(Generic[A]):
    """An order that explains a history; or the longest that could be found, and what stops it."""

    order: Sequence[Operation[A]]
    stuck: Sequence[Operation[A]] = ()
    """The operations of which one would have to come next, and none can."""

    @property
    def is_linearizable(self) -> bool:
        """Whether there is such an order."""
        return not self.stuck

    def __str__(self) -> str:
        last = "\n".join(f"  {each}" for each in self.order[-8:])
        stuck = "\n".join(f"  {each}" for each in self.stuck)
        return f"after the last of {len(self.order)}:\n{last}\nnone of these can come:\n{stuck}"


def check(
    history: Sequence[Operation[A]],
    initial: S,
    step: Step[S, A],
    is_read: Callable[[A], bool] = lambda _: False,
) -> Verdict[A]:
    """Looks for an order of a history's operations. What `is_read` changes no state at all."""
    return _Search(history, step, is_read).run(initial)


@dataclass
class _Node(Generic[S]):
    """A place in the search: which operations were placed, in bits, and where they lead."""

    placed: int
    state: S
    order: tuple[int, ...]
    ways: Iterator[tuple[int, S]]


class _Search(Generic[S, A]):
    def __init__(
        self, history: Sequence[Operation[A]], step: Step[S, A], is_read: Callable[[A], bool]
    ) -> None:
        self._all = sorted(history, key=lambda each: each.called)
        self._step = step
        self._is_read = [is_read(each.act) for each in self._all]
        self._mandatory = sum(1 << n for n, op in enumerate(self._all) if not op.is_optional)
        self._best: tuple[int, ...] = ()
        self._stuck: tuple[int, ...] = ()

    def run(self, initial: S) -> Verdict[A]:
        seen = set[tuple[int, S]]()
        stack = [self._enter(0, initial, ())]
        while stack:
            node = stack[-1]
            if node.placed & self._mandatory == self._mandatory:
                return Verdict([self._all[n] for n in node.order])
            way = next(node.ways, None)
            if way is None:
                stack.pop()
                continue
            number, state = way
            entered = self._enter(node.placed | 1 << number, state, (*node.order, number))
            if (entered.placed, entered.state) not in seen:
                seen.add((entered.placed, entered.state))
                stack.append(entered)
        stuck = self._stuck or tuple(self._next(0))
        return Verdict([self._all[n] for n in self._best], [self._all[n] for n in stuck])

    def _enter(self, placed: int, state: S, order: tuple[int, ...]) -> _Node[S]:
        """The place where reads are placed that are true here.

        A read that is placed early takes no other way from the search: it changes nothing.
        """
        while (number := self._read(placed, state)) is not None:
            placed, order = placed | 1 << number, (*order, number)
        if len(order) >= len(self._best):
            self._best, self._stuck = order, tuple(self._next(placed))
        return _Node(placed, state, order, self._ways(placed, state))

    def _read(self, placed: int, state: S) -> int | None:
        """A read that is true here, and after which whatever may come before it still may."""
        numbers = list(self._next(placed))
        first_over = min(
            (self._all[n].returned for n in numbers if self._all[n].is_optional), default=NEVER
        )
        for number in numbers:
            op = self._all[number]
            if not self._is_read[number] or op.is_optional or op.called > first_over:
                continue
            if self._step(state, op.act) is not None:
                return number
        return None

    def _ways(self, placed: int, state: S) -> Iterator[tuple[int, S]]:
        for number in list(self._next(placed)):
            op = self._all[number]
            after = self._step(state, op.act)
            # What had no effect need not have been.
            if after is not None and not (op.is_optional and after == state):
                yield number, after

    def _next(self, placed: int) -> Iterator[int]:
        """The operations that may come next: none that is left has returned before their call."""
        latest = self._all[placed.bit_length() - 1].called if placed else -NEVER
        bound = NEVER
        for number in range(_first_zero(placed), len(self._all)):
            op = self._all[number]
            if op.called > bound:
                return
            if placed >> number & 1:
                continue
            if op.returned < latest:
                # Optional, and too late: something was called after its return, and is placed.
                continue
            if not op.is_optional:
                bound = min(bound, op.returned)
            yield number


def _first_zero(bits: int) -> int:
    return (~bits & (bits + 1)).bit_length() - 1
