"""What the instances are asked for: requests over HTTP, and work that no HTTP request does yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from registry_core.errors import BlobUnknown, DisallowedOperation, RegistryError
from registry_core.lifecycle.backup.holds import Hold, Holds
from registry_core.lifecycle.backup.snapshot import Snapshots
from registry_core.lifecycle.collection.collector import Collector
from registry_core.lifecycle.retention.policy import Tags
from registry_core.lifecycle.retention.retention import How
from registry_core.lifecycle.soft_delete import Purge
from registry_core.model.change import DeleteManifests, DeleteRepository, Event, SetAttributes
from registry_core.model.clock import HybridClock
from registry_core.model.digest import Digest
from registry_core.model.messages import Kind, Message
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.executor import Executor
from registry_core.repositories.messages import QUEUE, Messages
from registry_core.repositories.rows import StoredManifest
from tests.integration.core.collection.mailbox import freed
from tests.integration.core.collection.support import NO_AGE, Collecting, stores_of
from tests.integration.core.retention.support import AT_ONCE, retention_of
from tests.integration.core.support import Client


@dataclass(frozen=True)
class Request:
    """One request. Where the method is none of HTTP's, the words of the URL say what is meant."""

    method: str
    url: str
    content: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> list[str]:
        """What a request that is not HTTP's is about."""
        return self.url.split(" ")


@dataclass(frozen=True)
class Answer:
    """What was answered."""

    status: int
    code: str
    """The OCI error code; empty for a success."""
    headers: dict[str, str] = field(compare=False, repr=False)


LOCK, UNLOCK = "LOCK", "UNLOCK"
DELETE_MANIFESTS, DELETE_REPOSITORY = "DELETE MANIFESTS", "DELETE REPOSITORY"
COLLECT, COLLECT_REPOSITORY, TAKE = "COLLECT", "COLLECT REPOSITORY", "TAKE"
PURGE = "PURGE"
DELETIONS = frozenset({"DELETE", DELETE_MANIFESTS, DELETE_REPOSITORY})
RETAIN = "RETAIN"
COUNT = "COUNT"
BACK_UP, COLLECT_HELD = "BACK UP", "COLLECT HELD"
LATER = datetime.now(UTC) + timedelta(days=2)
"""A time at which all is old that anybody writes now."""


async def answer(client: Client, request: Request) -> Answer:
    """Has an instance answer a request."""
    work = _WORK.get(request.method)
    if work is not None:
        try:
            await work(client, *request.words)
        except RegistryError as error:
            return Answer(error.status, error.code, {})
        return Answer(200, "", {})
    response = await client.send(
        request.method, request.url, content=request.content, headers=dict(request.headers)
    )
    code = ""
    if response.status_code >= 400 and response.content:  # An answer to HEAD has none.
        code = response.json()["errors"][0]["code"]
    return Answer(response.status_code, code, dict(response.headers))


async def _lock(client: Client, repository: str, target: str, *attributes: str) -> None:
    await _set(client, repository, target, dict.fromkeys(attributes, False))


async def _unlock(client: Client, repository: str, target: str, *attributes: str) -> None:
    await _set(client, repository, target, dict.fromkeys(attributes, True))


async def _set(
    client: Client, repository: str, target: str, attributes: Mapping[str, bool]
) -> None:
    of: Digest | Tag | None = None
    if target != "repository":
        of = Digest.parse(target) if Digest.looks_like(target) else Tag(target)
    change = SetAttributes(attributes, of)
    await client.services.locks.set(RepositoryName(repository), change, _ignore)


async def _delete_manifests(client: Client, repository: str, *digests: str) -> None:
    """Deletes a set; refused as a whole where one of it is locked, as far as that can be told."""
    change = DeleteManifests(tuple(map(Digest.parse, digests)))
    locked = await client.services.bulk_deletions.delete_manifests(
        RepositoryName(repository), change, _ignore
    )
    for refusal in locked.values():
        raise refusal


async def _delete_repository(client: Client, repository: str) -> None:
    await client.services.bulk_deletions.delete_repository(
        RepositoryName(repository), DeleteRepository(), _ignore
    )


