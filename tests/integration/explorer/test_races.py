"""Requests at once, in every interleaving of their storage calls, on two processes.

Whatever the order: the rules of the pages in `docs/` hold, and what the clients are told and can
see afterwards is what they could have been told and seen had one come after the other.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from registry_core.settings import Settings
from tests.integration.conftest import TALLY
from tests.integration.core.support import Client, connect, digest_of
from tests.integration.explorer.race import Instance, Race
from tests.integration.explorer.scenarios import ARTIFACTS, BLOBS, SCENARIOS, Scenario, Setup
from tests.integration.explorer.search import Event, Explorer
from tests.integration.explorer.world import World

#: What clients were told, and what they can see then.
Outcome = tuple[Any, ...]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The loop of this process's own client; the instances under test have theirs."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture(scope="module")
def uncached(module_settings: Settings) -> Settings:
    return replace(module_settings, cache_ttl=timedelta(0))


@pytest.fixture(scope="module")
def observer(uncached: Settings, loop: asyncio.AbstractEventLoop) -> Iterator[Client]:
    connection = connect(uncached)
    yield loop.run_until_complete(connection.__aenter__())
    loop.run_until_complete(connection.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def instances(uncached: Settings, observer: Client) -> Iterator[Sequence[Instance]]:
    with Instance(uncached) as one, Instance(uncached) as two, Instance(uncached) as three:
        yield one, two, three


class Course:
    """Begins executions of a scenario, and looks at how each ended."""

    def __init__(
        self,
        scenario: Scenario,
        loop: asyncio.AbstractEventLoop,
        observer: Client,
        instances: Sequence[Instance],
    ) -> None:
        self._scenario = scenario
        self._loop = loop
        self._observer = observer
        self._instances = instances
        self._names: list[str] = []
        self._own_blob = ""

    def start(self) -> Race:
        """A new execution, in a repository of its own."""
        repository = f"r{secrets.token_hex(6)}"
        self._own_blob = digest_of(repository.encode())
        setup = Setup(self._observer, repository)
        requests = self._loop.run_until_complete(self._prepare(setup))
        self._names = [repository, *([setup.source] if setup.uses_source else [])]
        names = {self._own_blob: "own-blob", repository: "repository"}
        for number, location in enumerate(setup.locations):
            names[location.partition("?")[0].rpartition("/")[2]] = f"session-{number}"
        return Race(self._instances, requests, names)

    async def _prepare(self, setup: Setup) -> Any:
        return await self._scenario.prepare(setup)

    def outcome(self, race: Race) -> Outcome:
        """How it ended. Fails if a rule does not hold."""
        worlds = self._loop.run_until_complete(self._read())
        broken = [rule for world in worlds for rule in world.broken(ARTIFACTS)]
        assert not broken, "\n".join(broken)
        told = tuple((a.status, a.code) if a else None for a in race.answers)
        own = worlds[0].visible
        blobs = frozenset("own" if d == self._own_blob else d for d in own.blobs)
        return told, replace(own, blobs=blobs), *(world.visible for world in worlds[1:])

    async def _read(self) -> list[World]:
        digests = {*BLOBS, self._own_blob}
        return await asyncio.gather(*(World.read(self._observer, n, digests) for n in self._names))


def serial_outcomes(course: Course) -> set[Outcome]:
    """How it can end if one request comes after the other."""
    outcomes = set()
    count = len(course.start().answers)
    for order in itertools.permutations(range(count)):
        race = course.start()
        for instance in order:
            while own := [e for e in race.pending() if e.instance == instance]:
                race.step(min(own, key=lambda event: event.name))
        outcomes.add(course.outcome(race))
    return outcomes


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
    count = explore(Course(scenario, loop, observer, instances))
    record_property(TALLY, f"{count:6} interleavings: {scenario.name}")


@pytest.mark.parametrize(
    "name",
    [
        "a-manifest-is-pushed-and-its-blob-deleted",
        "the-last-manifest-is-deleted-and-another-pushed",
    ],
)
def test_the_explorer_finds_what_is_lost_where_a_condition_is_left_out(
    name: str, loop: asyncio.AbstractEventLoop, observer: Client, uncached: Settings
) -> None:
    scenario = next(s for s in SCENARIOS if s.name == name)
    with (
        Instance(uncached, is_careless=True) as one,
        Instance(uncached, is_careless=True) as two,
        pytest.raises(AssertionError, match="after\n"),
    ):
        explore(Course(scenario, loop, observer, (one, two)))


def explore(course: Course) -> int:
    """Tries every interleaving, counts them, and fails if one ends in a way of its own."""
    expected = serial_outcomes(course)

    def finish(race: Race, trace: Sequence[Event]) -> None:
        order = "\n".join(f"  {event.instance}: {event.name}" for event in trace)
        try:
            outcome = course.outcome(race)
        except AssertionError as broken:
            raise AssertionError(f"{broken}\nafter\n{order}") from None
        assert outcome in expected, f"{outcome}\nafter\n{order}"

    explorer = Explorer(course.start, finish)
    explorer.explore()
    return explorer.complete
