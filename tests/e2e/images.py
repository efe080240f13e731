"""Images made by hand, so that a test knows every byte of what it pushes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

CREATED = "2026-01-01T00:00:00Z"

#: A layer that changes nothing: the end of a tar archive without a member.
EMPTY_LAYER = bytes(1024)


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def incompressible(size: int, seed: object) -> bytes:
    """Bytes that no client can make smaller, the same for the same seed."""
    return hashlib.shake_256(str(seed).encode()).digest(size)


def tar(files: Mapping[str, bytes]) -> bytes:
    """Make a layer of executable files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as writer:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o755
            writer.addfile(member, io.BytesIO(content))
    return archive.getvalue()


@dataclass(frozen=True)
class Layer:
    """One layer as the registry stores it; with `urls` it lives elsewhere and is not pushed."""

    archive: bytes = field(repr=False)
    urls: tuple[str, ...] = ()

    @cached_property
    def content(self) -> bytes:
        return gzip.compress(self.archive, compresslevel=1, mtime=0)

    @cached_property
    def diff_id(self) -> str:
        return digest_of(self.archive)


@dataclass(frozen=True)
class Image:
    """An image of given layers, in the OCI format or in Docker's."""

    layers: Sequence[Layer]
    platform: Mapping[str, str] = field(
        default_factory=lambda: {"architecture": "amd64", "os": "linux"}
    )
    docker_format: bool = False

    @property
    def media_type(self) -> str:
        return DOCKER_MANIFEST if self.docker_format else OCI_MANIFEST

    @property
    def config(self) -> bytes:
        return encode(
            {
                **self.platform,
                "created": CREATED,
                "config": {"Cmd": ["/bin/cat", "/etc/greeting"]},
                "rootfs": {
                    "type": "layers",
                    "diff_ids": [layer.diff_id for layer in self.layers],
                },
                "history": [
                    {"created": CREATED, "created_by": f"layer {number}"}
                    for number, _ in enumerate(self.layers)
                ],
            }
        )

    @property
    def config_digest(self) -> str:
        return digest_of(self.config)

    @property
    def manifest(self) -> bytes:
        config_type = DOCKER_CONFIG if self.docker_format else OCI_CONFIG
        return encode(
            {
                "schemaVersion": 2,
                "mediaType": self.media_type,
                "config": descriptor(config_type, self.config),
                "layers": [self._layer_descriptor(layer) for layer in self.layers],
            }
        )

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    def blobs(self) -> list[bytes]:
        """Return what the registry is to hold: the config, and layers that live nowhere else."""
        return [self.config, *(layer.content for layer in self.layers if not layer.urls)]

    def _layer_descriptor(self, layer: Layer) -> dict[str, Any]:
        if not layer.urls:
            return descriptor(DOCKER_LAYER if self.docker_format else OCI_LAYER, layer.content)
        media_type = DOCKER_FOREIGN_LAYER if self.docker_format else OCI_FOREIGN_LAYER
        return {**descriptor(media_type, layer.content), "urls": list(layer.urls)}

    def write_layout(self, folder: Path, tag: str = "latest") -> Path:
        """Write the image as an OCI image layout."""
        blobs = folder / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for content in (self.manifest, *self.blobs()):
            (blobs / digest_of(content).removeprefix("sha256:")).write_bytes(content)
        entry = {
            **descriptor(self.media_type, self.manifest),
            "annotations": {"org.opencontainers.image.ref.name": tag},
        }
        (folder / "index.json").write_bytes(
            encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
        )
        (folder / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))
        return folder

    def write_folder(self, folder: Path) -> Path:
        """Write the image the way the `dir:` transport of skopeo and podman keeps it."""
        folder.mkdir(parents=True)
        (folder / "version").write_text("Directory Transport Version: 1.1\n")
        (folder / "manifest.json").write_bytes(self.manifest)
        for content in self.blobs():
            (folder / digest_of(content).removeprefix("sha256:")).write_bytes(content)
        return folder

    def write_docker_archive(self, file: Path, name: str) -> Path:
        """Write the image the way `docker save` does."""
        config = f"{self.config_digest.removeprefix('sha256:')}.json"
        members = [f"{number}/layer.tar" for number, _ in enumerate(self.layers)]
        entry = {"Config": config, "RepoTags": [name], "Layers": members}
        archives = (layer.archive for layer in self.layers)
        file.write_bytes(
            tar(
                {
                    config: self.config,
                    **dict(zip(members, archives, strict=True)),
                    "manifest.json": encode([entry]),
                }
            )
        )
        return file


def descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def digests_in(folder: Path) -> dict[str, bytes]:
    """Return the blobs of an OCI image layout, by digest."""
    files = (folder / "blobs" / "sha256").iterdir()
    return {f"sha256:{file.name}": file.read_bytes() for file in files}


def index_of(images: Mapping[str, Image]) -> tuple[bytes, str]:
    """Make an index of images by platform; return it with its media type."""
    docker_format = any(image.docker_format for image in images.values())
    media_type = DOCKER_INDEX if docker_format else OCI_INDEX
    entries = [
        {**descriptor(image.media_type, image.manifest), "platform": dict(image.platform)}
        for image in images.values()
    ]
    content = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    return encode(content), media_type
