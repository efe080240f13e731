"""What the instances are asked for: requests over HTTP, and work that no HTTP request does yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from registry_core.blobs import rows as blob_rows
from registry_core.errors import RegistryError
from registry_core.model.change import DeleteManifests, DeleteRepository, Event, SetAttributes
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.storage import keys, tables
from registry_core.storage.calls import Request as StorageRequest
from registry_core.storage.faults import ConditionFailed, RowMissing
from registry_core.storage.objects import Location
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
COLLECT, SWEEP = "COLLECT", "SWEEP"


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
    if response.status_code >= 400:
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


async def _collect(client: Client, digest: str) -> None:
    """Collection's stage for a blob: reads `blob` and `b:`, then the links; without any it goes.

    It goes in one transaction with the insert of `x:`, on the versions read.
    """
    table = client.services.connection.table(blob_rows.TABLE)
    blob = await table.get(digest, blob_rows.BLOB)
    if blob is None:
        return
    location = Location.parse(blob.text("Location"))
    marker = await table.get(digest, blob_rows.marker(location))
    if marker is None or await table.query(digest, "l:", "l;", limit=1):
        return
    changes = [
        tables.delete(blob.key, blob.etag),
        tables.delete(marker.key, marker.etag),
        tables.insert(blob_rows.doomed(location)),
    ]
    try:
        await table.transact(digest, changes)
    except (ConditionFailed, RowMissing):
        return


async def _sweep(client: Client, digest: str) -> None:
    """Collection's last stage: deletes the objects of `x:` that `blob` does not name, then `x:`."""
    table = client.services.connection.table(blob_rows.TABLE)
    for row in await table.query(digest, "x:", "x;"):
        blob = await table.get(digest, blob_rows.BLOB)
        location = Location.parse(keys.decode(row.key.removeprefix("x:")))
        if blob is None or blob.text("Location") != str(location):
            url = client.services.content.url(location)
            await client.services.connection.blobs.write(StorageRequest("DELETE", url))
        await table.transact(digest, [tables.delete(row.key, row.etag)])


_WORK: Mapping[str, Callable[..., Awaitable[None]]] = {
    LOCK: _lock,
    UNLOCK: _unlock,
    DELETE_MANIFESTS: _delete_manifests,
    DELETE_REPOSITORY: _delete_repository,
    COLLECT: _collect,
    SWEEP: _sweep,
}
