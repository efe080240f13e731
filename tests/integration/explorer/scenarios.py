"""What is put to the race: a repository to begin with, and requests to it at once."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from registry_core.blobs import rows as blob_rows
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog, rows
from registry_core.storage import tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Table
from tests.integration.core.collection.support import moment
from tests.integration.core.support import (
    OCI_INDEX,
    OCI_MANIFEST,
    Client,
    descriptor,
    digest_of,
    index_of,
)
from tests.integration.explorer import requests
from tests.integration.explorer.race import Kind
from tests.integration.explorer.requests import Request
from tests.integration.explorer.world import Artifact

LAYER = "application/vnd.example.layer"


def artifact(blob: bytes, subject: Artifact | None = None) -> Artifact:
    """An artifact of one blob, which is config and layer: the fewest calls that a push has.

    Without the blob's size, which a push would read to compare it: since it never changes, it does
    not matter when, yet each moment would be tried.
    """
    part = {name: value for name, value in descriptor(LAYER, blob).items() if name != "size"}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example",
        "config": part,
        "layers": [part],
    }
    if subject:
        document["subject"] = descriptor(subject.media_type, subject.content)
    content = json.dumps(document).encode()
    return Artifact(
        content,
        digest_of(content),
        OCI_MANIFEST,
        frozenset({part["digest"]}),
        subject=subject.digest if subject else "",
    )


def index(*children: Artifact) -> Artifact:
    """An index of `children`."""
    content = index_of(descriptor(child.media_type, child.content) for child in children)
    digests = frozenset(child.digest for child in children)
    return Artifact(content, digest_of(content), OCI_INDEX, children=digests)


def cache(*layers: bytes) -> Artifact:
    """A build cache as BuildKit exports it: an index whose children are layers."""
    content = index_of(descriptor(LAYER, layer) for layer in layers)
    digests = frozenset(map(digest_of, layers))
    return Artifact(content, digest_of(content), OCI_INDEX, children=digests, layers=digests)


ONE, TWO = b"one", b"two"
A, B = artifact(ONE), artifact(TWO)
A2 = artifact(ONE, subject=A)
INDEX = index(A)
CACHE = cache(ONE)
LARGE_INDEX = index(*(artifact(b"%d" % number) for number in range(100)))
"""Its children, which need not be there, do not fit one transaction."""
ARTIFACTS = (A, B, A2, INDEX, CACHE, LARGE_INDEX)
BLOBS = tuple(map(digest_of, (ONE, TWO)))


class Setup:
    """Makes what a scenario begins with, in a repository of its own."""

    def __init__(self, client: Client, repository: str) -> None:
        self._client = client
        self.repository = repository
        self.repositories = [repository]
        """All that are used; it is first."""
        self.locations: list[str] = []
        """Upload sessions, in the order in which they were begun."""
        self.artifacts: list[Artifact] = []
        """Manifests that no other execution has."""
        self.uses_own = False

    @property
    def own(self) -> bytes:
        """A blob that no other execution has."""
        self.uses_own = True
        return self.repository.encode()

    @property
    def source(self) -> str:
        """Another repository, to mount from."""
        return self._also(f"{self.repository}-source")

    @property
    def third(self) -> str:
        """One more, to mount to."""
        return self._also(f"{self.repository}-third")

    def _also(self, repository: str) -> str:
        if repository not in self.repositories:
            self.repositories.append(repository)
        return repository

    def own_artifact(self, blob: bytes = ONE) -> Artifact:
        """A manifest that no other execution has; it needs a blob."""
        made = artifact(blob)
        of = f"{self.repository} {len(self.artifacts)}"
        document = json.loads(made.content) | {"annotations": {"of": of}}
        content = json.dumps(document).encode()
        self.artifacts.append(Artifact(content, digest_of(content), OCI_MANIFEST, made.blobs))
        return self.artifacts[-1]

    async def blobs(self, *blobs: bytes, repository: str = "") -> None:
        for blob in blobs:
            name = repository or self.repository
            location = await self._client.begin(name)
            answer = await self._client.commit(location, digest_of(blob), blob)
            assert answer.status_code == 201

    async def push(self, *artifacts: Artifact, tag: str = "", repository: str = "") -> None:
        for each in artifacts:
            answer = await self._client.put_manifest(
                repository or self.repository, tag or each.digest, each.content, each.media_type
            )
            assert answer.status_code == 201, answer.text

    async def do(self, *wanted: Request) -> None:
        """Has requests answered before the race begins."""
        for each in wanted:
            found = await requests.answer(self._client, each)
            assert found.status < 300, (each, found)

    async def drop(self, prefix: str) -> None:
        """Loses the rows whose keys begin so."""
        name = RepositoryName(self.repository)
        table = self._client.services.connection.table(rows.TABLE)
        found = await table.query(rows.partition(name), prefix, prefix + "~")
        found += [row for row in [await table.get(rows.partition(name), prefix)] if row]
        changes = {row.key: tables.delete(row.key, row.etag) for row in found}
        assert changes
        await table.transact(rows.partition(name), list(changes.values()))

    async def add(self, key: str) -> None:
        """Adds a row that should not be there."""
        table = self._client.services.connection.table(rows.TABLE)
        partition = rows.partition(RepositoryName(self.repository))
        await table.transact(partition, [tables.insert(key)])

    async def enter(self) -> None:
        """Enters the repository into the catalog, as a push does that goes no further."""
        table = self._client.services.connection.table(catalog.TABLE)
        key = catalog.entry_key(RepositoryName(self.repository))
        await table.transact(catalog.PARTITION, [tables.insert(key)])

    async def doom(self, blob: bytes) -> None:
        """Dooms the object that a blob names."""
        changes = [tables.insert(blob_rows.doomed(await self._location(blob)))]
        await self._blobs.transact(digest_of(blob), changes)

    async def drop_marker(self, blob: bytes) -> None:
        """Loses the marker of a blob."""
        changes = [tables.delete(blob_rows.marker(await self._location(blob)))]
        await self._blobs.transact(digest_of(blob), changes)

    @property
    def _blobs(self) -> Table:
        return self._client.services.connection.table(blob_rows.TABLE)

    async def _location(self, blob: bytes) -> Location:
        row = await self._blobs.get(digest_of(blob), blob_rows.BLOB)
        assert row is not None
        return blob_rows.Link.from_row(row).location

    async def session(self, *chunks: bytes, repository: str = "") -> None:
        location = await self._client.begin(repository or self.repository)
        for chunk in chunks:
            location = (await self._client.patch(location, chunk)).headers["location"]
        self.locations.append(location)

    # Requests.

    def put(self, pushed: Artifact, tag: str = "") -> Request:
        url = f"/v2/{self.repository}/manifests/{tag or pushed.digest}"
        return Request("PUT", url, pushed.content, (("content-type", pushed.media_type),))

    def get(self, reference: str) -> Request:
        return Request("GET", f"/v2/{self.repository}/manifests/{reference}")

    def delete(self, reference: str) -> Request:
        return Request("DELETE", f"/v2/{self.repository}/manifests/{reference}")

    def delete_blob(self, blob: bytes, repository: str = "") -> Request:
        name = repository or self.repository
        return Request("DELETE", f"/v2/{name}/blobs/{digest_of(blob)}")

    def mount(self, blob: bytes, repository: str = "") -> Request:
        query = f"mount={digest_of(blob)}&from={self.source}"
        return Request("POST", f"/v2/{repository or self.repository}/blobs/uploads/?{query}")

    def lock(
        self,
        target: str = "repository",
        attribute: str = "WriteEnabled",
        *,
        repository: str = "",
    ) -> Request:
        """Sets an attribute of the repository, a digest or a tag to false."""
        return Request(requests.LOCK, f"{repository or self.repository} {target} {attribute}")

    def unlock(self, target: str = "repository", attribute: str = "WriteEnabled") -> Request:
        """Sets it to true."""
        return Request(requests.UNLOCK, f"{self.repository} {target} {attribute}")

    def delete_all(self, *artifacts: Artifact) -> Request:
        """Deletes a set of manifests."""
        digests = " ".join(each.digest for each in artifacts)
        return Request(requests.DELETE_MANIFESTS, f"{self.repository} {digests}")

    def delete_repository(self) -> Request:
        return Request(requests.DELETE_REPOSITORY, self.repository)

    def restore(self, deleted: Artifact, tag: str = "", *, force: bool = False) -> Request:
        url = f"/acr/v1/_deleted/{self.repository}/_manifests/{deleted.digest}"
        body = json.dumps({"tag": tag or None}).encode()
        return Request("POST", f"{url}?force={force}", body)

    async def purge(self) -> Request:
        """A purge of all that was deleted; what lists the repository as such is old so far."""
        as_of = await moment(self._client)
        return Request(requests.PURGE, f"{self.repository} {as_of.isoformat()}")

    async def collect(self, blob: bytes) -> Request:
        """A visit of a blob by garbage collection, to which what is there now is old."""
        as_of = await moment(self._client)
        return Request(requests.COLLECT, f"{digest_of(blob)} {as_of.isoformat()}")

    def back_up(self) -> Request:
        """What a backup does of the repository."""
        return Request(requests.BACK_UP, self.repository)

    def collect_held(self, blob: bytes) -> Request:
        """A visit of a blob to which all is old, but for what the backup holds."""
        return Request(requests.COLLECT_HELD, f"{digest_of(blob)} {self.repository}")

    async def collect_repository(self) -> Request:
        """A visit of the repository and its entry in the catalog, in the same way."""
        as_of = await moment(self._client)
        return Request(requests.COLLECT_REPOSITORY, f"{self.repository} {as_of.isoformat()}")

    async def take(self, *blobs: bytes) -> Request:
        """What a message has done that names blobs, in the same way."""
        as_of, digests = await moment(self._client), " ".join(map(digest_of, blobs))
        return Request(requests.TAKE, f"{self.repository} {as_of.isoformat()} {digests}")

    async def retain(self, keep_last: int = 0) -> Request:
        """A visit by retention, to which what is there now is old: untagged manifests go.

        With `keep_last`, all tags but so many go too.
        """
        as_of = await moment(self._client)
        words = f"{self.repository} {as_of.isoformat()} {keep_last}"
        return Request(requests.RETAIN, words)

    def count(self) -> Request:
        """Counts what the repository holds."""
        return Request(requests.COUNT, self.repository)

    async def next_second(self) -> None:
        """Lets storage's time go on to the next second: it knows no less of objects."""
        begun = await moment(self._client)
        while (await moment(self._client)).replace(microsecond=0) <= begun:
            continue

    def head(self, blob: bytes) -> Request:
        return Request("HEAD", f"/v2/{self.repository}/blobs/{digest_of(blob)}")

    def patch(self, content: bytes, session: int = 0) -> Request:
        return Request("PATCH", self.locations[session], content)

    def commit(self, whole: bytes, rest: bytes = b"", session: int = 0) -> Request:
        return Request("PUT", f"{self.locations[session]}&digest={digest_of(whole)}", rest)

    def cancel(self, session: int = 0) -> Request:
        return Request("DELETE", self.locations[session])


