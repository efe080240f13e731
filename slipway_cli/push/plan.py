"""What is pushed, and in which order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from registry_core.errors import DigestInvalid
from registry_core.model.digest import Digest
from registry_core.model.manifest import parse_platform
from slipway_cli.command import UsageError
from slipway_cli.output.text import clean
from slipway_cli.push.archives.contents import File
from slipway_cli.push.archives.errors import ArchiveError


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
    tag: str = ""
    """The tag without which it is not found, if there is one."""


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
            raise UsageError("--platform: write it as linux/amd64 or linux/arm64/v8")

    def is_name(self, name: str) -> bool:
        """Whether an image of that name is meant: `web:v1` is `docker.io/library/web:v1` too."""
        return name == self.name or name.endswith(f"/{self.name}")

    def is_platform(self, platform: str) -> bool:
        """Whether that is the platform; one without a variant is meant by any."""
        return platform == self.platform or platform.rpartition("/")[0] == self.platform

    def check(self, config: bytes) -> None:
        """Raises `ArchiveError` if an image with this config is for another platform."""
        found = parse_platform(config)
        text = "/".join(filter(None, (found.os, found.architecture, found.variant)))
        if self.platform and not self.is_platform(text):
            raise ArchiveError(f"--platform: the image is for {clean(text) or 'no platform'}")


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