def _ignore(_: Iterable[Event]) -> None:
    """Is told what the services have done."""


async def _collect(client: Client, digest: str, as_of: str) -> None:
    """A visit of a blob; what was there at the moment `as_of` is old, and nothing else is."""
    await _collector(client).visit_blob(Digest.parse(digest), datetime.fromisoformat(as_of))


async def _collect_repository(client: Client, repository: str, as_of: str) -> None:
    """A visit of a repository and its entry in the catalog, in the same way."""
    await _collector(client).visit_repository(
        RepositoryName(repository), datetime.fromisoformat(as_of)
    )


async def _take(client: Client, repository: str, as_of: str, *digests: str) -> None:
    """What a message has done that names these digests, in the same way."""
    moment = datetime.fromisoformat(as_of)
    named = tuple(map(Digest.parse, filter(None, digests)))
    message = Message(Kind.FREED, RepositoryName(repository), named, moment)
    await freed(client, lambda: moment).collect(message)


async def _purge(client: Client, repository: str, as_of: str) -> None:
    """A purge of all that was deleted, to which only what was there at the moment `as_of` is old.

    Where the repository is locked, it is refused as what a client wants is.
    """
    later = datetime.now(UTC) + timedelta(days=30)
    table = client.services.connection.table(rows.TABLE)
    executor = Executor(table, HybridClock("local"))
    age = later - datetime.fromisoformat(as_of)
    messages = Messages(client.services.connection.queue(QUEUE), timedelta(0))
    purge = Purge(executor, client.services.soft_delete, messages, lambda: later, age)
    report = await purge.visit(RepositoryName(repository), later)
    if report.locked:
        raise DisallowedOperation


async def _count(client: Client, repository: str) -> None:
    """Counts what the repository holds, if that is not known."""
    await client.services.usages.of(RepositoryName(repository))


async def _back_up(client: Client, repository: str) -> None:
    """What a backup does of a repository: it holds, reads the rows, and then the bytes."""
    connection, name = client.services.connection, RepositoryName(repository)
    holds = Holds(connection)
    await holds.make(repository, LATER + timedelta(days=1))
    found = await Snapshots(connection.table(rows.TABLE)).read(name)
    manifests = [StoredManifest.from_row(row) for row in found if row.key in rows.MANIFESTS]
    for location in {blob.location for each in manifests for blob in each.blobs}:
        if location and await client.services.content.state(location.name) is None:
            raise BlobUnknown
    await holds.end(repository)


class _OneHold(Holds):
    """Knows the hold of one backup: those of other executions have no part in this one."""

    def __init__(self, client: Client, name: str) -> None:
        super().__init__(client.services.connection)
        self._name = name

    async def active(self, as_of: datetime) -> Hold | None:
        return await self.of(self._name, as_of)


async def _collect_held(client: Client, digest: str, repository: str) -> None:
    """A visit of a blob to which all is old, but for what the backup of a repository holds."""
    holds = _OneHold(client, repository)
    collector = Collector(stores_of(client), NO_AGE, lambda: LATER, holds)
    await collector.visit_blob(Digest.parse(digest), LATER)


def _collector(client: Client) -> Collector:
    return Collecting(client).collector


async def _retain(client: Client, repository: str, as_of: str, keep_last: str) -> None:
    """A visit by retention: of what was there at the moment, untagged manifests go.

    Of tags, all but the last so many go as well; with 0, every tag stays.
    """
    last = int(keep_last)
    rule = replace(AT_ONCE, tags=Tags(keep_last=last) if last else None)
    how = How(datetime.fromisoformat(as_of))
    await retention_of(client).visit(RepositoryName(repository), [rule], how)


_WORK: Mapping[str, Callable[..., Awaitable[None]]] = {
    LOCK: _lock,
    UNLOCK: _unlock,
    DELETE_MANIFESTS: _delete_manifests,
    DELETE_REPOSITORY: _delete_repository,
    PURGE: _purge,
    COLLECT: _collect,
    COLLECT_REPOSITORY: _collect_repository,
    TAKE: _take,
    RETAIN: _retain,
    COUNT: _count,
    BACK_UP: _back_up,
    COLLECT_HELD: _collect_held,
}
