"""Where something is pushed to, and what is told at the end."""

from __future__ import annotations

import os
from dataclasses import dataclass

from registry_core.model import media_types
from slipway_cli.command import UsageError
from slipway_cli.registry import references
from slipway_cli.registry.references import Reference

HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
_DEFAULT_TAG = "latest"


def target(text: str, registry: str | None) -> Reference:
    """What a reference names, in the registry of a flag if there is one. Raises `UsageError`."""
    server = references.registry(registry, "--registry") if registry else None
    found = references.parse(text, server, os.environ)
    if not found.repository:
        raise UsageError(f"{found.short}: name a repository, such as team/web:v1")
    if found.tag or found.digest:
        return found
    return Reference(found.server, found.repository, _DEFAULT_TAG)


@dataclass(frozen=True)
class Pushed:
    """A manifest that is in the registry now."""

    target: Reference
    digest: str
    media_type: str
    config_type: str
    """The media type of its config; empty for an index."""

    @property
    def repository(self) -> str:
        """With the registry, as clients write it."""
        return f"{self.target.server.netloc}/{self.target.repository}"

    @property
    def name(self) -> str:
        """By its digest."""
        return f"{self.repository}@{self.digest}"

    @property
    def document(self) -> dict[str, str]:
        """For programs."""
        return {
            "name": self.name,
            "digest": self.digest,
            "mediaType": self.media_type,
            "tag": self.target.tag,
        }

    @property
    def how_to_use(self) -> str:
        """A line to paste, for whoever needs what was pushed."""
        if self.config_type == HELM_CONFIG and self.target.tag:
            # Charts have versions with a plus, which no tag can have.
            version = self.target.tag.replace("_", "+")
            return f"helm pull oci://{self.repository} --version {version}"
        is_image = self.config_type.lower() in media_types.IMAGE_CONFIGS
        if is_image or self.media_type in media_types.INDEXES:
            return f"FROM {self.name}"
        return f"oras pull {self.name}"
