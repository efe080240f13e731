"""What clients may see of a registry, said as plainly as possible: sets, dictionaries and bytes.

Written from the OCI distribution spec 1.1 and, where that leaves a choice, from what
`docs/protocol.md` promises. It knows nothing of storage: no rows, no caches, no tokens. Methods
named after a request (`patching`, `deleting_blob`) say how it may be answered; those that change
something are called once it has been answered so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Told = tuple[int, str]
"""A status, and the code of an error."""

OK, PARTIAL, REDIRECT = (200, ""), (206, ""), (307, "")
CREATED, ACCEPTED, NO_CONTENT = (201, ""), (202, ""), (204, "")
BLOB_UNKNOWN, UPLOAD_UNKNOWN = (404, "BLOB_UNKNOWN"), (404, "BLOB_UPLOAD_UNKNOWN")
MANIFEST_UNKNOWN, NAME_UNKNOWN = (404, "MANIFEST_UNKNOWN"), (404, "NAME_UNKNOWN")
DIGEST_INVALID, MANIFEST_INVALID = (400, "DIGEST_INVALID"), (400, "MANIFEST_INVALID")
MANIFEST_BLOB_UNKNOWN = (400, "MANIFEST_BLOB_UNKNOWN")
RANGE_INVALID, UNSUPPORTED = (416, "RANGE_INVALID"), (405, "UNSUPPORTED")

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


@dataclass(frozen=True)
class Location:
    """The address of an upload that an answer gave, after so many writes."""

    url: str
    writes: int


@dataclass(eq=False)
class Session:
    """An upload: open until it is committed or cancelled."""

    repository: str
    content: bytes = b""
    writes: int = 0
    locations: list[Location] = field(default_factory=list)
    is_cancelled: bool = False
    committed: str = ""
    last: tuple[Location, bytes] | None = None
    """The address and the body of the commit."""

    @property
    def is_over(self) -> bool:
        return self.is_cancelled or bool(self.committed)

    @property
    def range(self) -> str:
        """What `Range` says has come; nothing and one byte look alike."""
        return f"0-{max(len(self.content) - 1, 0)}"

    def location(self, back: int) -> Location:
        """The newest address, or one that was given `back` answers before."""
        return self.locations[-1 - min(back, len(self.locations) - 1)]

    def give(self, url: str) -> None:
        self.locations.append(Location(url, self.writes))

    def take(self, chunk: bytes) -> None:
        if chunk:
            self.content += chunk
            self.writes += 1


@dataclass(frozen=True)
class Document:
    """An image, an artefact or an index that may be pushed."""

    content: bytes
    media_type: str
    required: frozenset[str] = frozenset()
    """Blobs without which it is refused."""
    elsewhere: frozenset[str] = frozenset()
    """Foreign layers, which need not be there."""
    subject: str = ""
    artifact_type: str = ""
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def blobs(self) -> frozenset[str]:
        return self.required | self.elsewhere

    @property
    def reference(self) -> dict[str, Any]:
        """The descriptor by which others name it."""
        return descriptor(self.media_type, self.content)

    def descriptor(self, digest: str) -> dict[str, Any]:
        """What a list of referrers says of it (distribution-spec, "Listing Referrers")."""
        said = {"mediaType": self.media_type, "digest": digest, "size": len(self.content)}
        if self.artifact_type:
            said["artifactType"] = self.artifact_type
        if self.annotations:
            said["annotations"] = dict(self.annotations)
        return said


def image(
    config: bytes,
    layers: Sequence[bytes],
    *,
    foreign: bytes | None = None,
    media_type: str = OCI_MANIFEST,
    **extra: Any,
) -> Document:
    """An image, or an artefact if `extra` has an `artifactType` or a `subject`."""
    described = [descriptor(LAYER, layer) for layer in layers]
    elsewhere = frozenset[str]()
    required = frozenset(digest_of(content) for content in (config, *layers))
    if foreign is not None:
        described.append(descriptor(FOREIGN, foreign) | {"urls": ["https://example.com/layer"]})
        elsewhere = frozenset({digest_of(foreign)}) - required
    body = {"config": descriptor(CONFIG, config), "layers": described, **extra}
    artifact_type = extra.get("artifactType") or CONFIG
    return _document(media_type, body, artifact_type, required, elsewhere)


def index(
    children: Sequence[dict[str, Any]], *, media_type: str = OCI_INDEX, **extra: Any
) -> Document:
    body = {"manifests": list(children), **extra}
    return _document(media_type, body, extra.get("artifactType", ""))


def _document(
    media_type: str,
    body: dict[str, Any],
    artifact_type: str,
    required: frozenset[str] = frozenset(),
    elsewhere: frozenset[str] = frozenset(),
) -> Document:
    whole = {"schemaVersion": 2, "mediaType": media_type, **body}
    return Document(
        json.dumps(whole).encode(),
        media_type,
        required,
        elsewhere,
        body.get("subject", {}).get("digest", ""),
        artifact_type,
        tuple(sorted(body.get("annotations", {}).items())),
    )


@dataclass
class Repository:
    """What lies in one repository."""

    blobs: set[str] = field(default_factory=set)
    manifests: dict[str, Document] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    claims: set[tuple[str, str]] = field(default_factory=set)
    """Blobs, and manifests whose push has failed: the blob may be kept for them for a while."""

    was_pushed_to: bool = False

    def needs(self, blob: str) -> bool:
        """Whether a manifest that exists refers to the blob."""
        return any(blob in document.blobs for document in self.manifests.values())


class Model:
    """A registry as several clients see it, who each ask one of its instances."""

    def __init__(self, repositories: Sequence[str], instances: int, *, is_cached: bool) -> None:
        self.repositories = {name: Repository() for name in repositories}
        self.contents: dict[str, bytes] = {}
        """What may be pushed as a blob, by digest."""
        self.pushed: dict[str, None] = {}
        """Every blob that ever was."""
        self.documents: dict[str, Document] = {}
        """Every manifest that ever was, by digest."""
        self._is_cached = is_cached
        self._read: list[set[tuple[str, str]]] = [set() for _ in range(instances)]
        """What each instance may still answer from memory, once another has deleted it."""

    # Uploads.

    def patching(
        self, session: Session, location: Location, chunk: bytes, claimed: tuple[int, int] | None
    ) -> set[Told]:
        """A chunk, which its `Content-Range` claims to be those bytes."""
        if session.is_over:
            return {UPLOAD_UNKNOWN}
        received = len(session.content)
        if location.writes != session.writes:
            return {RANGE_INVALID}
        if claimed not in (None, (received, received + len(chunk) - 1)):
            return {RANGE_INVALID}
        return {ACCEPTED}

    def committing(
        self, session: Session, location: Location, digest: str, last: bytes
    ) -> set[Told]:
        algorithm = digest.partition(":")[0]
        if session.committed == digest:
            if session.last == (location, last):
                return {CREATED}
            return {CREATED, UPLOAD_UNKNOWN, DIGEST_INVALID, RANGE_INVALID}
        if session.is_over:
            return {UPLOAD_UNKNOWN, DIGEST_INVALID}
        if location.writes != session.writes:
            return {RANGE_INVALID, DIGEST_INVALID}
        is_right = digest_of(session.content + last, algorithm) == digest
        return {CREATED} if is_right else {DIGEST_INVALID}

    def asking(self, session: Session) -> set[Told]:
        """For the status, or to cancel."""
        return {UPLOAD_UNKNOWN} if session.is_over else {NO_CONTENT}

    def commit(
        self, session: Session, location: Location, digest: str, last: bytes, instance: int
    ) -> None:
        if not session.committed:
            session.committed, session.last = digest, (location, last)
            session.content += last
        self.put_blob(session.repository, digest, session.content, instance)

    # Blobs.

    def put_blob(self, name: str, digest: str, content: bytes, instance: int) -> None:
        self.contents[digest], self.pushed[digest] = content, None
        self.repositories[name].blobs.add(digest)
        self.remember(instance, name, digest)

    def mounting(self, source: str | None, digest: str) -> set[Told]:
        """From a repository, or from any if `source` is None; else an upload begins."""
        if source is None:
            held = any(digest in found.blobs for found in self.repositories.values())
            return {CREATED, ACCEPTED} if held else {ACCEPTED}
        found = self.repositories.get(source)
        return {CREATED} if found and digest in found.blobs else {ACCEPTED}

    def has_blob(self, name: str, digest: str) -> bool:
        return digest in self.repositories[name].blobs

    def deleting_blob(self, name: str, digest: str) -> set[Told]:
        found = self.repositories[name]
        if digest not in found.blobs:
            return {BLOB_UNKNOWN}
        if found.needs(digest):
            return {UNSUPPORTED}
        if any(digest == blob for blob, _ in found.claims):
            return {ACCEPTED, UNSUPPORTED}
        return {ACCEPTED}

    def delete_blob(self, name: str, digest: str, instance: int) -> None:
        self.repositories[name].blobs.discard(digest)
        self.forget(instance, name, digest)

    # Manifests.

    def putting(self, name: str, document: Document) -> set[Told]:
        missing = document.required - self.repositories[name].blobs
        return {MANIFEST_BLOB_UNKNOWN} if missing else {CREATED}

    def put_manifest(
        self, name: str, digest: str, document: Document, tags: Sequence[str], instance: int
    ) -> None:
        self.documents[digest] = document
        self.remember_blobs(instance, name, document)
        found = self.repositories[name]
        found.manifests[digest], found.was_pushed_to = document, True
        found.tags.update(dict.fromkeys(tags, digest))

    def refuse_manifest(self, name: str, digest: str, document: Document, instance: int) -> None:
        """Its push has failed, and may have laid claim to what blobs it found."""
        found = self.repositories[name]
        self.remember_blobs(instance, name, document)
        claimed = document.blobs & (found.blobs | document.elsewhere)
        found.claims |= {(blob, digest) for blob in claimed}

    def digest_at(self, name: str, reference: str) -> str:
        """The digest of the manifest that a tag or a digest names; empty if there is none."""
        found = self.repositories[name]
        digest = found.tags.get(reference, reference)
        return digest if digest in found.manifests else ""

    def deleting_manifest(self, name: str, reference: str) -> set[Told]:
        return {ACCEPTED} if self.digest_at(name, reference) else {MANIFEST_UNKNOWN}

    def delete_manifest(self, name: str, reference: str, instance: int) -> None:
        """By tag just the tag; by digest the manifest with its tags."""
        found = self.repositories[name]
        if reference in found.tags:
            del found.tags[reference]
            return
        del found.manifests[reference]
        found.tags = {tag: digest for tag, digest in found.tags.items() if digest != reference}
        found.claims = {claim for claim in found.claims if claim[1] != reference}
        self.forget(instance, name, reference)

    # Listings.

    def tags(self, name: str, last: str = "") -> list[str]:
        return sorted(tag for tag in self.repositories[name].tags if tag > last)

    def listing_tags(self, name: str) -> set[Told]:
        return {OK} if self.repositories[name].manifests else {NAME_UNKNOWN}

    def catalogue(self, last: str = "") -> list[str]:
        return sorted(n for n, found in self.repositories.items() if found.manifests and n > last)

    def referrers(self, name: str, subject: str, artifact_type: str = "") -> dict[str, Any]:
        """The descriptors of those who name `subject`, by digest."""
        return {
            digest: document.descriptor(digest)
            for digest, document in self.repositories[name].manifests.items()
            if document.subject == subject and artifact_type in ("", document.artifact_type)
        }

    # What an instance remembers.

    def may_be_stale(self, instance: int, name: str, digest: str) -> bool:
        """Whether the instance may answer with what another has deleted."""
        return self._is_cached and (name, digest) in self._read[instance]

    def remember(self, instance: int, name: str, digest: str) -> None:
        """The instance has found it."""
        self._read[instance].add((name, digest))

    def remember_blobs(self, instance: int, name: str, document: Document) -> None:
        """The instance has read the manifest, which says where its blobs lie."""
        for digest in document.blobs & self.repositories[name].blobs:
            self.remember(instance, name, digest)

    def forget(self, instance: int, name: str, digest: str) -> None:
        """The instance has deleted it, or not found it: it does not come back by itself."""
        self._read[instance].discard((name, digest))


def selected(header: str, size: int) -> range | None:
    """The bytes that a `Range` asks for (RFC 9110, 14.1.2); None: to be ignored; empty: 416.

    One that ends before it begins may be ignored or rejected; the registry rejects it.
    """
    unit, _, spec = header.partition("=")
    first, dash, last = spec.partition("-")
    if unit != "bytes" or not dash:
        return None
    if not first:
        return range(max(size - int(last), 0), size)
    if last and int(last) < int(first):
        return range(0)
    return range(int(first), min(int(last) + 1, size) if last else size)
