"""OCI layouts: which image of one is meant, and all that belongs to it (image-spec, layout)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from registry_core.errors import RegistryError
from registry_core.model.digest import Digest
from registry_core.model.manifest import Manifest
from registry_core.model.media_types import INDEXES, MANIFESTS
from slipway_cli.output.cells import short_digest, some
from slipway_cli.output.text import clean
from slipway_cli.push.archives.contents import Contents, File
from slipway_cli.push.archives.errors import ArchiveError
from slipway_cli.push.plan import Blob, Plan, PlannedManifest, Wanted, digest_in, object_of

MAX_MANIFESTS = 10_000
"""How many manifests may belong to one image."""
_MARK, _INDEX = "oci-layout", "index.json"
_TAG = "org.opencontainers.image.ref.name"
_IMAGE_NAME = "io.containerd.image.name"
_DIGEST_TAG = re.compile(r"(sha256-[0-9a-f]{64}|sha512-[0-9a-f]{128})(\.[\w.-]{1,60})?", re.ASCII)
"""A tag that is made of a digest: of the list of what refers to that, for registries that cannot
tell (distribution-spec, "Referrers Tag Schema"); or, with a suffix, of what belongs to it, as
cosign names signatures (`.sig`)."""


@dataclass(frozen=True)
class Entry:
    """A descriptor of a manifest, in the index of a layout or in another."""

    digest: Digest
    media_type: str
    size: int
    platform: str
    names: tuple[str, ...]
    tag: str = ""
    """The tag without which it is not found."""

    def __str__(self) -> str:
        about = self.names[0] if self.names else self.platform
        short = short_digest(str(self.digest))
        return clean(f"{about} ({short})") if about else short


def is_layout(contents: Contents) -> bool:
    """Whether it is an OCI layout."""
    return contents.find(_MARK) is not None and contents.find(_INDEX) is not None


class Layout:
    """An OCI layout, from which one image is planned."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._order: list[PlannedManifest] = []
        self._seen = set[Digest]()
        self._blobs: dict[Digest, Blob] = {}

    def plan(self, wanted: Wanted) -> Plan:
        """The manifest that is wanted, with all that it names and that refers to any of it.

        Raises `ArchiveError`.
        """
        listed = self._listed()
        entry = self._chosen(listed, wanted)
        names = [name for each in listed if each.digest == entry.digest for name in each.names]
        if wanted.platform:
            entry = self._of_platform(entry, wanted)
        self._add(entry)
        root = self._order.pop()
        self._add_referrers(root, listed)
        return Plan([*self._order, root], list(self._blobs.values()), names)

    # Which one.

    def _listed(self) -> list[Entry]:
        version = object_of(self._document(_MARK), _MARK)
        if not isinstance(version, dict) or version.get("imageLayoutVersion") != "1.0.0":
            raise ArchiveError(f"{_MARK} in the archive is not of version 1.0.0")
        return list(_entries(object_of(self._document(_INDEX), _INDEX), _INDEX))

    def _chosen(self, listed: list[Entry], wanted: Wanted) -> Entry:
        if wanted.name:
            listed = [
                each
                for each in listed
                if wanted.name == str(each.digest) or any(map(wanted.is_name, each.names))
            ] or self._not_there(listed, wanted)
        # Without what belongs to others, as signatures do; and without what has no name.
        alone = [each for each in listed if not self._belongs(each)]
        for some_of in (listed, alone, [each for each in alone if each.names]):
            found = {each.digest: each for each in some_of}
            if len(found) == 1:
                return some_of[0]
        if not listed:
            raise ArchiveError("the archive holds no image: its index is empty")
        names = some([str(each) for each in listed])
        raise ArchiveError(f"the archive holds several images: name one with --select: {names}")

    def _not_there(self, listed: list[Entry], wanted: Wanted) -> list[Entry]:
        names = some([str(each) for each in listed]) or "nothing"
        raise ArchiveError(f"--select: {clean(wanted.name)} is not in the archive, but {names}")

    def _belongs(self, entry: Entry) -> bool:
        """Whether it refers to another manifest, or lists those that do."""
        return any(map(_DIGEST_TAG.fullmatch, entry.names)) or bool(self._subject(entry))

    def _of_platform(self, entry: Entry, wanted: Wanted) -> Entry:
        manifest, _ = self._manifest(entry)
        if manifest.media_type not in INDEXES:
            config = self._file(manifest.config.digest if manifest.config else None)
            wanted.check(config.document() if config else b"")
            return entry
        children = _children(manifest, entry)
        matching = [each for each in children if wanted.is_platform(each.platform)]
        if len(matching) == 1:
            return matching[0]
        known = some([clean(each.platform) for each in children if each.platform]) or "none"
        raise ArchiveError(
            f"--platform: the archive has {'several' if matching else 'no'} images for "
            f"{clean(wanted.platform)}; its platforms: {known}"
        )

    # What belongs to it.

    def _add(self, entry: Entry) -> None:
        """A manifest, after all that it names.

        Not by recursion: whoever made the archive says how deep it goes.
        """
        waiting: list[Entry | PlannedManifest] = [entry]
        while waiting:
            each = waiting.pop()
            if isinstance(each, PlannedManifest):
                self._order.append(each)
            elif each.digest not in self._seen:
                self._seen.add(each.digest)
                if len(self._seen) > MAX_MANIFESTS:
                    raise ArchiveError(f"more than {MAX_MANIFESTS:,} manifests belong together")
                waiting += self._taken(each)

    def _taken(self, entry: Entry) -> Iterator[Entry | PlannedManifest]:
        """A manifest and, to be taken before it, those that it names."""
        manifest, file = self._manifest(entry)
        config_type = manifest.config.media_type if manifest.config else ""
        yield PlannedManifest(entry.digest, manifest.media_type, file, config_type, entry.tag)
        for descriptor in manifest.blobs:
            if not descriptor.need_not_be_pushed:
                self._add_blob(descriptor.digest, descriptor.size)
        if manifest.media_type in INDEXES:
            yield from reversed(_children(manifest, entry))

    def _add_blob(self, digest: Digest, size: int | None) -> None:
        file = self._file(digest)
        if file is None:
            raise ArchiveError(f"the archive is not complete: {_name(digest)} is missing")
        if size is not None and size != file.size:
            raise ArchiveError(
                f"{_name(digest)} in the archive has {file.size:,} bytes, but its manifest says "
                f"{size:,}: the archive is damaged"
            )
        self._blobs[digest] = Blob(digest, file.size, file)

    def _add_referrers(self, root: PlannedManifest, listed: Iterable[Entry]) -> None:
        """What refers to the manifests, and what refers to that: signatures, SBOMs and so on."""
        referrers = self._referrers(listed)
        if not referrers:
            return
        self._order.insert(0, root)
        at = 0
        while at < len(self._order):
            for referrer in referrers.pop(self._order[at].digest, ()):
                self._add(referrer)
            at += 1
        del self._order[0]

    def _referrers(self, listed: Iterable[Entry]) -> dict[Digest, list[Entry]]:
        """What the layout has, by what it refers to."""
        found: dict[Digest, list[Entry]] = {}
        for entry in listed:
            if subject := self._subject(entry):
                found.setdefault(subject, []).append(entry)
            for mark in filter(None, map(_DIGEST_TAG.fullmatch, entry.names)):
                subject = digest_in(mark[1].replace("-", ":"), _INDEX)
                belongs = [replace(entry, tag=mark[0])]
                if not mark[2]:
                    belongs = _children(self._manifest(entry)[0], entry)
                found.setdefault(subject, []).extend(belongs)
        return found

    def _subject(self, entry: Entry) -> Digest | None:
        """What a manifest refers to, if it is here and refers to something."""
        if entry.media_type.lower() not in MANIFESTS or self._file(entry.digest) is None:
            return None
        subject = self._manifest(entry)[0].subject
        return subject.digest if subject else None

    # Reading.

    def _manifest(self, entry: Entry) -> tuple[Manifest, File]:
        file = self._file(entry.digest)
        if file is None:
            about = f" for {clean(entry.platform)}" if entry.platform else ""
            raise ArchiveError(
                f"the archive is not complete: {_name(entry.digest)}{about} is missing. To push "
                "one image of an index, use --platform"
            )
        try:
            manifest = Manifest.parse(file.document(), entry.media_type, entry.digest.algorithm)
        except RegistryError as error:
            raise ArchiveError(f"{_name(entry.digest)} in the archive: {error.text}") from error
        if manifest.digest != entry.digest:
            raise ArchiveError(
                f"{_name(entry.digest)} in the archive has another digest: it is damaged"
            )
        return manifest, file

    def _document(self, name: str) -> bytes:
        file = self._contents.find(name)
        if file is None:
            raise ArchiveError(f"{name} is missing in the archive")
        return file.document()

    def _file(self, digest: Digest | None) -> File | None:
        return self._contents.find(_name(digest)) if digest else None


