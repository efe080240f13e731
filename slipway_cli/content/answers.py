"""What the answers of `/acr/v1` must have, so that commands can rely on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway_cli.registry.client import unreadable

Shape = Mapping[str, type]
"""The fields that must be there, with their types."""

_COMMON: Shape = {"createdTime": str, "lastUpdateTime": str, "changeableAttributes": dict}
REPOSITORY: Shape = {"imageName": str, "manifestCount": int, "tagCount": int, **_COMMON}
USAGE: Shape = {"imageName": str, "lastUpdateTime": str, "isCurrent": bool}
TAG: Shape = {"name": str, "digest": str, **_COMMON}
MANIFEST: Shape = {"digest": str, "mediaType": str, **_COMMON}
DESCRIPTOR: Shape = {"digest": str, "mediaType": str}
"""Of a child in an index, or of a referrer."""


def checked(found: object, shape: Shape) -> dict[str, Any]:
    """An object that has the fields. Raises `CommandError`."""
    if not isinstance(found, dict):
        raise unreadable()
    for name, kind in shape.items():
        if not isinstance(found.get(name), kind):
            raise unreadable()
    return found


def name(found: object) -> str:
    """A name in a list of names. Raises `CommandError`."""
    if not isinstance(found, str):
        raise unreadable()
    return found


def listed(found: object, shape: Shape) -> list[dict[str, Any]]:
    """The objects of a list, which may be missing. Raises `CommandError`."""
    if not isinstance(found, list | None):
        raise unreadable()
    return [checked(each, shape) for each in found or ()]
