"""What is put to the race: a repository to begin with, and requests to it at once."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.integration.core.support import (
    OCI_INDEX,
    OCI_MANIFEST,
    Client,
    descriptor,
    digest_of,
    index_of,
)
from tests.integration.explorer.instance import Request
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


ONE, TWO = b"one " + secrets.token_bytes(8), b"two " + secrets.token_bytes(8)
A, B = artifact(ONE), artifact(TWO)
A2 = artifact(ONE, subject=A)
INDEX = index(A)
ARTIFACTS = (A, B, A2, INDEX)
BLOBS = tuple(map(digest_of, (ONE, TWO)))


class Setup:
    """Makes what a scenario begins with, in a repository of its own."""

    def __init__(self, client: Client, repository: str) -> None:
        self._client = client
        self.repository = repository
        self.uses_source = False
        self.locations: list[str] = []
        """Upload sessions, in the order in which they were begun."""

    @property
    def source(self) -> str:
        """Another repository, to mount from."""
        self.uses_source = True
        return f"{self.repository}-source"

    async def blobs(self, *blobs: bytes, repository: str = "") -> None:
        for blob in blobs:
            name = repository or self.repository
            location = await self._client.begin(name)
            answer = await self._client.commit(location, digest_of(blob), blob)
            assert answer.status_code == 201

    async def push(self, *artifacts: Artifact, tag: str = "") -> None:
        for each in artifacts:
            answer = await self._client.put_manifest(
                self.repository, tag or each.digest, each.content, each.media_type
            )
            assert answer.status_code == 201, answer.text

    async def session(self, *chunks: bytes) -> None:
        location = await self._client.begin(self.repository)
        for chunk in chunks:
            location = (await self._client.patch(location, chunk)).headers["location"]
        self.locations.append(location)

    # Requests.

    def put(self, pushed: Artifact, tag: str = "") -> Request:
        url = f"/v2/{self.repository}/manifests/{tag or pushed.digest}"
        return Request("PUT", url, pushed.content, (("content-type", pushed.media_type),))

    def delete(self, reference: str) -> Request:
        return Request("DELETE", f"/v2/{self.repository}/manifests/{reference}")

    def delete_blob(self, blob: bytes, repository: str = "") -> Request:
        name = repository or self.repository
        return Request("DELETE", f"/v2/{name}/blobs/{digest_of(blob)}")

    def mount(self, blob: bytes) -> Request:
        query = f"mount={digest_of(blob)}&from={self.source}"
        return Request("POST", f"/v2/{self.repository}/blobs/uploads/?{query}")

    def lock(self, target: str = "repository", attribute: str = "WriteEnabled") -> Request:
        """Sets an attribute of the repository, a digest or a tag to false."""
        return Request("LOCK", f"{self.repository} {target} {attribute}")

    def patch(self, content: bytes, session: int = 0) -> Request:
        return Request("PATCH", self.locations[session], content)

    def commit(self, whole: bytes, rest: bytes = b"", session: int = 0) -> Request:
        return Request("PUT", f"{self.locations[session]}&digest={digest_of(whole)}", rest)

    def cancel(self, session: int = 0) -> Request:
        return Request("DELETE", self.locations[session])


@dataclass(frozen=True)
class Scenario:
    """Requests at once, and the rules that they put to the test."""

    rules: tuple[str, ...]
    prepare: Callable[[Setup], Awaitable[Sequence[Request]]]
    is_long: bool = False
    """Whether `make test` leaves it out."""

    @property
    def name(self) -> str:
        return self.prepare.__name__.replace("_", "-")


SCENARIOS: list[Scenario] = []


def scenario(
    *rules: str, is_long: bool = False
) -> Callable[[Callable[[Setup], Awaitable[Sequence[Request]]]], None]:
    """Adds a scenario; its name says what happens at once."""

    def add(prepare: Callable[[Setup], Awaitable[Sequence[Request]]]) -> None:
        SCENARIOS.append(Scenario(rules, prepare, is_long))

    return add


# Pushes and deletions of manifests.


@scenario("P3", "P4", "D1", is_long=True)
async def a_tag_is_pushed_and_its_manifest_deleted(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.put(A, "v2"), s.delete(A.digest)


@scenario("P3", "D1", "D5")
async def the_last_manifest_is_deleted_and_another_pushed(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    return s.put(B, "v1"), s.delete(A.digest)


@scenario("P3", "P7")
async def two_manifests_are_the_first_of_a_repository(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    return s.put(A, "a"), s.put(B, "b")


@scenario("P3", "P7", is_long=True)
async def one_manifest_is_pushed_first_by_two(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE)
    return s.put(A, "v1"), s.put(A, "v1")


@scenario("D1", "D5")
async def the_last_two_manifests_are_deleted(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete(A.digest), s.delete(B.digest)


@scenario("D1", is_long=True)
async def one_manifest_is_deleted_by_two(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.delete(A.digest), s.delete(A.digest)


@scenario("P3")
async def a_tag_moves_to_two_manifests(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    await s.push(A2, tag="v1")
    return s.put(A, "v1"), s.put(B, "v1")


@scenario("P3", "D2")
async def a_tag_moves_and_is_deleted(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.put(B, "v1"), s.delete("v1")


@scenario("P3", "D1")
async def a_tag_leaves_a_manifest_that_is_deleted(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.put(B, "v1"), s.delete(A.digest)


@scenario("P3", "D2")
async def a_manifest_gets_a_tag_and_loses_another(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE)
    await s.push(A, tag="v1")
    return s.put(A, "v2"), s.delete("v1")


@scenario("P5", "D1")
async def an_index_is_pushed_and_its_child_deleted(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.put(INDEX, "v1"), s.delete(A.digest)


@scenario("P5", "D1")
async def an_index_and_its_child_are_deleted(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE)
    await s.push(A, INDEX)
    return s.delete(INDEX.digest), s.delete(A.digest)


@scenario("P3", "D1")
async def a_referrer_is_pushed_and_its_subject_deleted(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE)
    await s.push(A)
    return s.put(A2), s.delete(A.digest)


# Locks.


@scenario("P6", "L2")
async def a_manifest_is_pushed_and_the_repository_locked(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A)
    return s.put(B, "v1"), s.lock()


@scenario("P6", "D1", "L2")
async def a_manifest_is_deleted_and_the_repository_locked(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete(A.digest), s.lock()


@scenario("P6", "D1", "L2")
async def the_last_manifest_is_deleted_and_the_repository_locked(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE)
    await s.push(A)
    return s.delete(A.digest), s.lock()


@scenario("P6", "L3")
async def a_tag_moves_and_is_locked(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.put(B, "v1"), s.lock("v1")


@scenario("P6", "D1", "L3")
async def a_manifest_is_deleted_and_locked(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete(A.digest), s.lock(A.digest)


@scenario("P6", "D1", "L3")
async def a_manifest_is_deleted_and_its_tag_locked(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, tag="v1")
    await s.push(B)
    return s.delete(A.digest), s.lock("v1")


# Blobs.


@scenario("P1", "D3")
async def a_manifest_is_pushed_and_its_blob_deleted(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE)
    return s.put(A, "v1"), s.delete_blob(ONE)


@scenario("D1", "D3")
async def a_manifest_and_its_blob_are_deleted(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.delete(A.digest), s.delete_blob(ONE)


@scenario("R3", "D3")
async def a_blob_is_mounted_and_deleted_at_its_source(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, repository=s.source)
    return s.mount(ONE), s.delete_blob(ONE, s.source)


@scenario("P1", "R3")
async def a_manifest_is_pushed_and_its_blob_mounted(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, repository=s.source)
    return s.put(A, "v1"), s.mount(ONE)


@scenario("U5", "R3")
async def a_blob_is_mounted_and_pushed(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, repository=s.source)
    await s.session(ONE)
    return s.mount(ONE), s.commit(ONE)


@scenario("U5", "D3")
async def a_blob_is_pushed_again_and_deleted(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE)
    await s.session(ONE)
    return s.commit(ONE), s.delete_blob(ONE)


@scenario("D3")
async def a_blob_is_deleted_by_two(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE)
    return s.delete_blob(ONE), s.delete_blob(ONE)


# Three at once.


@scenario("P4", "D1", "D3", is_long=True)
async def a_manifest_is_pushed_again_and_deleted_with_its_blob(s: Setup) -> Sequence[Request]:
    await s.blobs(ONE, TWO)
    await s.push(A, B)
    return s.put(A), s.delete(A.digest), s.delete_blob(ONE)


# Uploads.


@scenario("U5")
async def one_blob_is_committed_by_two_sessions(s: Setup) -> Sequence[Request]:
    content = s.repository.encode()  # A blob that nobody has.
    await s.session(content)
    await s.session(content)
    return s.commit(content), s.commit(content, session=1)


@scenario("U5")
async def one_session_is_committed_twice(s: Setup) -> Sequence[Request]:
    content = s.repository.encode()
    await s.session(content)
    return s.commit(content), s.commit(content)


@scenario("U2", "U3")
async def a_session_gets_its_first_chunk_twice(s: Setup) -> Sequence[Request]:
    await s.session()
    return s.patch(b"first"), s.patch(b"first")


@scenario("U3")
async def a_session_gets_two_chunks(s: Setup) -> Sequence[Request]:
    await s.session(b"abc")
    return s.patch(b"def"), s.patch(b"ghi")


@scenario("U3", "U5")
async def a_session_is_committed_and_goes_on(s: Setup) -> Sequence[Request]:
    content = s.repository.encode()
    await s.session(content)
    return s.commit(content), s.patch(b"more")


@scenario("U5", "U7")
async def a_session_is_committed_and_cancelled(s: Setup) -> Sequence[Request]:
    content = s.repository.encode()
    await s.session(content)
    return s.commit(content), s.cancel()


@scenario("U3", "U7")
async def a_session_goes_on_and_is_cancelled(s: Setup) -> Sequence[Request]:
    await s.session(b"abc")
    return s.patch(b"def"), s.cancel()


@scenario("U2", "U7")
async def a_session_never_written_to_begins_and_is_cancelled(s: Setup) -> Sequence[Request]:
    await s.session()
    return s.patch(b"abc"), s.cancel()


@scenario("U2", "U7")
async def a_blob_in_one_request_and_its_cancellation(s: Setup) -> Sequence[Request]:
    content = s.repository.encode()
    await s.session()
    return s.commit(content, content), s.cancel()


@scenario("U2")
async def a_blob_in_one_request_twice(s: Setup) -> Sequence[Request]:
    content = s.repository.encode()
    await s.session()
    return s.commit(content, content), s.commit(content, content)
