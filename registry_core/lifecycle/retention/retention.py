"""Retention: of one repository, and of all that the policy is about."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Self

from registry_core.errors import DisallowedOperation, Unavailable
from registry_core.lifecycle import audit
from registry_core.lifecycle.retention.brake import stopping
from registry_core.lifecycle.retention.contents import Contents
from registry_core.lifecycle.retention.decide import (
    Decision,
    Expired,
    Kept,
    Staying,
    Why,
    decide,
)
from registry_core.lifecycle.retention.policy import Policy, Rule
from registry_core.lifecycle.retention.report import Gone, Run, Visit
from registry_core.lifecycle.retention.survey import Surveys
from registry_core.model.attributes import Attributes, Target, Use
from registry_core.model.change import DeleteManifests, Event, Operation, Origin, Seen
from registry_core.model.glob import Glob
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog as catalog_rows
from registry_core.repositories import plan, rows
from registry_core.repositories.catalog import Catalog
from registry_core.repositories.delete_many import BulkDeletions
from registry_core.repositories.services import RepositoryServices
from registry_core.repositories.untag_many import BulkUntaggings
from registry_core.settings import MIN_GRACE, Settings
from registry_core.storage import keys
from registry_core.storage.connection import Connection
from registry_core.storage.faults import StorageFault
from registry_core.storage.pacing import together
from registry_core.storage.tables import Table

ACTOR = "retention"
"""In whose name it deletes."""
_AT_ONCE = 8
"""How many repositories are visited at a time: the rows of each are in memory meanwhile."""
_MOST_FAILED = 20
"""A run that could not finish so many visits has met storage that fails."""


@dataclass(frozen=True)
class How:
    """How a run works."""

    as_of: datetime
    is_dry: bool = False
    """Whether it only tells what would go."""
    is_forced: bool = False
    """Whether the brake counts for nothing."""


class Retention:
    """Deletes by rules from one registry. Any number may work at once, and repeat all they do."""

    def __init__(
        self,
        surveys: Surveys,
        entries: Table,
        deletions: BulkDeletions,
        untaggings: BulkUntaggings,
        grace: timedelta,
        region: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._surveys = surveys
        self._entries = entries
        self._deletions = deletions
        self._untaggings = untaggings
        self._grace = grace
        self._region = region
        self._now = now
        self._run_id = secrets.token_hex(16)

    @classmethod
    def of(cls, connection: Connection, settings: Settings) -> Self:
        """That of the registry which a connection leads to; it keeps nothing in memory."""
        services = RepositoryServices.over(connection, settings)
        return cls(
            Surveys(services.table, services.manifests),
            connection.table(catalog_rows.TABLE),
            services.bulk_deletions,
            BulkUntaggings(services.executor, services.soft_delete),
            max(settings.gc_grace, MIN_GRACE),
            settings.region,
        )

    # One repository.

    async def visit(self, name: RepositoryName, rules: Sequence[Rule], how: How) -> Visit:
        """Takes what the rules say of a repository; a dry visit only finds it.

        Raises `Unavailable` if storage fails, or others keep changing the repository: what went by
        then is in the audit log.
        """
        self._check(how)
        found = await self._surveys.contents(name)
        if not rows.is_live(found.repository) or plan.is_being_deleted(found.repository):
            return Visit(name)
        made = decide(rules, found, how.as_of, self._grace)
        if made.manifests and found.indexes:
            found = await self._surveys.with_children(found)
            made = decide(rules, found, how.as_of, self._grace)
        going = list(_going(name, made))
        if going and _is_locked(found):
            locked = [Staying(each.what, Kept.LOCKED) for each in going]
            return Visit(name, staying=[*made.staying, *locked])
        stopped = "" if how.is_forced else stopping(rules, found, made)
        if stopped:
            return Visit(name, staying=made.staying, stopped=stopped, held_back=going)
        if how.is_dry or made.is_empty:
            return Visit(name, going, made.staying)
        return await _Deletion(self, name, made).carry_out(going)

    def _check(self, how: How) -> None:
        """Nothing is deleted that is not old enough by now."""
        if how.as_of > self._now() and not how.is_dry:
            raise ValueError("what will be old at a later time cannot be deleted now")

    # All repositories.

    async def run(
        self,
        policy: Policy,
        how: How,
        *,
        only: Glob | None = None,
        share: tuple[int, int] = (0, 1),
        seconds: float = float("inf"),
        tell: Callable[[Visit], None] = lambda _: None,
    ) -> Run:
        """Visits every repository that a rule is about, or those of them that `only` matches.

        It begins at the `share`: with the second of seven parts and goes on to the end of the
        first, for (1, 7). It ends after `seconds`, and where storage fails: another that begins
        elsewhere goes on. No storage call where there is no rule.
        """
        run, over = Run(), time.monotonic() + seconds
        waiting = await self._named(policy, only)
        first = len(waiting) * share[0] // share[1]
        waiting = [*waiting[first:], *waiting[:first]]
        while waiting and run.failed < _MOST_FAILED and time.monotonic() < over:
            now, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            visits = (self.visit(name, policy.of(name), how) for name in now)
            for visit in await together(map(_finished, now, visits)):
                run.add(visit)
                tell(visit)
        run.left = len(waiting)
        return run

    async def _named(self, policy: Policy, only: Glob | None) -> list[RepositoryName]:
        if not policy.rules:
            return []
        pages = self._entries.pages(catalog_rows.PARTITION, "\x20", keys.AFTER_ALL, ())
        names = [Catalog.name(row.key) async for page in pages for row in page]
        return [
            name for name in names if policy.of(name) and (only is None or only.matches(name.text))
        ]

    # What a deletion asks for.

    def origin(self, rule: str) -> Origin:
        """In whose name a deletion is, and by which rule."""
        return Origin(ACTOR, self._run_id, rule)

    async def delete(
        self, name: RepositoryName, expired: Sequence[Expired], events: list[Event]
    ) -> None:
        """Deletes manifests of one rule that are as they were read, once nothing holds them.

        What held them was deleted before. Where it can be brought back, they stay.
        """
        holders = frozenset(holder for each in expired for holder in each.holders)
        gone = await self._surveys.gone(name, holders) if holders else frozenset()
        seen = {each.digest: _seen(each) for each in expired if each.holders <= gone}
        if seen:
            change = DeleteManifests(tuple(seen), self.origin(expired[0].rule), seen)
            await self._deletions.delete_manifests(name, change, self._telling(events))

    async def untag(self, name: RepositoryName, made: Decision, events: list[Event]) -> None:
        """Takes tags away that are as they were read."""
        ordered = sorted(made.tags, key=lambda each: each.rule)
        for rule, tags in groupby(ordered, key=lambda each: each.rule):
            wanted = [each.tag for each in tags]
            origin, tell = self.origin(rule), self._telling(events)
            await self._untaggings.untag_as_read(name, wanted, origin, tell)

    def _telling(self, events: list[Event]) -> Callable[[Iterable[Event]], None]:
        def tell(happened: Iterable[Event]) -> None:
            told = list(happened)
            audit.write(told, self._region)
            events.extend(told)

        return tell


@dataclass(frozen=True)
class _Deletion:
    """What was decided on a repository, on its way."""

    retention: Retention
    name: RepositoryName
    made: Decision

    async def carry_out(self, going: Sequence[Gone]) -> Visit:
        """Deletes it, and answers what has gone of it. Others may have changed the rest."""
        events = list[Event]()
        is_failed = False
        try:
            await self.retention.untag(self.name, self.made, events)
            ordered = sorted(self.made.manifests, key=lambda each: (each.level, each.rule))
            for _, group in groupby(ordered, key=lambda each: (each.level, each.rule)):
                await self.retention.delete(self.name, list(group), events)
        except DisallowedOperation:
            pass  # The repository has been locked: what is left stays.
        except (StorageFault, Unavailable):
            is_failed = True
        names = set(map(_subject, events))
        held = {each.digest for each in self.made.manifests if each.holders}
        gone = [each for each in going if str(each.what) in names]
        stayed = [
            Staying(each.what, Kept.HELD if each.what in held else Kept.CHANGED)
            for each in going
            if str(each.what) not in names
        ]
        return Visit(self.name, gone, [*self.made.staying, *stayed], is_failed=is_failed)


def _seen(expired: Expired) -> Seen:
    tags = tuple(tag.tag for tag in expired.doomed.tags)
    return Seen(expired.doomed.manifest.etag, tags)


def _subject(event: Event) -> str:
    return event.tag if event.operation is Operation.UNTAG else event.digest


def _going(name: RepositoryName, made: Decision) -> Iterable[Gone]:
    for each in made.tags:
        yield Gone(name, each.tag.tag, each.rule, Why.TAG.value)
    for expired in made.manifests:
        tags = tuple(str(tag.tag) for tag in expired.doomed.tags)
        yield Gone(name, expired.digest, expired.rule, expired.why.value, tags)


def _is_locked(found: Contents) -> bool:
    values = found.repository.values if found.repository else None
    return bool(Attributes.from_row(values).forbidding(Target.REPOSITORY, Use.DELETE_MANIFEST))


async def _finished(name: RepositoryName, visit: Awaitable[Visit]) -> Visit:
    try:
        return await visit
    except (StorageFault, Unavailable):
        return Visit(name, is_failed=True)