Series = Request | tuple[Request, ...]
"""What one instance is asked for: one request, or some one after the other."""
Prepare = Callable[[Setup], Awaitable[Sequence[Series]]]


class When(Enum):
    """Who runs a test."""

    ALWAYS = "make test"
    LONG = "make test-all"
    NEVER = "nobody"


@dataclass(frozen=True)
class Scenario:
    """Requests at once, and the rules that they put to the test."""

    rules: tuple[str, ...]
    prepare: Prepare
    is_long: bool = False
    """Whether `make test` leaves it out."""
    mishaps: When = When.NEVER
    """Who runs it with one lost answer and with one death."""
    kinds: tuple[Kind, ...] = tuple(Kind)
    """Which of the two."""
    most: int | None = None
    """How many interleavings are tried where all are too many, before as many are drawn."""
    is_in_parts: bool = False
    """Whether a request is done in parts: a repository is deleted so, and an empty one unlocked."""
    dies_in_parts: bool = False
    """Whether others notice what the dead had begun: a blob that it protected stays for a while."""
    is_soft: bool = False
    """Whether what is deleted can be restored."""
    inline_bytes: int = rows.INLINE_BYTES
    remembers: bool = False
    """Whether instances keep in memory what they have read and written."""
    is_relied_on: bool = False
    """Whether an instance that was told that something is there may count on it from then on."""

    @property
    def name(self) -> str:
        return self.prepare.__name__.replace("_", "-")


SCENARIOS: list[Scenario] = []


def scenario(*rules: str, **options: Any) -> Callable[[Prepare], None]:
    """Adds a scenario; its name says what happens at once."""

    def add(prepare: Prepare) -> None:
        SCENARIOS.append(Scenario(rules, prepare, **options))

    return add


# Pushes and deletions of manifests.


_NOT_LOST = (Kind.DEATH,)
"""A push whose answer was lost may take effect before a deletion and after it (F5): what it pushed
the first time was then deleted, as in no order of the two."""


@scenario("P3", "P4", "D1", is_long=True)
async def a_tag_is_pushed_and_its_manifest_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.put(A, "v2"), s.delete(A.digest)


