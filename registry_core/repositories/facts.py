"""What is told of repositories, tags and manifests beside their content, as their rows have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from registry_core.model.attributes import Attributes
from registry_core.repositories import rows
from registry_core.storage.tables import Row


@dataclass(frozen=True)
class RepositoryFacts:
    """What is told of a repository."""

    created: datetime
    updated: datetime
    manifests: int
    tags: int
    attributes: Attributes


@dataclass(frozen=True)
class TagFacts:
    """What is told of a tag."""

    name: str
    digest: str
    created: datetime
    updated: datetime
    attributes: Attributes

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """From a row `t:` or `T:`."""
        by_time = row.key in rows.TAG_TIMES
        return cls(
            name=rows.name_in(row.key) if by_time else rows.TAGS.rest(row.key),
            digest=row.text("Digest"),
            created=row.time("Created"),
            updated=rows.time_in(row.key) if by_time else row.time("Updated"),
            attributes=Attributes.from_row(row.values),
        )


@dataclass(frozen=True)
class ManifestFacts:
    """What is told of a manifest."""

    digest: str
    image_size: int
    created: datetime
    updated: datetime
    os: str
    architecture: str
    media_type: str
    config_media_type: str
    attributes: Attributes
    tags: Sequence[str] = ()
    children: Sequence[dict[str, Any]] = ()
    """Of an index, the descriptors of its manifests. A listing does not have them."""

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """From a row `m:` or `M:`, which know nothing of tags and children; or from `DM:`."""
        by_time = row.key in rows.MANIFEST_TIMES
        return cls(
            digest=str(rows.last_digest(row.key)),
            image_size=row.number("ImageSize"),
            created=row.time("Created"),
            updated=rows.time_in(row.key) if by_time else row.time("Updated"),
            os=row.text("Os"),
            architecture=row.text("Architecture"),
            media_type=row.text("MediaType"),
            config_media_type=row.text("ConfigMediaType"),
            attributes=Attributes.from_row(row.values),
            tags=row.text("Tags").split(),
        )
