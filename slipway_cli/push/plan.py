"""What is pushed, and in which order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from registry_core.errors import DigestInvalid
from registry_core.model import media_types
from registry_core.model.digest import Digest
from slipway_cli.output.text import clean
from slipway_cli.push.archives.contents import File
from slipway_cli.push.archives.errors import ArchiveError

HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"


@dataclass(frozen=True)
class Blob:
    """A layer or a config."""

    digest: Digest
    size: int
    file: File


@dataclass(frozen=True)
class PlannedManifest:
    """A manifest, byte for byte."""

    digest: Digest
    media_type: str
    file: File
    config_type: str = ""
    """The media type of its config; empty for an index."""


@dataclass(frozen=True)
class Plan:
    """Blobs first, then manifests in their order: what one of them names goes before it."""

    manifests: Sequence[PlannedManifest]
    """The last of them is what the reference will name."""
    blobs: Sequence[Blob]
    names: Sequence[str] = ()
    """What the archive calls the image."""

    @property
    def root(self) -> PlannedManifest:
        """What the reference will name."""
        return self.manifests[-1]


@dataclass(frozen=True)
class Wanted:
    """Which of the images in an archive."""

    name: str = ""
    """Empty: the only one."""
    platform: str = ""
    """As `linux/arm64`; empty: all that there are."""

    def __post_init__(self) -> None:
        parts = self.platform.split("/")
        if self.platform and (not 2 <= len(parts) <= 3 or not all(parts)):
            raise ArchiveError("--platform: write it as linux/amd64 or linux/arm64/v8")

    def is_name(self, name: str) -> bool:
        """Whether an image of that name is meant: `web:v1` is `docker.io/library/web:v1` too."""
        return name == self.name or name.endswith(f"/{self.name}")

    def is_platform(self, platform: str) -> bool:
        """Whether that is the platform; one without a variant is meant by any."""
        return platform == self.platform or platform.rpartition("/")[0] == self.platform


def object_of(content: bytes, name: str) -> Any:
    """What a document of JSON says. Raises `ArchiveError`."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{clean(name)} in the archive is no JSON") from error


def digest_in(text: object, where: str) -> Digest:
    """A digest that a document names. Raises `ArchiveError`."""
    try:
        return Digest.parse(text if isinstance(text, str) else "")
    except DigestInvalid as error:
        raise ArchiveError(f"{clean(where)} in the archive has a digest that is none") from error


def how_to_use(manifest: PlannedManifest, repository: str, tag: str) -> str:
    """A line to paste, for whoever needs what was pushed; `repository` begins with the registry."""
    if manifest.config_type == HELM_CONFIG and tag:
        folder, _, name = repository.rpartition("/")
        return f"helm pull oci://{folder}/{name} --version {tag.replace('_', '+')}"
    is_image = manifest.config_type.lower() in media_types.IMAGE_CONFIGS
    if is_image or manifest.media_type in media_types.INDEXES:
        return f"FROM {repository}@{manifest.digest}"
    return f"oras pull {repository}@{manifest.digest}"
