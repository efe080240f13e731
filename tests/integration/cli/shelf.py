"""Puts small images, indexes and referrers into a registry, as its admin, over HTTP."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.e2e.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, digest_of, encode

SIGNATURE = "application/vnd.example.signature"


@dataclass(frozen=True)
class Shelf:
    """A registry and its admin's password."""

    netloc: str
    password: str

    def send(
        self, method: str, path: str, body: bytes = b"", media_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """A request of the admin."""
        connection = http.client.HTTPConnection(self.netloc, timeout=60)
        basic = b64encode(f"admin:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": media_type}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def blob(self, repository: str, content: bytes) -> dict[str, Any]:
        """Pushes a blob; answers its digest and size."""
        path = f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}"
        status, _ = self.send("POST", path, content, "application/octet-stream")
        assert status == 201
        return {"digest": digest_of(content), "size": len(content)}

    def manifest(self, repository: str, document: dict[str, Any], tag: str = "") -> dict[str, Any]:
        """Pushes a manifest; answers its descriptor."""
        content = encode(document)
        media_type, digest = document["mediaType"], digest_of(content)
        path = f"/v2/{repository}/manifests/{tag or digest}"
        status, said = self.send("PUT", path, content, media_type)
        assert status == 201, said
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def image(
        self, repository: str, tag: str = "", *, seed: object = 0, architecture: str = "amd64"
    ) -> dict[str, Any]:
        """Pushes an image of one layer, which the seed makes its own; answers its descriptor."""
        platform = {"architecture": architecture, "os": "linux"}
        config = self.blob(repository, json.dumps({**platform, "seed": str(seed)}).encode())
        layer = self.blob(repository, str(seed).encode())
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, **config},
            "layers": [{"mediaType": "application/octet-stream", **layer}],
        }
        return {**self.manifest(repository, document, tag), "platform": platform}

    def index(
        self, repository: str, tag: str, children: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """Pushes an index."""
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(children)}
        return self.manifest(repository, document, tag)

    def referrer(
        self, repository: str, subject: dict[str, Any], tag: str = "", kind: str = SIGNATURE
    ) -> dict[str, Any]:
        """Pushes what refers to another manifest."""
        config = self.blob(repository, b"{}")
        known = {name: subject[name] for name in ("mediaType", "digest", "size")}
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": kind,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", **config},
            "layers": [],
            "subject": known,
        }
        return self.manifest(repository, document, tag)

    def tags(self, repository: str) -> list[str]:
        """The tags; none where there is no repository."""
        status, content = self.send("GET", f"/v2/{repository}/tags/list")
        return list(json.loads(content)["tags"]) if status == 200 else []
