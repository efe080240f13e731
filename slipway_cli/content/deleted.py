"""What was deleted and can be restored: `list-deleted` of each noun, and `manifest restore`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from registry_core.errors import DigestInvalid
from registry_core.model.digest import Digest
from slipway_cli.command import CommandError, Shaped, UsageError, say
from slipway_cli.content import answers
from slipway_cli.content.manifests import kind_of, platform_of
from slipway_cli.content.session import Session, listed, session
from slipway_cli.output.cells import DigestCell, Name, Names, Size, Time, count, some
from slipway_cli.registry import references
from slipway_cli.registry.client import (
    DELETED_CATALOG,
    PAGE,
    Scope,
    document_of,
    quoted,
    repository_scope,
)

_TAG: answers.Shape = {"tag": str, "digest": str, "deletedAt": str}
_MANIFEST: answers.Shape = {"digest": str, "mediaType": str, "deletedAt": str}
_RESTORED: answers.Shape = {"digest": str, "tags": list}


def _path(repository: str, *more: str) -> str:
    return "/".join(("/acr/v1/_deleted", quoted(repository), *more))


def _reading(repository: str) -> Scope:
    return repository_scope(repository, "deleted_read")


async def list_repositories(arguments: argparse.Namespace) -> Shaped:
    """The repositories in which something can be restored."""
    server, prefix = references.prefix(arguments)
    last = f"&last={quoted(prefix[:-1])}" if len(prefix) > 1 else ""
    async with session(arguments, server) as client:
        path = f"/acr/v1/_deleted/_catalog?n={PAGE}{last}"
        pages = client.pages(path, DELETED_CATALOG, "repositories")
        found = await listed(
            client, pages, "repositories", answers.name, lambda name: name.startswith(prefix)
        )
    return Shaped([{"name": Name(name)} for name in found], found)


async def list_manifests(arguments: argparse.Namespace) -> Shaped:
    """The manifests that can be restored, the latest deletion first."""
    named = references.repository(arguments)
    async with session(arguments, named.server, named.repository) as client:
        path = f"{_path(named.repository, '_manifests')}?n={PAGE}"
        pages = client.pages(path, _reading(named.repository), "manifests")
        found = await listed(client, pages, "manifests", _manifest)
    found.reverse()
    now = datetime.now(UTC)
    rows = [
        {
            "digest": DigestCell(each["digest"]),
            "tags": Names(each.get("tags") or []),
            "kind": kind_of(each),
            "platform": platform_of(each),
            "size": Size(None if kind_of(each) == "index" else each.get("imageSize")),
            "deleted": Time(each["deletedAt"], now),
        }
        for each in found
    ]
    return Shaped(rows, found)


async def list_tags(arguments: argparse.Namespace) -> Shaped:
    """The tags that can be restored, the latest deletion first."""
    named = references.repository(arguments)
    async with session(arguments, named.server, named.repository) as client:
        found = await _tags(client, named.repository)
    found.reverse()
    now = datetime.now(UTC)
    rows = [
        {
            "name": Name(each["tag"]),
            "digest": DigestCell(each["digest"]),
            "deleted": Time(each["deletedAt"], now),
        }
        for each in found
    ]
    return Shaped(rows, found)


async def _tags(client: Session, repository: str) -> list[dict[str, Any]]:
    path = f"{_path(repository, '_tags')}?n={PAGE}"
    return await listed(client, client.pages(path, _reading(repository), "tags"), "tags", _tag)


def _tag(found: object) -> dict[str, Any]:
    return answers.checked(found, _TAG)


def _manifest(found: object) -> dict[str, Any]:
    checked = answers.checked(found, _MANIFEST)
    for tag in checked.get("tags") or ():
        answers.name(tag)
    return checked


async def restore(arguments: argparse.Namespace) -> Shaped:
    """Restores a manifest with what it needs, and its tags."""
    named = references.manifest(arguments)
    repository, given = named.repository, _given(arguments)
    if named.digest and given not in ("", named.digest):
        raise UsageError("--digest names another manifest")
    async with session(arguments, named.server, repository) as client:
        digest = named.digest or given or await _latest(client, repository, named.tag)
        force = "true" if arguments.force else "false"
        path = f"{_path(repository, '_manifests', quoted(digest))}?force={force}"
        scope = repository_scope(repository, "deleted_read", "deleted_restore")
        body = {"tag": named.tag or None}
        answer = await client.request("POST", path, scope, body=body)
    found = answers.checked(document_of(answer), _RESTORED)
    tags = [answers.name(tag) for tag in found["tags"]]
    told = f" with {count(len(tags), 'tag')} ({some(tags)})" if tags else ""
    say(f"Restored {digest} of {repository}{told}.")
    return Shaped({"digest": DigestCell(found["digest"]), "tags": Names(tags)}, found)


def _given(arguments: argparse.Namespace) -> str:
    try:
        return str(Digest.parse(arguments.digest)) if arguments.digest else ""
    except DigestInvalid as error:
        raise UsageError(f"--digest: {error}") from error


async def _latest(client: Session, repository: str, tag: str) -> str:
    """The manifest from which a tag was taken last. Raises `CommandError`."""
    found = [each for each in await _tags(client, repository) if each["tag"] == tag]
    if not found:
        raise CommandError(
            f"no deleted tag {tag} of {repository} can be restored. See `slipway tag list-deleted`"
        )
    digest: str = found[-1]["digest"]
    return digest
