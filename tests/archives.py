"""Archives in memory, written by the standard library."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_cli.push.archives.contents import Held, Members
from slipway_cli.push.archives.sources import Flow
from slipway_cli.push.archives.tar import Member, Tar
from tests.e2e.images import OCI_INDEX, Image, descriptor, digest_of, encode


def written(
    files: Mapping[str, bytes], links: Mapping[str, tuple[bytes, str]] = {}, format_: int = 2
) -> bytes:
    """A tar archive of files, and of links with their kinds."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=format_) as writer:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            writer.addfile(member, io.BytesIO(content))
        for name, (kind, target) in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            writer.addfile(member)
    return archive.getvalue()


def read(archive: bytes) -> list[tuple[Member, bytes]]:
    """All members, each with its content."""
    tar = Tar(Flow(io.BytesIO(archive)))
    found = []
    while member := tar.next():
        content = b""
        while piece := tar.read(1000):
            content += piece
        found.append((member, content))
    return found


def members_of(archive: bytes) -> Members:
    """What a tar archive holds."""
    found = Members()
    for member, content in read(archive):
        if member.target is None:
            found.add(member.name, Held(content))
        else:
            found.link(member)
    return found


def blob_name(content: bytes) -> str:
    return f"blobs/{digest_of(content).replace(':', '/')}"


class LayoutFiles:
    """The files of an OCI layout, put together by a test."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.entries: list[dict[str, Any]] = []

    def blob(self, content: bytes, media_type: str = "application/octet-stream") -> dict[str, Any]:
        self.blobs[blob_name(content)] = content
        return descriptor(media_type, content)

    def manifest(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return self.blob(encode(document), document["mediaType"])

    def image(self, image: Image) -> dict[str, Any]:
        for content in image.blobs():
            self.blob(content)
        return self.blob(image.manifest, image.media_type)

    def index(self, *children: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(children)}
        return self.manifest({**document, **more})

    def list(self, entry: Mapping[str, Any], tag: str = "", **more: Any) -> None:
        annotations = {"org.opencontainers.image.ref.name": tag} if tag else {}
        self.entries.append({**entry, "annotations": annotations, **more})

    def files(self) -> dict[str, bytes]:
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self.entries}
        return {
            **self.blobs,
            "index.json": encode(index),
            "oci-layout": encode({"imageLayoutVersion": "1.0.0"}),
        }

    def members(self) -> Members:
        found = Members()
        for name, content in self.files().items():
            found.add(name, Held(content))
        return found


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def docker_files(image: Image, *names: str) -> dict[str, bytes]:
    """An image as docker saved it before 25, each layer once."""
    layers = [f"{layer.diff_id[7:20]}/layer.tar" for layer in image.layers]
    config = f"{image.config_digest[7:]}.json"
    entry = {"Config": config, "RepoTags": list(names), "Layers": layers}
    contents = {name: layer.archive for name, layer in zip(layers, image.layers, strict=True)}
    return {
        **contents,
        **{name.replace("layer.tar", "VERSION"): b"1.0" for name in layers},
        config: image.config,
        "manifest.json": encode([entry]),
        "repositories": b"{}",
    }
