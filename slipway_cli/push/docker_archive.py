"""Archives of `docker save`: layers and a config, for which a manifest is made.

Layers stay as they are, compressed or not. So the same archive gives the same manifest everywhere,
and the digest of a layer is known before it is read: what the registry has is not read at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from registry_core.model.digest import Digest
from registry_core.model.media_types import OCI_CONFIG, OCI_MANIFEST
from slipway_cli.output.cells import some
from slipway_cli.output.text import clean
from slipway_cli.push.archives.contents import Contents, File, Held, Stored
from slipway_cli.push.archives.errors import ArchiveError
from slipway_cli.push.archives.measure import Compression
from slipway_cli.push.archives.tar import normal
from slipway_cli.push.plan import Blob, Plan, PlannedManifest, Wanted, digest_in, object_of

LAYER = "application/vnd.oci.image.layer.v1.tar"
_LIST = "manifest.json"


@dataclass(frozen=True)
class Image:
    """An image, as the list of an archive has it."""

    config: str
    layers: tuple[str, ...]
    names: tuple[str, ...]

    def __str__(self) -> str:
        return clean(self.names[0] if self.names else self.config)


def is_docker_archive(contents: Contents) -> bool:
    """Whether it is an archive of `docker save`."""
    return contents.find(_LIST) is not None


def plan(contents: Contents, wanted: Wanted) -> Plan:
    """The image that is wanted, with a manifest. Raises `ArchiveError`."""
    image = _chosen(list(_images(contents)), wanted)
    config = _found(contents, image.config)
    content = config.document()
    diff_ids = _diff_ids(content, image.config)
    if len(diff_ids) != len(image.layers):
        raise ArchiveError(
            f"{clean(image.config)} in the archive has {len(diff_ids)} layers, but {_LIST} has "
            f"{len(image.layers)}: the archive is damaged"
        )
    wanted.check(content)
    config_blob = Blob(Digest.of(content), len(content), Held(content))
    layers, descriptors = [], []
    for name, diff_id in zip(image.layers, diff_ids, strict=True):
        file = _found(contents, name)
        digest = _digest_of(file, diff_id, name)
        layers.append(Blob(digest, file.size, file))
        descriptors.append(_descriptor(LAYER + file.compression().value, layers[-1]))
    manifest = Held(_manifest(_descriptor(OCI_CONFIG, config_blob), descriptors))
    root = PlannedManifest(Digest.of(manifest.content), OCI_MANIFEST, manifest, OCI_CONFIG)
    blobs = {blob.digest: blob for blob in (*layers, config_blob)}
    return Plan([root], list(blobs.values()), image.names)


def _images(contents: Contents) -> Iterator[Image]:
    listed = object_of(_found(contents, _LIST).document(), _LIST)
    for each in listed if isinstance(listed, list) else [None]:
        known = each if isinstance(each, dict) else {}
        config, layers = known.get("Config"), known.get("Layers") or []
        names = known.get("RepoTags") or []
        if not isinstance(config, str) or not _are_texts(layers) or not _are_texts(names):
            raise ArchiveError(f"{_LIST} in the archive does not list images")
        yield Image(normal(config), tuple(map(normal, layers)), tuple(names))


def _are_texts(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(each, str) for each in found)


def _chosen(images: list[Image], wanted: Wanted) -> Image:
    found = [each for each in images if not wanted.name or any(map(wanted.is_name, each.names))]
    names = some([name for each in images for name in each.names or (str(each),)])
    if len(found) == 1:
        return found[0]
    if wanted.name and not found:
        raise ArchiveError(
            f"--select: {clean(wanted.name)} is not in the archive, but {clean(names) or 'nothing'}"
        )
    if not images:
        raise ArchiveError(f"the archive holds no image: {_LIST} is empty")
    raise ArchiveError(f"the archive holds several images: name one with --select: {clean(names)}")


def _found(contents: Contents, name: str) -> File:
    file = contents.find(name)
    if file is None:
        raise ArchiveError(f"the archive is not complete: {clean(name)} is missing")
    return file


def _diff_ids(config: bytes, name: str) -> list[Digest]:
    document = object_of(config, name)
    rootfs = document.get("rootfs") if isinstance(document, dict) else None
    listed = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(listed, list | None) or not isinstance(rootfs, dict):
        raise ArchiveError(f"{clean(name)} in the archive is no config of an image")
    return [digest_in(each, name) for each in listed or ()]


def _digest_of(file: File, diff_id: Digest, name: str) -> Digest:
    """The digest of a layer. Raises `ArchiveError` if it is not the one that the config names."""
    if isinstance(file, Stored) and file.compression() is Compression.NONE:
        return diff_id  # The registry compares it when it has all of it.
    measure = file.measured()
    if measure.diff_id() not in (None, str(diff_id)):
        raise ArchiveError(
            f"{clean(name)} in the archive is not the layer that the config names: the archive is "
            "damaged"
        )
    return Digest.parse(measure.digest)


def _descriptor(media_type: str, blob: Blob) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(blob.digest), "size": blob.size}


def _manifest(config: dict[str, Any], layers: list[dict[str, Any]]) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config,
        "layers": layers,
    }
    return json.dumps(document, separators=(",", ":")).encode()