def _name(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _children(manifest: Manifest, entry: Entry) -> list[Entry]:
    return list(_entries(object_of(manifest.content, str(entry)), str(entry)))


def _entries(document: Any, where: str) -> Iterator[Entry]:
    """The descriptors in an index. Raises `ArchiveError`."""
    listed = document.get("manifests") if isinstance(document, dict) else 0
    if not isinstance(listed, list | None):
        raise ArchiveError(f"{clean(where)} in the archive is no index")
    for each in listed or ():
        known = each if isinstance(each, dict) else {}
        media_type, size = known.get("mediaType"), known.get("size")
        if not isinstance(media_type, str) or not isinstance(size, int):
            raise ArchiveError(f"{clean(where)} in the archive lists what is no descriptor")
        yield Entry(
            digest_in(known.get("digest"), where),
            media_type,
            size,
            _platform(known.get("platform")),
            tuple(_names(known.get("annotations"))),
        )


def _platform(found: object) -> str:
    known: Mapping[str, Any] = found if isinstance(found, dict) else {}
    parts = (known.get("os"), known.get("architecture"), known.get("variant"))
    return "/".join(each for each in parts if isinstance(each, str) and each)


def _names(annotations: object) -> Iterator[str]:
    known: Mapping[str, Any] = annotations if isinstance(annotations, dict) else {}
    for name in (_IMAGE_NAME, _TAG):
        if isinstance(found := known.get(name), str) and found:
            yield found
