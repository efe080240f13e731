"""The columns of audit records that tell of an event. Their names are those of ACR's table."""

from __future__ import annotations

from registry_core.model.attributes import field_of
from registry_core.model.change import Event

REPOSITORY_EVENTS = "ContainerRegistryRepositoryEvents"


def columns(
    event: Event, *, digest: str | None = None, media_type: str | None = None
) -> dict[str, object]:
    """What an event was about; with another digest or media type, where more is known than then."""
    return {
        "Category": REPOSITORY_EVENTS,
        "OperationName": event.operation.value,
        "Repository": event.repository,
        "Tag": event.tag[:128],
        "Digest": (event.digest if digest is None else digest)[:160],
        "MediaType": (event.media_type if media_type is None else media_type)[:255],
        "ArtifactType": "Blob" if event.is_blob else "",
        # What a lock or its removal has set.
        "Attributes": {field_of(column): is_on for column, is_on in event.attributes.items()},
        "Identity": event.origin.actor,
    }
