"""The checker finds an order where there is one, and refuses a history that has none."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.linearizability.checker import NEVER, Operation, Verdict
from tests.linearizability.checker import check as search
from tests.linearizability.registry import Act, State, Verb, step


def check(history: Sequence[Operation[Act]]) -> Verdict[Act]:
    return search(history, State(), step, lambda act: act.is_read)


ONE, TWO, THREE = "sha256:1", "sha256:2", "sha256:3"


def op(called: float, returned: float, act: Act, *, is_optional: bool = False) -> Operation[Act]:
    return Operation(called, returned, act, is_optional)


def push(digest: str) -> Act:
    return Act(Verb.PUSH, digest)


def read(digest: str = "") -> Act:
    return Act(Verb.READ, digest)


def pull(digest: str, *, is_found: bool = True) -> Act:
    return Act(Verb.PULL, digest, is_found)


def untag(*, is_found: bool = True, is_sure: bool = True) -> Act:
    return Act(Verb.UNTAG, "", is_found, is_sure)


def delete(digest: str, *, is_found: bool = True) -> Act:
    return Act(Verb.DELETE, digest, is_found)


LINEARIZABLE = {
    "nothing": [],
    "one after the other": [
        op(0, 1, push(ONE)), op(2, 3, read(ONE)), op(4, 5, untag()), op(6, 7, read())
    ],
    "a read beside a push tells of either": [
        op(0, 9, push(ONE)), op(1, 2, read()), op(3, 4, read(ONE)), op(5, 6, read(ONE))
    ],
    "two pushes at once end in any order": [
        op(0, 9, push(ONE)), op(0, 9, push(TWO)), op(1, 2, read(TWO)), op(3, 4, read(ONE))
    ],
    "the order of calls is not the order of effects": [
        op(0, 9, push(ONE)), op(1, 2, push(TWO)), op(10, 11, read(ONE))
    ],
    "an untag finds nothing before the push beside it": [
        op(0, 9, push(ONE)), op(1, 8, untag(is_found=False)), op(10, 11, read(ONE))
    ],
    "a deletion takes the tag along": [
        op(0, 1, push(ONE)), op(2, 3, delete(ONE)), op(4, 5, read()),
        op(6, 7, pull(ONE, is_found=False)), op(8, 9, untag(is_found=False)),
    ],
    "a deletion leaves a tag that has moved on": [
        op(0, 1, push(ONE)), op(2, 3, push(TWO)), op(4, 5, delete(ONE)), op(6, 7, read(TWO))
    ],
    "an untag leaves the manifest": [
        op(0, 1, push(ONE)), op(2, 3, untag()), op(4, 5, pull(ONE)), op(6, 7, delete(ONE))
    ],
    "a push without an answer had no effect": [
        op(0, NEVER, push(ONE), is_optional=True), op(1, 2, read()), op(3, 4, read())
    ],
    "a push without an answer takes effect much later": [
        op(0, NEVER, push(ONE), is_optional=True), op(1, 2, read()), op(3, 4, push(TWO)),
        op(5, 6, read(TWO)), op(7, 8, read(ONE)),
    ],
    "what may take effect twice does while it runs": [
        op(0, 9, push(ONE)), op(0, 9, push(ONE), is_optional=True), op(1, 2, read(ONE)),
        op(3, 4, push(TWO)), op(5, 6, read(TWO)), op(10, 11, read(ONE)),
    ],
    "a deletion that may have met its own work": [
        op(0, 1, push(ONE)), op(2, 9, untag()), op(2, 9, untag(is_sure=False)), op(10, 11, read())
    ],
    "a push that changes nothing now does so later": [
        op(0, 1, push(ONE)), op(2, 9, push(ONE)), op(3, 4, push(TWO)), op(5, 6, read(TWO)),
        op(10, 11, read(ONE)),
    ],
    "what has to come in its time is not overtaken by a read": [
        op(0, 1, push(ONE)), op(2, 5, push(TWO), is_optional=True), op(2, 20, push(ONE)),
        op(6, 7, read(ONE)), op(2, 30, read(TWO)),
    ],
    "touching ends overlap": [op(0, 1, push(ONE)), op(1, 2, read())],
}  # fmt: skip
NOT_LINEARIZABLE = {
    "a push that is not seen afterwards": [op(0, 1, push(ONE)), op(2, 3, read())],
    "a read of what nobody pushed": [op(0, 1, read(ONE))],
    "a read of what was pushed later": [op(0, 1, read(ONE)), op(2, 3, push(ONE))],
    "a read back in time": [
        op(0, 9, push(ONE)), op(1, 2, read(ONE)), op(3, 4, read()),
    ],
    "two clients see two pushes in different orders": [
        op(0, 9, push(ONE)), op(0, 9, push(TWO)),
        op(1, 2, read(ONE)), op(3, 4, read(TWO)), op(5, 6, read(ONE)),
    ],
    "a push that takes effect twice": [
        op(0, 9, push(ONE)), op(1, 2, read(ONE)), op(3, 4, push(TWO)), op(5, 6, read(TWO)),
        op(10, 11, read(ONE)),
    ],
    "a second effect after the return": [
        op(0, 5, push(ONE)), op(0, 5, push(ONE), is_optional=True), op(6, 7, push(TWO)),
        op(8, 9, read(ONE)),
    ],
    "one tag deleted by two": [
        op(0, 1, push(ONE)), op(2, 9, untag()), op(2, 9, untag()), op(10, 11, read())
    ],
    "an untag that finds nothing where there is a tag": [
        op(0, 1, push(ONE)), op(2, 3, untag(is_found=False)), op(4, 5, push(TWO))
    ],
    "an acknowledged deletion comes back": [
        op(0, 1, push(ONE)), op(2, 3, delete(ONE)), op(4, 5, pull(ONE))
    ],
    "a tag of a manifest that is gone": [
        op(0, 1, push(ONE)), op(2, 3, delete(ONE)), op(4, 5, read(ONE))
    ],
    "a deletion that takes a tag which has moved on": [
        op(0, 1, push(ONE)), op(2, 3, push(TWO)), op(4, 5, delete(ONE)), op(6, 7, read())
    ],
    "a lost update between two reads": [
        op(0, 1, push(ONE)), op(2, 3, push(TWO)), op(4, 5, read(ONE))
    ],
    "an unknown push cannot explain another": [
        op(0, NEVER, push(ONE), is_optional=True), op(1, 2, read(TWO))
    ],
    "an unknown push has one effect": [
        op(0, NEVER, push(ONE), is_optional=True), op(1, 2, read(ONE)), op(3, 4, push(TWO)),
        op(5, 6, read(TWO)), op(7, 8, read(ONE)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("history", LINEARIZABLE.values(), ids=LINEARIZABLE)
def test_a_history_that_has_an_order_is_given_one(history: Sequence[Operation[Act]]) -> None:
    verdict = check(history)
    assert verdict.is_linearizable, str(verdict)
    assert explains(verdict.order, history)


@pytest.mark.parametrize("history", NOT_LINEARIZABLE.values(), ids=NOT_LINEARIZABLE)
def test_a_history_that_has_no_order_is_refused(history: Sequence[Operation[Act]]) -> None:
    verdict = check(history)
    assert not verdict.is_linearizable
    assert verdict.stuck
    assert "none of these can come" in str(verdict)


def test_the_answer_is_that_of_trying_every_order() -> None:
    """Small histories at random: the naive search has the say."""
    counts = Counter[bool]()
    for seed in range(1000):
        history = random_history(random.Random(seed), 6)
        verdict = check(history)
        assert verdict.is_linearizable == is_explained(history), seed
        assert not verdict.is_linearizable or explains(verdict.order, history), seed
        counts[verdict.is_linearizable] += 1
    assert min(counts[True], counts[False]) > 200


@pytest.mark.parametrize("clients", [2, 8])
def test_a_long_history_that_really_took_place_is_explained_soon(clients: int) -> None:
    """A simulation: each operation takes effect at a moment that only the simulation knows."""
    history = simulated(random.Random(clients), clients, 400)
    steps = 0

    def counted(state: State, act: Act) -> State | None:
        nonlocal steps
        steps += 1
        return step(state, act)

    assert search(history, State(), counted, lambda act: act.is_read).is_linearizable
    assert steps < 500 * len(history)


def test_one_wrong_answer_in_a_long_history_is_found() -> None:
    history = simulated(random.Random(5), 4, 200)
    # A read of a manifest that was never pushed, in the midst.
    history[100] = Operation(history[100].called, history[100].returned, read(THREE))
    assert not check(history).is_linearizable


def test_an_operation_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="before it is called"):
        op(2, 1, read())
    with pytest.raises(ValueError, match="took effect"):
        op(2, NEVER, push(ONE))


def random_history(random: random.Random, count: int) -> list[Operation[Act]]:
    acts = [
        push(ONE), push(TWO), read(), read(ONE), read(TWO), untag(), untag(is_found=False),
        delete(ONE), pull(ONE), pull(ONE, is_found=False),
    ]  # fmt: skip
    found = []
    for _ in range(count):
        called = random.randrange(12)
        is_unknown = random.random() < 0.2
        returned = NEVER if is_unknown else called + random.randrange(8)
        is_optional = is_unknown or random.random() < 0.1
        found.append(op(called, returned, random.choice(acts), is_optional=is_optional))
    return found


def is_explained(history: Sequence[Operation[Act]]) -> bool:
    optional = [each for each in history if each.is_optional]
    mandatory = [each for each in history if not each.is_optional]
    return any(
        explains(order, history)
        for count in range(len(optional) + 1)
        for chosen in itertools.combinations(optional, count)
        for order in itertools.permutations([*mandatory, *chosen])
    )


def explains(order: Sequence[Operation[Act]], history: Sequence[Operation[Act]]) -> bool:
    """Whether an order keeps to the times of its operations, and all that was told is true."""
    if any(later.returned < each.called for each, later in itertools.combinations(order, 2)):
        return False
    if sum(not each.is_optional for each in order) != sum(not each.is_optional for each in history):
        return False
    state: State | None = State()
    for each in order:
        state = step(state, each.act) if state is not None else None
    return state is not None


def simulated(random: random.Random, clients: int, count: int) -> list[Operation[Act]]:
    """What clients would be told if each operation took effect at a moment in its midst."""
    times = []
    for client in range(clients):
        now = random.random()
        for _ in range(count // clients):
            begun, done = now, now + random.random() * 2
            times.append((begun + random.random() * (done - begun), begun, done, client))
            now = done + random.random() * 0.1
    state, found = State(), []
    for _, begun, done, _ in sorted(times):
        act = told(state, random)
        after = step(state, act)
        assert after is not None
        state = after
        found.append(op(begun, done, act))
    return found


def told(state: State, random: random.Random) -> Act:
    digest = random.choice((ONE, TWO))
    verb = random.choice(list(Verb))
    is_there = digest in state.manifests
    return {
        Verb.PUSH: push(digest),
        Verb.READ: read(state.tag),
        Verb.PULL: pull(digest, is_found=is_there),
        Verb.UNTAG: untag(is_found=bool(state.tag)),
        Verb.DELETE: delete(digest, is_found=is_there),
    }[verb]
