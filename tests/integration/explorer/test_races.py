"""Requests at once, in every interleaving of their storage calls, on two processes.

Whatever the order: the rules of the pages in `docs/` hold, what the clients are told and can see
afterwards is what they could have been told and seen had one come after the other, and what a lock
protects stays as it was at the moment of the lock's answer.

With one mishap, at every write that the requests make one after the other, the same must be true.
There, and where a scenario says `most`, all interleavings would be too many: so many are tried in
the order of the search, and as many more are drawn, by a generator whose seed is the mishap's
place. So every run tries the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from registry_core.settings import Settings
from tests.integration.conftest import TALLY
from tests.integration.core.support import Client, connect
from tests.integration.explorer.course import Course
from tests.integration.explorer.race import Instance, Kind, Mishap, Race
from tests.integration.explorer.scenarios import SCENARIOS, Scenario, When
from tests.integration.explorer.search import Event, Explorer

_INTERLEAVINGS_OF_A_MISHAP = 2


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The loop of this process's own client; the instances under test have theirs."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture(scope="module")
def uncached(module_settings: Settings) -> Settings:
    """Nothing is kept in memory, and every link is old that a client relies on."""
    return replace(module_settings, cache_ttl=timedelta(0), gc_grace=timedelta(0))


@pytest.fixture(scope="module")
def observer(uncached: Settings, loop: asyncio.AbstractEventLoop) -> Iterator[Client]:
    connection = connect(uncached)
    yield loop.run_until_complete(connection.__aenter__())
    loop.run_until_complete(connection.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def forgetful(uncached: Settings, observer: Client) -> Iterator[Sequence[Instance]]:
    """Instances that keep nothing in memory."""
    with Instance(uncached) as one, Instance(uncached) as two, Instance(uncached) as three:
        yield one, two, three


@pytest.fixture(scope="module")
def remembering(module_settings: Settings, observer: Client) -> Iterator[Sequence[Instance]]:
    """Instances whose memory no execution outlasts; none has seen another's repository."""
    settings = replace(module_settings, cache_ttl=timedelta(days=1))
    with Instance(settings) as one, Instance(settings) as two:
        yield one, two


@pytest.fixture
def instances(scenario: Scenario, request: pytest.FixtureRequest) -> Sequence[Instance]:
    """Those that the scenario is for."""
    found: Sequence[Instance] = request.getfixturevalue(
        "remembering" if scenario.remembers else "forgetful"
    )
    return found


def marks_of(scenario: Scenario) -> list[pytest.MarkDecorator]:
    return [pytest.mark.rule(*scenario.rules), *[pytest.mark.long] * scenario.is_long]


@pytest.mark.parametrize(
    "scenario", [pytest.param(s, id=s.name, marks=marks_of(s)) for s in SCENARIOS]
)
def test_whatever_the_interleaving_it_ends_as_if_one_had_come_after_the_other(
    scenario: Scenario,
    loop: asyncio.AbstractEventLoop,
    observer: Client,
    instances: Sequence[Instance],
    record_property: Callable[[str, object], None],
) -> None:
    count = explore(Course(scenario, loop, observer, instances), scenario.most)
    record_property(TALLY, f"{count:6} interleavings: {scenario.name}")


@pytest.mark.rule("F1", "F2")
@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        pytest.param(
            scenario,
            kind,
            id=f"{scenario.name}-{kind.name.lower().replace('_', '-')}",
            marks=[pytest.mark.long] * (scenario.mishaps is When.LONG),
        )
        for scenario in SCENARIOS
        if scenario.mishaps is not When.NEVER
        for kind in scenario.kinds
    ],
)
def test_whatever_write_goes_wrong_it_ends_as_if_one_had_come_after_the_other(
    scenario: Scenario,
    kind: Kind,
    loop: asyncio.AbstractEventLoop,
    observer: Client,
    instances: Sequence[Instance],
    record_property: Callable[[str, object], None],
) -> None:
    course = Course(scenario, loop, observer, instances)
    writes = writes_of(course)
    count = 0
    for event in writes:
        course.mishap = Mishap(kind, event)
        count += explore(course, _INTERLEAVINGS_OF_A_MISHAP)
    text = f"{scenario.name}, {len(writes)} writes, {kind.value}"
    record_property(TALLY, f"{count:6} interleavings: {text}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a-manifest-is-pushed-and-its-blob-deleted", "needs it"),
        ("the-last-manifest-is-deleted-and-another-pushed", "it is not in the catalog"),
        ("a-manifest-is-deleted-and-locked", "was locked when that was answered, and is not"),
        ("a-tag-is-deleted-and-locked", "was locked when that was answered, and is not"),
    ],
)
def test_the_explorer_finds_what_is_lost_where_a_condition_is_left_out(
    name: str, text: str, loop: asyncio.AbstractEventLoop, observer: Client, uncached: Settings
) -> None:
    scenario = next(s for s in SCENARIOS if s.name == name)
    with (
        Instance(uncached, is_careless=True) as one,
        Instance(uncached, is_careless=True) as two,
        pytest.raises(AssertionError, match=f"{text}(.|\n)*after\n"),
    ):
        explore(Course(scenario, loop, observer, (one, two)))


def writes_of(course: Course) -> list[Event]:
    """Every write that the requests make, one after the other in any order."""
    found = {event for trace in course.serial_traces() for event in trace if event.is_write}
    return sorted(found, key=lambda event: (event.instance, event.name))


def explore(course: Course, most: int | None = None) -> int:
    """Tries every interleaving, or `most` and as many drawn; fails if one ends in a way of its own.

    Answers how many it has tried.
    """

    def finish(race: Race, trace: Sequence[Event]) -> None:
        order = "\n".join(f"  {event.instance}: {event.name}" for event in trace)
        place = f"after\n{order}\nwith {course.mishap}"
        try:
            outcomes = course.outcomes(race)
        except AssertionError as broken:
            raise AssertionError(f"{broken}\n{place}") from None
        assert course.is_explained(race, outcomes), f"{outcomes}\n{place}"

    explorer = Explorer(course.start, finish)
    if not explorer.explore(most) and most:
        explorer.sample(Random(str(course.mishap)), most)
    return explorer.complete