@scenario("P3", "D1", "D5", mishaps=When.LONG)
async def the_last_manifest_is_deleted_and_another_pushed(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    return s.put(B, "v1"), s.delete(A.digest)


@scenario("P3", "P7")
async def two_manifests_are_the_first_of_a_repository(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    return s.put(A, "a"), s.put(B, "b")


@scenario("P3", "P7", is_long=True)
async def one_manifest_is_pushed_first_by_two(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    return s.put(A, "v1"), s.put(A, "v1")


@scenario("D1", "D5", mishaps=When.LONG)
async def the_last_two_manifests_are_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete(A.digest), s.delete(B.digest)


@scenario("D1", is_long=True)
async def one_manifest_is_deleted_by_two(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.delete(A.digest), s.delete(A.digest)


@scenario("P3")
async def a_tag_moves_to_two_manifests(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    await s.push(A2, tag="v1")
    return s.put(A, "v1"), s.put(B, "v1")


@scenario("P3", "D2")
async def a_tag_moves_and_is_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.put(B, "v1"), s.delete("v1")


@scenario("P3", "D1")
async def a_tag_leaves_a_manifest_that_is_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.put(B, "v1"), s.delete(A.digest)


@scenario("P3", "D2")
async def a_manifest_gets_a_tag_and_loses_another(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.put(A, "v2"), s.delete("v1")


@scenario("P5", "D1", mishaps=When.LONG)
async def an_index_is_pushed_and_its_child_deleted(s: Setup) -> Sequence[Series]:
    """An index that touches its child "if it exists" writes to a tombstone."""
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.put(INDEX, "v1"), s.delete(A.digest)


@scenario("P5", "D1")
async def an_index_and_its_child_are_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, INDEX)
    return s.delete(INDEX.digest), s.delete(A.digest)


@scenario("P3", "D1")
async def a_referrer_is_pushed_and_its_subject_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return s.put(A2), s.delete(A.digest)


# Locks.


@scenario("P6", "L2", mishaps=When.LONG)
async def a_manifest_is_pushed_and_the_repository_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    return s.put(B, "v1"), s.lock()


@scenario("P6", "D1", "L2", mishaps=When.LONG)
async def a_manifest_is_deleted_and_the_repository_locked(s: Setup) -> Sequence[Series]:
    """A deletion that does not pass a guard is applied after the lock was answered."""
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete(A.digest), s.lock()


@scenario("P6", "D1", "L2")
async def the_last_manifest_is_deleted_and_the_repository_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return s.delete(A.digest), s.lock()


@scenario("P6", "L3")
async def a_tag_moves_and_is_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.put(B, "v1"), s.lock("v1")


@scenario("P6", "D1", "L3")
async def a_manifest_is_deleted_and_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete(A.digest), s.lock(A.digest)


@scenario("P6", "D1", "L3")
async def a_manifest_is_deleted_and_its_tag_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.delete(A.digest), s.lock("v1")


# Locks, each attribute that matters against each change that it forbids, or must let pass.


@scenario("P6", "D2")
async def a_tag_is_deleted_and_the_repository_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.delete("v1"), s.lock()


@scenario("P6", "D3", mishaps=When.LONG)
async def a_blob_is_deleted_and_the_repository_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    return s.delete_blob(TWO), s.lock()


@scenario("P6", "R3")
async def a_blob_is_mounted_and_the_repository_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, repository=s.source)
    await s.blobs(TWO)
    await s.push(B)
    return s.mount(ONE), s.lock()


@scenario("P6", "R3", mishaps=When.LONG)
async def a_blob_is_mounted_and_its_source_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, repository=s.source)
    await s.push(A, repository=s.source)
    return s.mount(ONE), s.lock(attribute="ReadEnabled", repository=s.source)


@scenario("P6", "D1", mishaps=When.LONG)
async def the_last_manifest_is_deleted_and_the_repository_kept(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return s.delete(A.digest), s.lock(attribute="DeleteEnabled")


@scenario("P6")
async def a_manifest_is_pushed_and_the_repository_kept(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    return s.put(B, "v1"), s.lock(attribute="DeleteEnabled")


@scenario("P6")
async def a_manifest_is_pushed_and_the_repository_not_read(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    return s.put(B, "v1"), s.lock(attribute="ReadEnabled")


@scenario("P6", mishaps=When.LONG)
async def a_manifest_gets_a_tag_and_is_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return s.put(A, "v1"), s.lock(A.digest)


@scenario("P6", "P3")
async def a_tag_moves_to_a_manifest_that_is_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    await s.push(B, tag="v1")
    return s.put(A, "v1"), s.lock(A.digest)


@scenario("P6", "D2")
async def a_tag_is_deleted_and_its_manifest_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.delete("v1"), s.lock(A.digest)


@scenario("P6", "D1")
async def a_manifest_is_deleted_and_kept(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete(A.digest), s.lock(A.digest, "DeleteEnabled")


@scenario("P6", "P3")
async def a_manifest_is_pushed_again_and_kept(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return s.put(A, "v1"), s.lock(A.digest, "DeleteEnabled")


@scenario("P6", "D2", mishaps=When.ALWAYS)
async def a_tag_is_deleted_and_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.delete("v1"), s.lock("v1")


@scenario("P6", "D2")
async def a_tag_is_deleted_and_kept(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.delete("v1"), s.lock("v1", "DeleteEnabled")


@scenario("P6", "P3")
async def a_tag_moves_and_is_kept(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.put(B, "v1"), s.lock("v1", "DeleteEnabled")


@scenario("P6", "D1")
async def a_manifest_is_deleted_and_its_tag_kept(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.delete(A.digest), s.lock("v1", "DeleteEnabled")


@scenario("P6", "P3")
async def a_tag_is_pushed_as_it_is_and_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.put(A, "v1"), s.lock("v1")


@scenario("P6")
async def a_repository_is_locked_in_two_ways(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return s.lock(), s.lock(attribute="DeleteEnabled")


@scenario("P6")
async def a_repository_is_locked_by_two(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return s.lock(), s.lock()


@scenario("P6")
async def a_repository_and_a_manifest_in_it_are_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return s.lock(), s.lock(A.digest, "DeleteEnabled")


@scenario("P6")
async def a_manifest_and_its_tag_are_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.lock(A.digest), s.lock("v1")


@scenario("P6")
async def a_repository_is_locked_and_unlocked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    await s.do(s.lock())
    return s.lock(), s.unlock()


# Repositories that are empty.


async def _empty(s: Setup) -> None:
    """A repository that a lock against deletion keeps, though it holds nothing."""
    await s.blobs(ONE, TWO)
    await s.push(A)
    await s.do(s.lock(attribute="DeleteEnabled"), s.delete(A.digest))


@scenario("P6", "D1", is_in_parts=True, is_long=True)
async def an_empty_repository_is_locked_and_unlocked(s: Setup) -> Sequence[Series]:
    await _empty(s)
    return s.lock(attribute="DeleteEnabled"), s.unlock(attribute="DeleteEnabled")


@scenario("P6", "D1", is_in_parts=True, is_long=True)
async def an_empty_repository_is_unlocked_and_locked_otherwise(s: Setup) -> Sequence[Series]:
    await _empty(s)
    return s.lock(), s.unlock(attribute="DeleteEnabled")


@scenario("P6", "P3", "D1", "L5", is_in_parts=True)
async def an_empty_repository_is_unlocked_and_pushed_to(s: Setup) -> Sequence[Series]:
    await _empty(s)
    return s.put(B, "v1"), s.unlock(attribute="DeleteEnabled")


@scenario("P6", "D1", is_in_parts=True)
async def an_empty_repository_is_unlocked_by_two(s: Setup) -> Sequence[Series]:
    await _empty(s)
    return s.unlock(attribute="DeleteEnabled"), s.unlock(attribute="DeleteEnabled")


@scenario("P6", "D1", is_long=True, most=40, is_in_parts=True)
async def the_last_manifest_is_deleted_while_locks_change(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    changes = s.lock(attribute="DeleteEnabled"), s.unlock(attribute="DeleteEnabled")
    return s.delete(A.digest), changes


@scenario("P6", "P3", "D1", is_long=True, most=60, is_in_parts=True)
async def one_is_deleted_and_one_pushed_while_locks_change(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    changes = s.lock(attribute="DeleteEnabled"), s.unlock(attribute="DeleteEnabled")
    return s.put(B, "v1"), s.delete(A.digest), changes


@scenario("P6", "D1", is_long=True, most=60, is_in_parts=True)
async def the_last_two_are_deleted_while_locks_change(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    changes = s.lock(attribute="DeleteEnabled"), s.unlock(attribute="DeleteEnabled")
    return s.delete(A.digest), s.delete(B.digest), changes


# Deletions of many.


@scenario("D1", "P3", "D7", mishaps=When.LONG, is_long=True)
async def two_manifests_are_deleted_and_one_pushed_again(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete_all(A, B), s.put(A, "v1")


@scenario("D1", "P3", "D7")
async def two_manifests_are_deleted_and_another_pushed(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete_all(A, B), s.put(A2)


@scenario("D1", "D2", "D7")
async def two_manifests_are_deleted_and_one_untagged(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.delete_all(A, B), s.delete("v1")


@scenario("D1", "P6", "L2", "D7", is_in_parts=True)
async def a_set_is_deleted_and_the_repository_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete_all(A, B), s.lock()


@scenario("D1", "P6", "L3", "D7")
async def a_set_is_deleted_and_its_only_manifest_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete_all(A), s.lock(A.digest)


@scenario("D1", is_long=True)
async def two_sets_that_overlap_are_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B, A2)
    return s.delete_all(A, B), s.delete_all(B, A2)


@scenario("D1", "P3", "D8", is_in_parts=True, mishaps=When.LONG, is_long=True, most=20)
async def a_repository_is_deleted_and_pushed_to(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    return s.delete_repository(), s.put(B, "v2")


@scenario("D1", "D2", "D8", is_in_parts=True, is_long=True, most=20)
async def a_repository_is_deleted_and_untagged(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.delete_repository(), s.delete("v1")


@scenario("D1", "P6", "D8", is_in_parts=True, most=4)
async def a_repository_is_deleted_and_kept(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return s.delete_repository(), s.lock(attribute="DeleteEnabled")


@scenario("D1", "P6", "L3", "D8", is_in_parts=True, is_long=True, most=20)
async def a_repository_is_deleted_and_a_tag_in_it_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.delete_repository(), s.lock("v1")


@scenario("D1", is_in_parts=True, is_long=True, most=20)
async def a_repository_and_its_last_manifest_are_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return s.delete_repository(), s.delete(A.digest)


@scenario("D1", is_in_parts=True, is_long=True, most=20)
async def a_repository_is_deleted_by_two(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return s.delete_repository(), s.delete_repository()


# Rows that are missing or surplus before it begins: each is right in the end.


@scenario("P3", "P6", "F6", mishaps=When.LONG, most=10)
async def a_tag_without_its_time_moves_and_is_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.drop("T:")
    return s.put(B, "v1"), s.lock("v1")


@scenario("P3", "D2", "F6", most=10, is_long=True)
async def a_tag_that_its_manifest_does_not_know_moves_and_goes(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.drop("g:")
    return s.put(B, "v1"), s.delete("v1")


@scenario("P3", "P6", most=10, is_long=True)
async def a_manifest_without_its_time_is_pushed_and_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    await s.drop("M:")
    return s.put(A, "v1"), s.lock(A.digest)


@scenario("P3", "D1", most=10, is_long=True)
async def a_referrer_that_is_not_listed_is_pushed_and_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, A2)
    await s.drop("s:")
    return s.put(A2), s.delete(A2.digest)


@scenario("P3", "P6", most=10, is_long=True)
async def a_referrer_that_is_not_listed_is_pushed_and_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, A2)
    await s.drop("s:")
    return s.put(A2), s.lock(A2.digest, "DeleteEnabled")


@scenario("P5", "P6", most=10, is_long=True)
async def an_index_that_its_child_does_not_know_is_pushed_and_locked(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, INDEX)
    await s.drop("c:")
    return s.put(INDEX), s.lock(INDEX.digest, "DeleteEnabled")


@scenario("P3", "P6", "F6", mishaps=When.LONG, most=10)
async def a_repository_without_its_guard_is_pushed_to_and_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    await s.drop("hw")
    return s.put(B, "v1"), s.lock()


@scenario("P3", "F6", most=10, is_long=True)
async def a_repository_without_its_guard_is_pushed_to_by_two(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    await s.drop("hw")
    return s.put(B, "v1"), s.put(A, "v2")


@scenario("D1", "P6", most=10, is_long=True)
async def a_repository_without_its_guard_is_deleted_from_and_locked(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    await s.drop("hd")
    return s.delete(A.digest), s.lock()


@scenario("D2", "P3", most=10, is_long=True)
async def a_repository_without_its_guard_is_untagged_and_pushed_to(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.drop("hd")
    return s.delete("v1"), s.put(B, "v2")


@scenario("P3", "P6", most=10, is_long=True)
async def a_repository_without_its_last_update_is_pushed_to_and_locked(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    await s.drop("hu")
    return s.put(A, "v1"), s.lock(attribute="DeleteEnabled")


@scenario("P3", "D1", "F6", most=10)
async def a_manifest_with_a_tag_too_many_is_deleted_and_pushed(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.add(f"g:{B.digest}:v1")
    return s.delete(B.digest), s.put(A, "v1")


@scenario("P3", "P6", most=10, is_long=True)
async def a_locked_repository_with_guards_is_pushed_to_and_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    await s.do(s.lock())
    await s.add("hw")
    await s.add("hd")
    return s.put(B, "v1"), s.lock()


@scenario("P3", "P6", most=10, is_long=True)
async def a_referrer_is_listed_before_it_is_pushed(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    await s.add(f"s:{A.digest}:{A2.digest}")
    return s.put(A2), s.lock(A.digest, "DeleteEnabled")


# One blob in several repositories.


@scenario("U5", mishaps=When.LONG)
async def one_blob_is_committed_into_two_repositories(s: Setup) -> Sequence[Series]:
    await s.session(s.own)
    await s.session(s.own, repository=s.source)
    return s.commit(s.own), s.commit(s.own, session=1)


@scenario("R3", mishaps=When.ALWAYS)
async def one_blob_is_mounted_into_two_repositories(s: Setup) -> Sequence[Series]:
    await s.blobs(s.own, repository=s.source)
    return s.mount(s.own), s.mount(s.own, s.third)


@scenario("U5", "R3", mishaps=When.LONG)
async def a_blob_is_committed_and_mounted_elsewhere(s: Setup) -> Sequence[Series]:
    await s.session(s.own, repository=s.source)
    return s.commit(s.own), s.mount(s.own)


@scenario("U5", "R3")
async def a_blob_is_collected_and_mounted(s: Setup) -> Sequence[Series]:
    await s.blobs(s.own, repository=s.source)
    return (s.delete_blob(s.own, s.source), await s.collect(s.own)), s.mount(s.own)


@scenario("U5")
async def a_blob_is_collected_and_committed(s: Setup) -> Sequence[Series]:
    await s.blobs(s.own)
    await s.session(s.own)
    return (s.delete_blob(s.own), await s.collect(s.own)), s.commit(s.own)


@scenario("U5", "U9")
async def a_commit_is_repeated_and_its_object_swept(s: Setup) -> Sequence[Series]:
    """Whoever looks for the object before its mark ends with a blob that has no bytes."""
    await s.session(s.own)
    await s.do(s.commit(s.own), s.delete_blob(s.own), await s.collect(s.own))
    return s.commit(s.own), await s.collect(s.own)


# Indexes.


@scenario("P5", "D3", "P9")
async def a_build_cache_is_pushed_and_its_layer_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    return s.put(CACHE, "v1"), s.delete_blob(ONE)


@scenario("P5", "D1", "D3", "P9")
async def a_build_cache_and_its_layer_are_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(CACHE)
    return s.delete(CACHE.digest), s.delete_blob(ONE)


# Manifests that are stored as blobs.


@scenario("P2", "D3", inline_bytes=16, is_long=True, is_in_parts=True)
async def a_large_manifest_is_pushed_and_deleted_as_a_blob(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(B)
    large = s.own_artifact()
    return s.put(large, "v1"), s.delete_blob(large.content)


@scenario("P2", "D3", inline_bytes=16, is_long=True, most=40, is_in_parts=True)
async def a_large_manifest_is_deleted_as_a_blob_and_pushed_by_two(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(B)
    large = s.own_artifact()
    return s.put(large, "v1"), (s.delete_blob(large.content), s.put(large, "v2"))


@scenario("P2", "D3", inline_bytes=16, is_long=True, most=40, is_in_parts=True)
async def a_large_manifest_is_collected_as_a_blob_and_sent_again(s: Setup) -> Sequence[Series]:
    """Whoever takes its place from its own upload says that its bytes lie where they do not."""
    await s.blobs(ONE, TWO)
    await s.push(B)
    large = s.own_artifact()
    await s.session(large.content)
    again = s.delete_blob(large.content), await s.collect(large.content), s.commit(large.content)
    return s.put(large, "v1"), again


# Blobs.


@scenario("P1", "D3", mishaps=When.LONG, dies_in_parts=True)
async def a_manifest_is_pushed_and_its_blob_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    return s.put(A, "v1"), s.delete_blob(ONE)


@scenario("D1", "D3")
async def a_manifest_and_its_blob_are_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete(A.digest), s.delete_blob(ONE)


@scenario("R3", "D3")
async def a_blob_is_mounted_and_deleted_at_its_source(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, repository=s.source)
    return s.mount(ONE), s.delete_blob(ONE, s.source)


@scenario("P1", "R3")
async def a_manifest_is_pushed_and_its_blob_mounted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, repository=s.source)
    return s.put(A, "v1"), s.mount(ONE)


@scenario("U5", "R3")
async def a_blob_is_mounted_and_pushed(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, repository=s.source)
    await s.session(ONE)
    return s.mount(ONE), s.commit(ONE)


@scenario("U5", "D3")
async def a_blob_is_pushed_again_and_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.session(ONE)
    return s.commit(ONE), s.delete_blob(ONE)


@scenario("D3")
async def a_blob_is_deleted_by_two(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    return s.delete_blob(ONE), s.delete_blob(ONE)


# Blobs whose links are in memory, when they are deleted elsewhere. Memory is a hint: a push that
# relies on it is refused, or finds where the blob lies now.


@scenario("R6", "P2", "D3", remembers=True, mishaps=When.LONG, kinds=_NOT_LOST, dies_in_parts=True)
async def a_blob_is_committed_and_needed_and_deleted(s: Setup) -> Sequence[Series]:
    await s.session(s.own)
    needs = s.own_artifact(s.own)
    return (s.commit(s.own), s.put(needs, "v1")), s.delete_blob(s.own)


@scenario("R6", "P2", "R3", "D3", remembers=True)
async def a_blob_is_mounted_and_needed_and_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(s.own, repository=s.source)
    needs = s.own_artifact(s.own)
    return (s.mount(s.own), s.put(needs, "v1")), s.delete_blob(s.own)


@scenario("R6", "P2", "D3", remembers=True, is_long=True, most=60, is_in_parts=True)
async def a_blob_is_committed_and_needed_and_sent_again_after_its_collection(
    s: Setup,
) -> Sequence[Series]:
    """Whoever takes its place from memory says that its bytes lie where they do not."""
    await s.session(s.own)
    await s.session(s.own)
    needs = s.own_artifact(s.own)
    again = s.delete_blob(s.own), await s.collect(s.own), s.commit(s.own, session=1)
    return (s.commit(s.own), s.put(needs, "v1")), again


@scenario("R6", "P2", "D3", remembers=True)
async def a_manifest_is_read_and_its_blob_needed_and_both_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(s.own, TWO)
    read, needs = s.own_artifact(s.own), s.own_artifact(s.own)
    await s.push(read, B)
    deletions = s.delete(read.digest), s.delete_blob(s.own)
    return (s.get(read.digest), s.put(needs, "v1")), deletions


@scenario("R6", "P2", "D3", remembers=True, is_long=True, most=60, is_in_parts=True)
async def a_manifest_is_read_and_its_blob_needed_and_sent_again_after_its_collection(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(s.own, TWO)
    read, needs = s.own_artifact(s.own), s.own_artifact(s.own)
    await s.push(read, B)
    await s.session(s.own)
    again = s.delete(read.digest), s.delete_blob(s.own), await s.collect(s.own), s.commit(s.own)
    return (s.get(read.digest), s.put(needs, "v1")), again


# Garbage collection.


async def held_elsewhere(s: Setup) -> None:
    """Has another repository need the blob, so that its content stays."""
    await s.blobs(s.own, repository=s.source)
    await s.push(s.own_artifact(s.own), repository=s.source)


@scenario("G3", dies_in_parts=True, mishaps=When.LONG)
async def a_manifest_is_pushed_and_its_blob_collected(s: Setup) -> Sequence[Series]:
    await s.blobs(s.own)
    return s.put(s.own_artifact(s.own), "v1"), await s.collect(s.own)


@scenario("G2", dies_in_parts=True, mishaps=When.LONG)
async def a_manifest_is_pushed_and_its_link_collected(s: Setup) -> Sequence[Series]:
    """A link that is deleted on no version goes after the push has protected it."""
    await held_elsewhere(s)
    await s.blobs(s.own)
    return s.put(s.own_artifact(s.own), "v1"), await s.collect(s.own)


@scenario("G1", mishaps=When.LONG)
async def a_manifest_is_pushed_again_and_its_need_collected(s: Setup) -> Sequence[Series]:
    """A need that is deleted on no version goes after the push has written it anew."""
    await s.blobs(s.own)
    again, other = s.own_artifact(s.own), s.own_artifact(s.own)
    await s.push(again, other)
    await s.do(s.delete(again.digest))
    return s.put(again, "v1"), await s.collect(s.own)


@scenario("G1")
async def a_manifest_is_pushed_and_its_new_need_collected(s: Setup) -> Sequence[Series]:
    """A need that goes while it is young goes before its manifest has come."""
    await s.blobs(s.own)
    await s.push(s.own_artifact(s.own))
    return s.put(s.own_artifact(s.own), "v1"), await s.collect(s.own)


@scenario("G1", "G2", mishaps=When.LONG)
async def a_manifest_is_deleted_and_its_blob_collected_and_it_is_pushed_again(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(s.own, TWO)
    needs = s.own_artifact(s.own)
    await s.push(needs, B)
    return s.put(needs, "v1"), (s.delete(needs.digest), await s.collect(s.own))


@scenario("G2", is_relied_on=True, mishaps=When.LONG)
async def a_blob_is_asked_for_and_collected_and_needed(s: Setup) -> Sequence[Series]:
    """Who is told that it has the blob does not send it again."""
    await s.blobs(s.own)
    needs = s.own_artifact(s.own)
    return (s.head(s.own), s.put(needs, "v1")), await s.collect(s.own)


@scenario("G2", is_relied_on=True)
async def a_blob_is_committed_and_collected_and_needed(s: Setup) -> Sequence[Series]:
    await s.session(s.own)
    needs = s.own_artifact(s.own)
    return (s.commit(s.own), s.put(needs, "v1")), await s.collect(s.own)


@scenario("G3", "R3", is_relied_on=True, mishaps=When.LONG)
async def a_blob_is_mounted_and_collected_and_needed(s: Setup) -> Sequence[Series]:
    """Whoever reads the links before the marker takes the content from the new one."""
    await s.blobs(s.own, repository=s.source)
    needs = s.own_artifact(s.own)
    return (s.mount(s.own), s.put(needs, "v1")), await s.collect(s.own)


@scenario("G3", "R3")
async def a_blob_without_marker_is_mounted_and_collected(s: Setup) -> Sequence[Series]:
    """A marker is made again on the version of the content: the content goes on it, too."""
    await s.blobs(s.own, repository=s.source)
    await s.drop_marker(s.own)
    return s.mount(s.own), await s.collect(s.own)


@scenario("G3", "D3", dies_in_parts=True, mishaps=When.LONG)
async def a_blob_is_deleted_and_collected_and_needed(s: Setup) -> Sequence[Series]:
    await s.blobs(s.own)
    needs = s.own_artifact(s.own)
    return s.put(needs, "v1"), (s.delete_blob(s.own), await s.collect(s.own))


@scenario("G3", "G9", "U5", is_relied_on=True, is_long=True, most=40)
async def a_blob_is_collected_by_two_and_committed_again_and_needed(s: Setup) -> Sequence[Series]:
    await s.blobs(s.own)
    await s.session(s.own)
    needs, collect = s.own_artifact(s.own), await s.collect(s.own)
    return (s.commit(s.own), s.put(needs, "v1")), collect, collect


@scenario("G4", "U9", mishaps=When.LONG)
async def a_commit_is_repeated_and_its_blob_collected_twice(s: Setup) -> Sequence[Series]:
    """The object of a blob that has just been collected is there for who was told that it is."""
    await s.session(s.own)
    await s.do(s.commit(s.own), s.delete_blob(s.own))
    collect = await s.collect(s.own)
    return s.commit(s.own), (collect, collect)


@scenario("G4", mishaps=When.LONG)
async def a_manifest_is_pushed_and_the_object_is_doomed_that_it_needs(s: Setup) -> Sequence[Series]:
    """As a repeated commit leaves it that was seen while its blob was collected."""
    await s.blobs(s.own)
    await s.push(s.own_artifact(s.own))
    await s.doom(s.own)
    return s.put(s.own_artifact(s.own), "v1"), await s.collect(s.own)


@scenario("G3", "G4", "U2", mishaps=When.LONG)
async def a_blob_is_sent_again_in_its_session_and_its_object_collected(
    s: Setup,
) -> Sequence[Series]:
    """A session that began with one request can begin anew once its object has gone."""
    await s.session()
    await s.do(s.commit(s.own, s.own), s.delete_blob(s.own), await s.collect(s.own))
    await s.next_second()
    return s.commit(s.own, s.own), await s.collect(s.own)


@scenario("G4", "G9", is_long=True, most=30)
async def a_blob_is_sent_again_in_its_session_and_its_object_collected_by_two(
    s: Setup,
) -> Sequence[Series]:
    """The slower of the two finds another object in the place of the one that it looked for."""
    await s.session()
    await s.do(s.commit(s.own, s.own), s.delete_blob(s.own), await s.collect(s.own))
    await s.next_second()
    collect = await s.collect(s.own)
    return s.commit(s.own, s.own), collect, collect


@scenario("G1", "G3", "P2", inline_bytes=16, dies_in_parts=True, mishaps=When.LONG)
async def a_large_manifest_is_pushed_again_and_collected(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    large = s.own_artifact()
    await s.push(B, large)
    await s.do(s.delete(large.digest))
    return s.put(large, "v1"), await s.collect(large.content)


@scenario("G1", "L2")
async def a_manifest_is_deleted_and_its_blob_collected_and_the_repository_locked(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(s.own)
    gone = s.own_artifact(s.own)
    await s.push(gone, s.own_artifact(s.own))
    return (s.delete(gone.digest), await s.collect(s.own)), s.lock()


@scenario("G6", mishaps=When.LONG)
async def a_manifest_is_pushed_again_and_its_tombstone_collected(s: Setup) -> Sequence[Series]:
    """A tombstone that is deleted on no version takes what has come in its place."""
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.do(s.delete(A.digest))
    return s.put(A, "v1"), await s.collect_repository()


@scenario("G6", "G8", mishaps=When.LONG)
async def a_repository_is_made_anew_and_its_tombstone_collected(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    await s.do(s.delete(A.digest))
    return s.put(A, "v1"), await s.collect_repository()


@scenario("G6", "P4", most=25)
async def a_manifest_is_pushed_by_two_and_deleted_and_its_tombstone_collected(
    s: Setup,
) -> Sequence[Series]:
    """A tombstone that goes while it is young lets a push pass that has not seen the deletion."""
    await s.blobs(ONE, TWO)
    await s.push(B)
    return s.put(A), (s.put(A), s.delete(A.digest), await s.collect_repository())


@scenario("G7", mishaps=When.LONG)
async def an_index_is_pushed_again_and_the_row_of_its_child_collected(
    s: Setup,
) -> Sequence[Series]:
    """The row of a child that is deleted on no version goes after the push has written it."""
    await s.blobs(ONE)
    await s.push(A)
    await s.add(rows.child(Digest.parse(A.digest), Digest.parse(INDEX.digest)))
    return s.put(INDEX, "v1"), await s.collect_repository()


@scenario("G7")
async def an_index_is_pushed_in_parts_and_the_rows_of_its_children_collected(
    s: Setup,
) -> Sequence[Series]:
    """The rows of children that go while they are young go before their index has come."""
    await s.blobs(ONE)
    await s.push(A)
    return s.put(LARGE_INDEX, "v1"), await s.collect_repository()


@scenario("G8", mishaps=When.LONG)
async def a_repository_is_made_and_its_entry_collected(s: Setup) -> Sequence[Series]:
    """An entry that goes while it is young goes before its repository has come."""
    await s.blobs(ONE)
    return s.put(A, "v1"), await s.collect_repository()


@scenario("G8", mishaps=When.LONG)
async def a_repository_is_made_and_its_old_entry_collected(s: Setup) -> Sequence[Series]:
    """An entry that is deleted on no version goes after the push has entered it again."""
    await s.blobs(ONE)
    await s.enter()
    return s.put(A, "v1"), await s.collect_repository()


# Messages of deletions.


@scenario("D9", "G1", "G12", is_in_parts=True)
async def a_manifest_is_deleted_and_its_message_is_done_too_early(s: Setup) -> Sequence[Series]:
    """As if the deletion had slept for a day between its message and its transaction."""
    await s.blobs(s.own, TWO)
    gone = s.own_artifact(s.own)
    await s.push(gone, B)
    return s.delete(gone.digest), await s.take(s.own)


@scenario("D9", "G12", "D5", is_in_parts=True)
async def the_last_manifest_is_deleted_and_its_message_is_done_too_early(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(s.own)
    gone = s.own_artifact(s.own)
    await s.push(gone)
    return s.delete(gone.digest), await s.take(s.own)


@scenario("D9", "G12", "D3", mishaps=When.LONG)
async def a_blob_is_deleted_and_its_message_is_done_too_early(s: Setup) -> Sequence[Series]:
    await s.blobs(s.own, TWO)
    await s.push(B)
    return s.delete_blob(s.own), await s.take(s.own)


@scenario("G1", "G12", dies_in_parts=True, mishaps=When.LONG)
async def a_manifest_is_pushed_and_a_message_done_that_names_its_blob(
    s: Setup,
) -> Sequence[Series]:
    """Of another manifest that was deleted, and needed the same."""
    await s.blobs(s.own, TWO)
    gone = s.own_artifact(s.own)
    await s.push(gone, B)
    await s.do(s.delete(gone.digest))
    return s.put(s.own_artifact(s.own), "v1"), await s.take(s.own)


@scenario("G1", "G6", "G12", mishaps=When.LONG)
async def a_manifest_is_pushed_again_and_the_message_of_its_deletion_done(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(s.own, TWO)
    again = s.own_artifact(s.own)
    await s.push(again, s.own_artifact(s.own), B)
    await s.do(s.delete(again.digest))
    return s.put(again, "v1"), await s.take(s.own)


@scenario("D5", "G8", "G12", mishaps=When.LONG)
async def a_repository_is_made_anew_and_the_message_of_its_last_deletion_done(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    await s.do(s.delete(A.digest))
    return s.put(A, "v1"), await s.take()


@scenario("G9", "G12", is_long=True, most=30)
async def a_message_is_done_by_two_and_its_blob_committed_again(s: Setup) -> Sequence[Series]:
    await s.blobs(s.own)
    await s.session(s.own)
    await s.do(s.delete_blob(s.own))
    take = await s.take(s.own)
    return s.commit(s.own), take, take


# Soft delete. The other scenarios of deletions are for good.

_NOT_DEAD = (Kind.LOST_ANSWER,)
"""The restoration of an index and a purge are several transactions each: where one of them dies,
both may have done a part, as in no order in which only one request is cut into parts."""


@scenario("X1", "X2", is_soft=True, mishaps=When.LONG, kinds=_NOT_LOST)
async def a_manifest_is_pushed_again_and_deleted_softly(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.put(A, "v2"), s.delete(A.digest)


@scenario("X1", is_soft=True, mishaps=When.LONG)
async def the_last_manifest_is_deleted_softly_and_another_pushed(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    return s.put(B, "v1"), s.delete(A.digest)


@scenario("X1", is_soft=True)
async def the_last_two_manifests_are_deleted_softly(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.delete(A.digest), s.delete(B.digest)


@scenario("X1", is_soft=True, mishaps=When.LONG, kinds=_NOT_LOST)
async def a_tag_moves_and_is_deleted_softly(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.put(B, "v1"), s.delete("v1")


@scenario("X1", is_soft=True)
async def a_manifest_is_deleted_softly_and_a_tag_of_it(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.delete("v1"), s.delete(A.digest)


@scenario("X1", "G1", is_soft=True)
async def a_manifest_is_deleted_softly_and_its_blob_collected_and_it_is_restored(
    s: Setup,
) -> Sequence[Series]:
    """A collection that takes what is restorable for gone takes its blobs."""
    await s.blobs(s.own)
    gone = s.own_artifact(s.own)
    await s.push(gone, s.own_artifact(s.own))
    return (s.delete(gone.digest), s.restore(gone)), await s.collect(s.own)


@scenario("X1", "D3", is_soft=True)
async def a_manifest_is_deleted_softly_and_its_blob_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete(A.digest), s.delete_blob(ONE)


@scenario("X2", "X3", is_soft=True, mishaps=When.LONG)
async def a_manifest_is_restored_and_pushed(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.do(s.delete(A.digest))
    return s.restore(A), s.put(A, "v2")


@scenario("X3", is_soft=True, mishaps=When.LONG)
async def a_repository_comes_back_by_a_restoration_and_a_push(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.do(s.delete(A.digest))
    return s.restore(A), s.put(B, "v1")


@scenario("X3", is_soft=True)
async def two_manifests_of_a_repository_that_has_gone_are_restored(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.do(s.delete(A.digest), s.delete(B.digest))
    return s.restore(A), s.restore(B)


@scenario("X3", is_soft=True, mishaps=When.LONG)
async def a_manifest_is_restored_by_two(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.do(s.delete(A.digest))
    return s.restore(A), s.restore(A, "v1")


@scenario("X3", is_soft=True)
async def a_manifest_is_restored_and_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.do(s.delete(A.digest))
    return s.restore(A), (s.put(A, "v2"), s.delete(A.digest))


@scenario("X3", is_soft=True)
async def a_manifest_is_restored_and_the_last_other_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    await s.do(s.delete(A.digest))
    return s.restore(A), s.delete(B.digest)


@scenario("X3", is_soft=True, mishaps=When.LONG)
async def a_tag_is_restored_and_pushed(s: Setup) -> Sequence[Series]:
    """Whichever is first, the tag is where the push pointed it."""
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.do(s.delete("v1"))
    return s.restore(A, "v1"), s.put(B, "v1")


@scenario("X3", is_soft=True)
async def a_tag_is_restored_by_force_and_moves(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.do(s.delete("v1"))
    await s.push(B, tag="v1")
    await s.push(A2)
    return s.restore(A, "v1", force=True), s.put(A2, "v1")


@scenario("X3", is_soft=True, is_in_parts=True, mishaps=When.LONG, kinds=_NOT_DEAD)
async def an_index_is_restored_and_its_child_purged(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, INDEX, B)
    await s.do(s.delete(INDEX.digest), s.delete(A.digest))
    return s.restore(INDEX), (await s.purge(), await s.collect_repository())


@scenario("X3", is_soft=True, is_in_parts=True)
async def an_index_is_restored_and_its_child_pushed_and_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, INDEX, B)
    await s.do(s.delete(INDEX.digest), s.delete(A.digest))
    return s.restore(INDEX), (s.put(A), s.delete(A.digest))


@scenario("X1", "X3", is_soft=True, is_in_parts=True)
async def an_index_is_deleted_softly_and_its_child_too_and_restored(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, INDEX, B)
    return (s.delete(INDEX.digest), s.restore(INDEX)), s.delete(A.digest)


@scenario("X1", "D8", is_soft=True, is_in_parts=True)
async def a_repository_is_deleted_softly_and_pushed_to(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    return s.delete_repository(), s.put(B, "v2")


@scenario("X3", "D8", is_soft=True, is_in_parts=True)
async def a_repository_is_deleted_softly_and_a_manifest_restored(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.do(s.delete(A.digest))
    return s.delete_repository(), s.restore(A)


@scenario("X4", is_soft=True, mishaps=When.LONG)
async def a_manifest_is_restored_and_the_repository_locked(s: Setup) -> Sequence[Series]:
    """A restoration that passes no guard is applied after the lock was answered."""
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.do(s.delete(A.digest))
    return s.restore(A), s.lock()


@scenario("X4", is_soft=True)
async def a_tag_is_restored_by_force_and_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.do(s.delete("v1"))
    await s.push(B, tag="v1")
    return s.restore(A, "v1", force=True), s.lock("v1")


@scenario("X4", "X5", is_soft=True, mishaps=When.LONG)
async def what_was_deleted_is_purged_and_the_repository_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    await s.do(s.delete(A.digest))
    return await s.purge(), s.lock()


@scenario("X4", "X5", is_soft=True)
async def what_was_deleted_is_purged_and_the_repository_made_and_locked(
    s: Setup,
) -> Sequence[Series]:
    """Where there is no repository, the purge passes no guard: it says that there still is none."""
    await s.blobs(ONE, TWO)
    await s.push(A)
    await s.do(s.delete(A.digest))
    return await s.purge(), (s.put(B), s.lock())


@scenario("X2", "X5", is_soft=True, mishaps=When.LONG)
async def what_was_deleted_is_purged_and_pushed_again(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    await s.do(s.delete(A.digest))
    return await s.purge(), s.put(A, "v1")


@scenario("X2", "X5", "G1", is_soft=True, most=30)
async def what_was_deleted_is_purged_and_collected_and_pushed_again(s: Setup) -> Sequence[Series]:
    """A push that takes what was purged for restorable protects nothing."""
    await s.blobs(s.own, TWO)
    gone = s.own_artifact(s.own)
    await s.push(gone, B)
    await s.do(s.delete(gone.digest))
    return (await s.purge(), await s.collect(s.own)), s.put(gone, "v1")


@scenario("X3", "X5", is_soft=True, dies_in_parts=True, mishaps=When.LONG)
async def what_was_deleted_is_purged_and_restored(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.do(s.delete(A.digest))
    return await s.purge(), s.restore(A)


@scenario("X5", is_soft=True)
async def what_was_deleted_is_purged_by_two(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    await s.do(s.delete(A.digest))
    purge = await s.purge()
    return purge, purge


@scenario("X5", is_soft=True, mishaps=When.LONG)
async def what_was_deleted_is_purged_and_another_deleted(s: Setup) -> Sequence[Series]:
    """What lists the repository as one with something deleted must not go in between."""
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    await s.do(s.delete(A.digest))
    return await s.purge(), s.delete(B.digest)


@scenario("X5", "G3", is_soft=True, most=30)
async def what_was_deleted_is_purged_and_collected_and_its_blob_mounted(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(s.own, repository=s.source)
    await s.blobs(TWO)
    gone = s.own_artifact(s.own)
    await s.push(gone, repository=s.source)
    await s.push(B)
    url = f"/v2/{s.source}/manifests/{gone.digest}"
    await s.do(Request("DELETE", url))
    purge = Request(requests.PURGE, f"{s.source} {(await moment(s._client)).isoformat()}")
    return (purge, await s.collect(s.own)), s.mount(s.own)


# Three at once.


@scenario("P4", "D1", "D3", is_long=True)
async def a_manifest_is_pushed_again_and_deleted_with_its_blob(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.put(A), s.delete(A.digest), s.delete_blob(ONE)


# Uploads.


@scenario("U5")
async def one_blob_is_committed_by_two_sessions(s: Setup) -> Sequence[Series]:
    content = s.own
    await s.session(content)
    await s.session(content)
    return s.commit(content), s.commit(content, session=1)


# Usage.


@scenario("C1")
async def a_repository_is_counted_and_pushed_to(s: Setup) -> Sequence[Series]:
    """A count that reads the last update after the manifests misses the push for ever."""
    await s.blobs(ONE, TWO)
    await s.push(A)
    return s.count(), s.put(B, "v1")


@scenario("C1")
async def a_repository_is_counted_and_a_tag_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.count(), s.delete("v1")


@scenario("C1")
async def a_repository_is_counted_twice_and_pushed_to(s: Setup) -> Sequence[Series]:
    """Each count is written on the version that it has read: an older one replaces no newer."""
    await s.blobs(ONE, TWO)
    await s.push(A)
    return s.count(), (s.put(B, "v1"), s.count())


@scenario("U5")
async def one_session_is_committed_twice(s: Setup) -> Sequence[Series]:
    content = s.own
    await s.session(content)
    return s.commit(content), s.commit(content)


@scenario("U2", "U3")
async def a_session_gets_its_first_chunk_twice(s: Setup) -> Sequence[Series]:
    await s.session()
    return s.patch(b"first"), s.patch(b"first")


@scenario("U3")
async def a_session_gets_two_chunks(s: Setup) -> Sequence[Series]:
    await s.session(b"abc")
    return s.patch(b"def"), s.patch(b"ghi")


@scenario("U3", "U5")
async def a_session_is_committed_and_goes_on(s: Setup) -> Sequence[Series]:
    content = s.own
    await s.session(content)
    return s.commit(content), s.patch(b"more")


@scenario("U5", "U7")
async def a_session_is_committed_and_cancelled(s: Setup) -> Sequence[Series]:
    content = s.own
    await s.session(content)
    return s.commit(content), s.cancel()


@scenario("U3", "U7")
async def a_session_goes_on_and_is_cancelled(s: Setup) -> Sequence[Series]:
    await s.session(b"abc")
    return s.patch(b"def"), s.cancel()


@scenario("U2", "U7")
async def a_session_never_written_to_begins_and_is_cancelled(s: Setup) -> Sequence[Series]:
    await s.session()
    return s.patch(b"abc"), s.cancel()


@scenario("U2", "U7")
async def a_blob_in_one_request_and_its_cancellation(s: Setup) -> Sequence[Series]:
    content = s.own
    await s.session()
    return s.commit(content, content), s.cancel()


@scenario("U2")
async def a_blob_in_one_request_twice(s: Setup) -> Sequence[Series]:
    content = s.own
    await s.session()
    return s.commit(content, content), s.commit(content, content)


# Retention.


@scenario("K5", mishaps=When.LONG)
async def an_untagged_manifest_is_retained_by_a_tag_that_is_pushed(s: Setup) -> Sequence[Series]:
    """A deletion on no version takes the manifest from under its new tag."""
    await s.blobs(ONE, TWO)
    await s.push(B, tag="kept")
    await s.push(A)
    return await s.retain(), s.put(A, "v1")


@scenario("K5", mishaps=When.LONG)
async def an_untagged_manifest_goes_and_an_index_that_holds_it_is_pushed(
    s: Setup,
) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return await s.retain(), s.put(INDEX, "v1")


@scenario("K3", "K5", is_in_parts=True)
async def an_untagged_manifest_goes_and_a_referrer_to_it_is_pushed(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A)
    return await s.retain(), s.put(A2)


@scenario("K3", "K5", is_in_parts=True, most=300)
async def a_referrer_goes_with_its_subject_that_is_pushed_again(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, A2)
    return await s.retain(), s.put(A, "v1")


@scenario("K3", "K5", is_in_parts=True, most=300)
async def an_index_goes_with_what_it_holds_and_is_pushed_again(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, INDEX)
    return await s.retain(), s.put(INDEX, "v1")


@scenario("K3", "K4", "K5", is_in_parts=True)
async def a_referrer_goes_with_its_subject_that_is_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE)
    await s.push(A, A2)
    return await s.retain(), s.lock(A.digest, "DeleteEnabled")


@scenario("K4", "K5", mishaps=When.LONG)
async def an_untagged_manifest_goes_and_is_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(B, tag="kept")
    await s.push(A)
    return await s.retain(), s.lock(A.digest, "DeleteEnabled")


@scenario("K4", "K5")
async def an_untagged_manifest_goes_and_its_repository_is_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(B, tag="kept")
    await s.push(A)
    return await s.retain(), s.lock()


@scenario("K5")
async def an_untagged_manifest_goes_twice_and_is_deleted(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(B, tag="kept")
    await s.push(A)
    retain = await s.retain()
    return retain, s.delete(A.digest), retain


@scenario("K1", "K5", mishaps=When.LONG)
async def an_old_tag_goes_with_its_manifest_and_is_pushed_again(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="old")
    await s.push(B, tag="new")
    return await s.retain(keep_last=1), s.put(A, "old")


@scenario("K1", "K5")
async def an_old_tag_goes_and_its_manifest_stays_and_it_is_pushed_elsewhere(
    s: Setup,
) -> Sequence[Series]:
    """The other tag keeps the manifest; the old one moves to another."""
    await s.blobs(ONE, TWO)
    await s.push(A, tag="old")
    await s.push(B, tag="newer")
    await s.push(A, tag="newest")
    return await s.retain(keep_last=2), s.put(B, "old")


@scenario("K1", "K4", "K5")
async def an_old_tag_goes_with_its_manifest_and_is_locked(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="old")
    await s.push(B, tag="new")
    return await s.retain(keep_last=1), s.lock("old")


@scenario("K5")
async def the_last_manifest_goes_and_another_is_pushed(s: Setup) -> Sequence[Series]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    return await s.retain(), s.put(B, "v1")


@scenario("K5")
async def an_untagged_manifest_goes_and_the_repository_is_collected(s: Setup) -> Sequence[Series]:
    """The manifest was deleted before; what that left goes, and what has come since stays."""
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    await s.push(B, tag="kept")
    await s.do(s.delete(A.digest))
    await s.push(A)
    return await s.retain(), await s.collect_repository(), s.put(A, "v1")


# Backup.


@scenario("B1", "G11", most=150)
async def a_repository_is_backed_up_and_a_manifest_deleted_and_collected(
    s: Setup,
) -> Sequence[Series]:
    """With all of its bytes: whatever was read of the rows can be copied."""
    await s.blobs(s.own, TWO)
    gone = s.own_artifact(s.own)
    await s.push(gone, B)
    collect = s.collect_held(s.own)
    return s.back_up(), (s.delete(gone.digest), collect, collect)
