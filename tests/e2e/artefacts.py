"""Images with something that refers to them, as the registry tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.e2e.images import OCI_INDEX, OCI_MANIFEST, Image, descriptor, encode
from tests.e2e.registry import Registry

EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"


@dataclass(frozen=True)
class Subject:
    """An image in the registry, under the tag `1`."""

    registry: Registry
    repository: str
    image: Image

    @property
    def name(self) -> str:
        return f"{self.registry.address}/{self.repository}"

    @property
    def by_tag(self) -> str:
        return f"{self.name}:1"

    @property
    def by_digest(self) -> str:
        return f"{self.name}@{self.image.digest}"

    @property
    def descriptor(self) -> dict[str, Any]:
        return descriptor(self.image.media_type, self.image.manifest)

    def referrers(self) -> list[dict[str, Any]]:
        return referrers(self.registry, self.repository, self.image.digest)

    def assert_untouched(self) -> None:
        """Check that the tag is the only one, and still leads to the image as it was pushed."""
        assert tags(self.registry, self.repository) == ["1"]
        assert self.registry.manifest(self.repository, "1").content == self.image.manifest
        assert self.registry.has_manifest(self.repository, self.image.digest)


def referrers(
    registry: Registry, repository: str, digest: str, artifact_type: str = ""
) -> list[dict[str, Any]]:
    """Return the descriptors of what refers to a manifest."""
    query = f"?artifactType={quote(artifact_type)}" if artifact_type else ""
    answer = registry.request("GET", f"/v2/{repository}/referrers/{digest}{query}")
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == OCI_INDEX, answer
    assert answer.headers.get("oci-filters-applied") == ("artifactType" if artifact_type else None)
    found: list[dict[str, Any]] = answer.json()["manifests"]
    return found


def tags(registry: Registry, repository: str) -> list[str]:
    answer = registry.request("GET", f"/v2/{repository}/tags/list")
    assert answer.status == 200, answer
    found: list[str] = answer.json()["tags"]
    return found


def artefact(subject: Mapping[str, Any], artifact_type: str) -> bytes:
    """Make the manifest of an artefact that has nothing but a type and a subject."""
    empty = descriptor(EMPTY_TYPE, EMPTY)
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": empty,
            "layers": [empty],
            "subject": subject,
        }
    )
