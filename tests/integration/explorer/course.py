"""How executions of a scenario begin, how they may end, and how one has ended."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from registry_core.blobs import rows as blob_rows
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from tests.integration.core.soft import set_policy
from tests.integration.core.support import Client, digest_of
from tests.integration.explorer.held import Held
from tests.integration.explorer.race import Instance, Mishap, Race
from tests.integration.explorer.requests import LOCK, UNLOCK, Answer, Request
from tests.integration.explorer.scenarios import ARTIFACTS, BLOBS, Scenario, Setup
from tests.integration.explorer.search import Event
from tests.integration.explorer.world import Artifact, World
from tests.interference.operations import Operation

#: What clients were told, and what they can see then.
Outcome = tuple[Any, ...]

_DEAD = "nobody knows what it was told"


@dataclass
class _Begun:
    """The execution that was begun last."""

    repositories: Sequence[str] = ()
    artifacts: Sequence[Artifact] = ARTIFACTS
    own: frozenset[str] = frozenset()
    """Digests that no other execution has."""
    names: Mapping[str, str] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)


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
        self._begun = _Begun()
        self._requests: Sequence[Sequence[Request]] = ()
        self._serial: dict[int | None, set[Outcome]] = {}
        self._is_set = False
        """Whether the registry keeps what is deleted as the scenario says."""
        self.mishap: Mishap | None = None
        """What is to go wrong in the executions that begin from now on."""

    # One execution.

    def start(self) -> Race:
        """A new execution, in a repository of its own."""
        if not self._is_set:
            policy = set_policy(self._observer, is_on=self._scenario.is_soft)
            self._loop.run_until_complete(policy)
            self._is_set = True
        setup = Setup(self._observer, f"r{secrets.token_hex(6)}")
        with _inline_bytes(self._scenario.inline_bytes):
            series = self._loop.run_until_complete(self._prepare(setup))
        self._requests = [(s,) if isinstance(s, Request) else s for s in series]
        own = {digest_of(setup.own): "own-blob"} if setup.uses_own else {}
        own |= {made.digest: f"own-manifest-{i}" for i, made in enumerate(setup.artifacts)}
        names = {**own, setup.repository: "repository"}
        for number, location in enumerate(setup.locations):
            names[location.partition("?")[0].rpartition("/")[2]] = f"session-{number}"
        self._begun = _Begun(
            setup.repositories, (*ARTIFACTS, *setup.artifacts), frozenset(own), names
        )
        return Race(
            self._instances,
            self._requests,
            names,
            mishap=self.mishap,
            inline_bytes=self._scenario.inline_bytes,
            watched={index: self._watched(each) for index, each in enumerate(self._requests)},
            on_answer=self._answered,
        )

    async def _prepare(self, setup: Setup) -> Any:
        return await self._scenario.prepare(setup)

    def _watched(self, series: Sequence[Request]) -> list[Operation]:
        """What is looked at when a lock among the requests is answered: all that it may protect."""
        watched = []
        for name in {request.words[0] for request in series if request.method == LOCK}:
            repository = RepositoryName(name)
            partition = rows.partition(repository)
            watched.append(Operation("GET", rows.TABLE, partition, " ", "~"))
            link = blob_rows.link(repository)
            digests = {*BLOBS, *self._begun.own}
            watched += [Operation("GET", blob_rows.TABLE, digest, link) for digest in digests]
        return watched

    def _answered(self, race: Race, instance: int, number: int) -> None:
        """Sees what is visible at the moment at which a lock was answered."""
        request = self._requests[instance][number]
        if request.method == LOCK and race.answers[instance][number].status == 200:
            self._begun.held.append(Held(request, self._of(request, self._worlds()).visible))

    def _of(self, lock: Request, worlds: Sequence[World]) -> World:
        return next(w for w in worlds if w.repository.text == lock.words[0])

    def _worlds(self) -> list[World]:
        return self._loop.run_until_complete(self._read())

    async def _read(self) -> list[World]:
        begun, digests = self._begun, {*BLOBS, *self._begun.own}
        if self._scenario.inline_bytes != rows.INLINE_BYTES:
            digests |= {each.digest for each in ARTIFACTS}  # They are blobs, too.
        return await asyncio.gather(
            *(World.read(self._observer, n, digests, begun.own) for n in begun.repositories)
        )

    # How it ended.

    def outcomes(self, race: Race, cut: int | None = None) -> list[Outcome]:
        """How it ended; in two ways where a death left open how. Fails if a rule does not hold.

        `cut` is an instance that was not to go to its end.
        """
        unfinished = race.dead if cut is None else cut
        worlds = self._worlds()
        broken = [
            rule
            for world in worlds
            for rule in world.broken(self._begun.artifacts, garbage=unfinished is not None)
        ]
        broken += race.unannounced
        is_unlocked = any(r.method == UNLOCK for series in race.requests for r in series)
        for held in self._begun.held:
            now = self._of(held.request, worlds).seen(going=unfinished is not None)
            broken += held.overtaken(now, is_unlocked=is_unlocked)
        if self._scenario.is_relied_on:
            broken += [f"{answers}: it was there, and is not" for answers in self._let_down(race)]
        assert not broken, "\n".join(broken)
        told = tuple(
            _DEAD if number == unfinished else tuple((a.status, a.code) for a in answers)
            for number, answers in enumerate(race.answers)
        )
        if unfinished is None:
            return [(told, *(world.visible.renamed(self._begun.names) for world in worlds))]
        # What was hidden by the dead is seen again after a while; what is listed may be garbage.
        return [
            (
                told,
                *(
                    replace(world.seen(going=going), is_listed=False).renamed(self._begun.names)
                    for world in worlds
                ),
            )
            for going in (False, True)
        ]

    @staticmethod
    def _let_down(race: Race) -> Iterator[tuple[Answer, ...]]:
        """Answers to one instance that was told that something is there, and then that it is not.

        202 tells that it is not there yet.
        """
        for answers in race.answers:
            is_told = bool(answers) and answers[0].status in (200, 201)
            if is_told and any(answer.status >= 400 for answer in answers[1:]):
                yield answers

    def is_explained(self, race: Race, outcomes: Sequence[Outcome]) -> bool:
        """Whether the clients could have been told and could see so had they come one by one.

        What the dead wanted has happened wholly or not at all: of several requests, the first.
        Where a request is done in parts, others may have come between two of them, and the dead
        may have done some.
        """
        expected = self._expected(race.dead)
        return any(outcome in expected for outcome in outcomes)

    # How it may end.

    def _expected(self, dead: int | None) -> set[Outcome]:
        if dead not in self._serial:
            mishap, self.mishap = self.mishap, None
            found = set(self._serial_outcomes() if dead is None else self._without(dead))
            dies_in_parts = dead is not None and self._scenario.dies_in_parts
            if self._scenario.is_in_parts or dies_in_parts:
                found |= set(self._outcomes_in_parts(dead))
            self._serial[dead], self.mishap = found, mishap
        return self._serial[dead]

    def _serial_outcomes(self) -> Iterator[Outcome]:
        for order in self._orders():
            yield from self.outcomes(self._run(order))

    def _without(self, dead: int) -> Iterator[Outcome]:
        for done in range(len(self._requests[dead]) + 1):
            for order in self._orders({dead: done}):
                yield from self.outcomes(self._run(order), cut=dead)

    def _outcomes_in_parts(self, dead: int | None) -> Iterator[Outcome]:
        """All others between two writes of one request. The dead does nothing after that."""
        for instance in range(len(self._requests)) if dead is None else [dead]:
            for order in self._orders({instance: 0}):
                for writes in itertools.count(1):
                    race = self.start()
                    if not _make(race, instance, writes):
                        break
                    for each in order:
                        _finish(race, each)
                    while dead is None and _next(race, instance):
                        _finish(race, instance)
                    yield from self.outcomes(race, cut=dead)

    def serial_traces(self) -> Iterator[list[Event]]:
        """The calls of the requests, one after the other, in each order."""
        for order in self._orders():
            trace: list[Event] = []
            self._run(order, trace)
            yield trace

    def _orders(self, limits: Mapping[int, int] | None = None) -> list[tuple[int, ...]]:
        """Whose turn it is, request by request. Of an instance in `limits`, only the first."""
        sizes = [len(series) for series in self._requests or self.start().requests]
        turns = [
            index
            for index, size in enumerate(sizes)
            for _ in range((limits or {}).get(index, size))
        ]
        return sorted(set(itertools.permutations(turns)))

    def _run(self, order: Sequence[int], trace: list[Event] | None = None) -> Race:
        race = self.start()
        for instance in order:
            _finish(race, instance, trace)
        return race


def _finish(race: Race, instance: int, trace: list[Event] | None = None) -> None:
    """Has an instance make the calls of its next request, to the answer."""
    count = len(race.answers[instance])
    while len(race.answers[instance]) == count:
        event = _next(race, instance)
        assert event, "no answer, and no call to be made"
        if trace is not None:
            trace.append(event)
        race.step(event)


def _make(race: Race, instance: int, writes: int) -> bool:
    """Has it make its calls up to so many writes; False if it has answered all before."""
    wanted = len(race.requests[instance])
    while writes and len(race.answers[instance]) < wanted:
        event = _next(race, instance)
        assert event, "no answer, and no call to be made"
        race.step(event)
        writes -= event.is_write
    return len(race.answers[instance]) < wanted


def _next(race: Race, instance: int) -> Event | None:
    own = [event for event in race.pending() if event.instance == instance]
    return min(own, key=lambda event: event.name, default=None)


@contextmanager
def _inline_bytes(size: int) -> Iterator[None]:
    """Has this process, too, store manifests over `size` as blobs."""
    before, rows.INLINE_BYTES = rows.INLINE_BYTES, size
    try:
        yield
    finally:
        rows.INLINE_BYTES = before
