"""What somebody wants to happen to a repository, and what has happened: plain values.

A change goes read → plan → transact (`repositories/executor.py`). What came of it is told as
events, the same to everybody who wants to know: the audit log today. Each is told as soon as its
transaction is in, so that what was done is known even where the rest was refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from registry_core.model.digest import Digest
from registry_core.model.manifest import Manifest
from registry_core.model.names import Tag


@dataclass(frozen=True)
class Origin:
    """By whom a change is wanted, and by which request."""

    actor: str = ""
    """The name of the identity; empty for the registry itself."""
    request_id: str = ""
    """The correlation id of the request."""
    rule: str = ""
    """The rule of the registry's retention that asks for it; empty where somebody does."""


@dataclass(frozen=True)
class Push:
    """Stores a manifest and points tags at it, all or nothing."""

    manifest: Manifest
    tags: tuple[Tag, ...]
    origin: Origin = Origin()


@dataclass(frozen=True)
class Untag:
    """Takes a tag away; its manifest stays."""

    tag: Tag
    origin: Origin = Origin()


@dataclass(frozen=True)
class Seen:
    """A manifest as it was read."""

    version: str
    tags: tuple[Tag, ...] = ()
    """All that pointed at it, read after it: one that came later has changed the version."""


@dataclass(frozen=True)
class DeleteManifests:
    """Deletes manifests with their tags."""

    digests: tuple[Digest, ...]
    origin: Origin = Origin()
    seen: Mapping[Digest, Seen] = field(default_factory=dict)
    """Those that are to go only if they are as they were read."""


@dataclass(frozen=True)
class DeleteRepository:
    """Deletes a repository with all that is in it."""

    origin: Origin = Origin()


@dataclass(frozen=True)
class Restore:
    """Brings back a manifest that was deleted softly, with one of its tags or those it had."""

    digest: Digest
    tag: Tag | None = None
    """None: all tags that went with it, and do not point elsewhere by now."""
    force: bool = False
    """Whether tags are taken from the manifests that they point at by now."""
    origin: Origin = Origin()


@dataclass(frozen=True)
class SetAttributes:
    """Sets some of the attributes of a manifest, a tag or, without a target, the repository."""

    attributes: Mapping[str, bool]
    """By column: `ReadEnabled` and so on."""
    target: Digest | Tag | None = None
    origin: Origin = Origin()


Change = Push | Untag | DeleteManifests | DeleteRepository | Restore | SetAttributes


class Operation(Enum):
    """What has happened, in the words of ACR's `ContainerRegistryRepositoryEvents`."""

    PULL = "Pull"
    """The one that changes nothing."""
    PUSH = "Push"
    UNTAG = "Untag"
    DELETE = "Delete"
    UPDATE = "UpdateMetadata"
    RESTORE = "Restore"
    PURGE = "Purge"
    """What was deleted softly has gone for good: its days are over."""


@dataclass(slots=True)  # Frozen would take four times as long to make.
class Event:
    """One thing that has happened to a repository. Nobody changes it."""

    operation: Operation
    repository: str
    origin: Origin
    digest: str = ""
    tag: str = ""
    media_type: str = ""
    is_blob: bool = False
    """Whether the digest is that of a blob, not of a manifest."""
    attributes: Mapping[str, bool] = field(default_factory=dict)
    """What was set, for `UPDATE`."""
    tags: tuple[str, ...] = ()
    """The tags that went along with a manifest, for `DELETE`, or came back, for `RESTORE`."""
    stamp: str = ""
    """The change's place in the order of all regions' changes (`model/clock.py`)."""


Tell = Callable[[Iterable[Event]], None]
"""Is told what has happened."""
