"""Images whose layers are too large to be held in memory: they lie in files."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import tarfile
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.e2e.images import (
    CREATED,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    descriptor,
    digest_of,
    encode,
)
from tests.e2e.registry import Registry

OCI_PLAIN_LAYER = "application/vnd.oci.image.layer.v1.tar"
DATA = "data"
"""The file in the large layer."""
_PIECE = 1024 * 1024


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def hash_of(pieces: Iterator[bytes]) -> str:
    """The digest of what comes in pieces."""
    hashed = hashlib.sha256()
    for piece in pieces:
        hashed.update(piece)
    return f"sha256:{hashed.hexdigest()}"


def write_random(file: Path, size: int, seed: object) -> Path:
    """Bytes that no client can make smaller, the same for the same seed."""
    source = random.Random(str(seed))
    with file.open("wb") as target:
        for begin in range(0, size, _PIECE):
            target.write(source.randbytes(min(_PIECE, size - begin)))
    return file


@dataclass(frozen=True)
class Blob:
    """A blob in a file."""

    file: Path
    digest: str

    @classmethod
    def of(cls, file: Path) -> Blob:
        with file.open("rb") as content:
            return cls(file, hash_of(pieces_of(content)))

    @property
    def descriptor(self) -> dict[str, Any]:
        return {
            "mediaType": OCI_PLAIN_LAYER,
            "digest": self.digest,
            "size": self.file.stat().st_size,
        }


@dataclass(frozen=True)
class LargeImage(Image):
    """An image of one large layer, which is not compressed, and several small ones."""

    large: tuple[Blob, ...] = ()

    @classmethod
    def write(cls, folder: Path, size: int, small: list[bytes]) -> LargeImage:
        """Makes the layers in a folder."""
        data = write_random(folder / DATA, size, size)
        with tarfile.open(folder / "layer.tar", "w") as archive:
            archive.add(data, arcname=DATA)
        data.unlink()
        files = [folder / "layer.tar"]
        for number, content in enumerate(small):
            files.append(folder / f"small-{number}.tar")
            files[-1].write_bytes(content)
        return cls([], large=tuple(map(Blob.of, files)))

    @property
    def config(self) -> bytes:
        return encode(
            {
                **self.platform,
                "created": CREATED,
                "config": {"Cmd": ["/bin/cat", "/etc/greeting"]},
                "rootfs": {"type": "layers", "diff_ids": [blob.digest for blob in self.large]},
            }
        )

    @property
    def manifest(self) -> bytes:
        return encode(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": descriptor(OCI_CONFIG, self.config),
                "layers": [blob.descriptor for blob in self.large],
            }
        )

    @property
    def size(self) -> int:
        """Of all layers."""
        return sum(blob.file.stat().st_size for blob in self.large)

    def blobs(self) -> list[bytes]:
        return [self.config]

    def write_layout(self, folder: Path, tag: str = "latest") -> Path:
        blobs = folder / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for content in (self.manifest, self.config):
            (blobs / digest_of(content).removeprefix("sha256:")).write_bytes(content)
        for blob in self.large:
            os.link(blob.file, blobs / blob.digest.removeprefix("sha256:"))
        entry = {
            **descriptor(OCI_MANIFEST, self.manifest),
            "annotations": {"org.opencontainers.image.ref.name": tag},
        }
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
        (folder / "index.json").write_bytes(encode(index))
        (folder / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))
        return folder

    def write_folder(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "version").write_text("Directory Transport Version: 1.1\n")
        (folder / "manifest.json").write_bytes(self.manifest)
        (folder / self.config_digest.removeprefix("sha256:")).write_bytes(self.config)
        for blob in self.large:
            os.link(blob.file, folder / blob.digest.removeprefix("sha256:"))
        return folder

    def write_docker_archive(self, file: Path, name: str) -> Path:
        parts = file.with_name(f"{file.name}-parts")
        parts.mkdir()
        config = f"{self.config_digest.removeprefix('sha256:')}.json"
        (parts / config).write_bytes(self.config)
        members = [f"{number}/layer.tar" for number, _ in enumerate(self.large)]
        entry = {"Config": config, "RepoTags": [name], "Layers": members}
        (parts / "manifest.json").write_bytes(encode([entry]))
        with tarfile.open(file, "w") as archive:
            for member in (config, "manifest.json"):
                archive.add(parts / member, arcname=member)
            for member, blob in zip(members, self.large, strict=True):
                archive.add(blob.file, arcname=member)
        shutil.rmtree(parts)
        return file


def stored(registry: Registry, repository: str, digest: str) -> Iterator[bytes]:
    """A layer as the registry has it, without its compression, in pieces."""
    answer = registry.request("GET", f"/v2/{repository}/blobs/{digest}")
    assert answer.status == 307, answer
    with urllib.request.urlopen(answer.headers["location"]) as content:
        first = content.read(2)
        if first != b"\x1f\x8b":
            yield first
            yield from pieces_of(content)
            return
        inflating = zlib.decompressobj(wbits=31)
        yield inflating.decompress(first)
        for piece in pieces_of(content):
            yield inflating.decompress(piece)
        yield inflating.flush()
