"""Small images, none like another, and how clients push and pull them."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bench.cpu.connection import Client

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_LAYER_SIZE = 1000


def digest_of(content: bytes) -> str:
    """The SHA-256 digest of the content, as OCI writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def new_blob() -> bytes:
    """A small layer that nobody has."""
    return secrets.token_bytes(_LAYER_SIZE)


def _new_config() -> bytes:
    config = {"os": "linux", "architecture": "amd64", "created": secrets.token_hex(8)}
    return json.dumps(config).encode()


@dataclass(frozen=True)
class Image:
    """An image; its config and layers are new unless they are given."""

    layers: tuple[bytes, ...]
    config: bytes = field(default_factory=_new_config)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, layers: int) -> "Image":
        """A new one with so many layers."""
        return cls(tuple(new_blob() for _ in range(layers)))

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """The config and the layers."""
        return self.config, *self.layers

    @cached_property
    def manifest(self) -> bytes:
        """The manifest, as it is stored."""
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(_CONFIG, self.config),
            "layers": [descriptor(_LAYER, layer) for layer in self.layers],
            "annotations": dict(self.annotations),
        }
        return json.dumps(document).encode()

    @cached_property
    def digest(self) -> str:
        """The manifest's digest."""
        return digest_of(self.manifest)


def descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    """How a manifest names content."""
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def index_of(images: list[Image]) -> bytes:
    """A new index of the images."""
    document = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [descriptor(MANIFEST, image.manifest) for image in images],
        "annotations": {"new": secrets.token_hex(8)},
    }
    return json.dumps(document).encode()


@dataclass(frozen=True)
class Repository:
    """A repository as a client sees it that has an access token for it."""

    client: Client
    name: str
    access: Mapping[str, str]

    @classmethod
    def new(cls, client: Client) -> "Repository":
        """One that nobody has used."""
        return cls.named(client, f"bench/cpu/{secrets.token_hex(6)}")

    @classmethod
    def named(cls, client: Client, name: str) -> "Repository":
        """One of this name."""
        return cls(client, name, client.access(name))

    def push_blob(self, content: bytes) -> None:
        """Sends it: `POST`, and `PUT` with all of it."""
        url = f"/v2/{self.name}/blobs/uploads/"
        location = self.client.ask(202, "POST", url, self.access).headers["Location"]
        url = f"{location}&digest={digest_of(content)}"
        headers = {**self.access, "Content-Type": "application/octet-stream"}
        self.client.ask(201, "PUT", url, headers, content)

    def push_new_blob(self, content: bytes) -> None:
        """The same, after the registry has said that it does not have the blob."""
        url = f"/v2/{self.name}/blobs/{digest_of(content)}"
        self.client.ask(404, "HEAD", url, self.access)
        self.push_blob(content)

    def put(self, reference: str, manifest: bytes, media_type: str = MANIFEST) -> None:
        """Sends a manifest; the reference may have `?tag=` with it."""
        headers = {**self.access, "Content-Type": media_type}
        self.client.ask(201, "PUT", f"/v2/{self.name}/manifests/{reference}", headers, manifest)

    def push(self, image: Image, tag: str) -> None:
        """Sends an image of which the registry has nothing: layers, config, manifest."""
        for blob in (*image.layers, image.config):
            self.push_new_blob(blob)
        self.put(tag, image.manifest)

    def read(self, method: str, reference: str) -> None:
        """Asks for a manifest."""
        headers = {**self.access, "Accept": f"{MANIFEST}, {INDEX}"}
        self.client.ask(200, method, f"/v2/{self.name}/manifests/{reference}", headers)

    def redirect(self, content: bytes) -> None:
        """Asks for a blob, and leaves it at the address that is answered."""
        url = f"/v2/{self.name}/blobs/{digest_of(content)}"
        self.client.ask(307, "GET", url, self.access)

    def pull(self, image: Image, tag: str) -> None:
        """Asks for all of an image: manifest, config, layers."""
        self.read("GET", tag)
        for blob in image.blobs:
            self.redirect(blob)

    def delete(self, reference: str) -> None:
        """Deletes a manifest."""
        self.client.ask(202, "DELETE", f"/v2/{self.name}/manifests/{reference}", self.access)
