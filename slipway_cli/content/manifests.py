"""`slipway manifest list`, `show`, `lock` and `unlock`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from registry_core.model import media_types
from registry_core.model.attributes import Use
from slipway_cli.command import Result, Row, Shaped, say
from slipway_cli.content import answers, locks
from slipway_cli.content.session import (
    Session,
    digest_of,
    each,
    listed,
    path_of,
    reading,
    session,
)
from slipway_cli.content.tags import ORDERS
from slipway_cli.output import tables
from slipway_cli.output.cells import DigestCell, Names, Size, Time
from slipway_cli.output.terminal import Terminal
from slipway_cli.registry import references
from slipway_cli.registry.client import (
    PAGE,
    Client,
    Refused,
    document_of,
    quoted,
    repository_scope,
)

_PAGE_BY_TIME = 100
"""The registry's largest page of manifests in the order of time."""


async def list_all(arguments: argparse.Namespace) -> Shaped:
    """The manifests of a repository."""
    named = references.repository(arguments)
    async with session(arguments, named.server, named.repository) as client:
        if arguments.top is None:
            found = await all_of(client, named.repository)
            # By digest the pages are larger; the order of time is made of what they say.
            if arguments.orderby != "name":
                is_latest_first = arguments.orderby == "time_desc"
                found.sort(key=lambda each: each["lastUpdateTime"], reverse=is_latest_first)
            found = [each for each in found if _is_wanted(each, arguments)]
        else:
            query = f"n={_PAGE_BY_TIME}&orderby={ORDERS[arguments.orderby]}"
            path = f"{path_of(named.repository, '_manifests')}?{query}"
            pages = client.pages(path, reading(named.repository), "manifests")
            found = await listed(
                client,
                pages,
                "manifests",
                checked,
                lambda manifest: _is_wanted(manifest, arguments),
                arguments.top,
            )
    return _shaped(found, is_detailed=arguments.detail)


async def all_of(client: Session, repository: str) -> list[dict[str, Any]]:
    """Every manifest of a repository, by digest."""
    path = f"{path_of(repository, '_manifests')}?n={PAGE}"
    pages = client.pages(path, reading(repository), "manifests")
    return await listed(client, pages, "manifests", checked)


def checked(manifest: object) -> dict[str, Any]:
    """What a manifest must have. Raises `CommandError`."""
    found = answers.checked(manifest, answers.MANIFEST)
    for tag in found.get("tags") or ():
        answers.name(tag)
    return found


def _is_wanted(manifest: dict[str, Any], arguments: argparse.Namespace) -> bool:
    return not (arguments.untagged and manifest.get("tags"))


def row_of(manifest: dict[str, Any], now: datetime, *, is_detailed: bool) -> Row:
    """A manifest as a row of a table."""
    kind = kind_of(manifest)
    detail = {"created": Time(manifest["createdTime"], now), "mediaType": manifest["mediaType"]}
    return {
        "digest": DigestCell(manifest["digest"]),
        "tags": Names(manifest.get("tags") or []),
        "kind": kind,
        "platform": platform_of(manifest),
        # Nobody downloads all that an index names.
        "size": Size(None if kind == "index" else manifest.get("imageSize")),
        "updated": Time(manifest["lastUpdateTime"], now),
        "locked": locks.locked(manifest["changeableAttributes"]),
        **(detail if is_detailed else {}),
    }


def kind_of(manifest: dict[str, Any]) -> str:
    """What it is: `index`, `image`, or the media type of what else it describes."""
    if manifest.get("mediaType") in media_types.INDEXES:
        return "index"
    config = manifest.get("artifactType") or manifest.get("configMediaType") or ""
    if not config or config in media_types.IMAGE_CONFIGS:
        return "image"
    if config == media_types.OCI_EMPTY:
        return "artifact"
    return str(config).removeprefix("application/")


def platform_of(described: dict[str, Any]) -> str:
    """`linux/arm64`, as far as it is known."""
    parts = (described.get("os"), described.get("architecture"), described.get("variant"))
    return "/".join(str(part) for part in parts if part)


async def show(arguments: argparse.Namespace) -> Shaped:
    """One manifest, with the locks around it."""
    named = references.manifest(arguments)
    repository, scope = named.repository, reading(named.repository)
    async with session(arguments, named.server, repository) as client:
        digest = await digest_of(client, named)
        found, tags, owner = await asyncio.gather(
            client.get(path_of(repository, "_manifests", quoted(digest)), scope),
            _tags_of(client, repository, digest),
            client.get(path_of(repository), scope),
        )
        content = await _content(client, repository, digest) if _wants(arguments) else None
    manifest = checked(found.get("manifest"))
    repository_locks = answers.checked(owner, answers.REPOSITORY)["changeableAttributes"]
    around = locks.Around(repository_locks, manifest["changeableAttributes"], tags)
    row = dict(row_of(manifest, datetime.now(UTC), is_detailed=True))
    children = answers.listed(manifest.get("references"), {"digest": str})
    shown = row | {
        "digest": manifest["digest"],  # Never cut: this is where it is looked up.
        "children": [f"{each['digest']} {platform_of(each)}".strip() for each in children],
        "pull": locks.verdict(around.forbidding(Use.PULL)),
        "delete": locks.verdict(around.forbidding(Use.DELETE_MANIFEST)),
    }
    return Shaped(row, manifest | {"manifest": content}, tables.fields(shown, Terminal.of_output()))


def _wants(arguments: argparse.Namespace) -> bool:
    return bool(arguments.output == "json")


async def _tags_of(client: Client, repository: str, digest: str) -> dict[str, locks.Shown]:
    """The attributes of each tag of a manifest."""
    path = f"{path_of(repository, '_tags')}?n={PAGE}&digest={quoted(digest)}"
    found = dict[str, locks.Shown]()
    async for page in client.pages(path, reading(repository), "tags"):
        tags = answers.listed(page, answers.TAG)
        found |= {tag["name"]: tag["changeableAttributes"] for tag in tags}
    return found


async def _content(client: Client, repository: str, digest: str) -> dict[str, Any] | None:
    """The manifest itself, if it may be pulled."""
    try:
        return await fetch(client, repository, digest)
    except Refused as error:
        say(f"The manifest itself is left out: {error}")
        return None


async def fetch(client: Client, repository: str, reference: str) -> dict[str, Any]:
    """The content of a manifest. Raises `CommandError`."""
    accept = {"Accept": ", ".join(sorted(media_types.MANIFESTS))}
    path = f"/v2/{repository}/manifests/{quoted(reference)}"
    scope = repository_scope(repository, "pull")
    return document_of(await client.request("GET", path, scope, headers=accept))


async def lock(arguments: argparse.Namespace) -> Result:
    """Locks manifests."""
    return await _change(arguments, to=False)


async def unlock(arguments: argparse.Namespace) -> Result:
    """Takes locks of manifests away."""
    return await _change(arguments, to=True)


async def _change(arguments: argparse.Namespace, *, to: bool) -> Result:
    named = {reference.short: reference for reference in references.manifests(arguments)}
    first = next(iter(named.values()))
    async with session(arguments, first.server, first.repository) as client:

        async def act(name: str) -> dict[str, Any]:
            digest = await digest_of(client, named[name])
            path = path_of(first.repository, "_manifests", quoted(digest))
            document = await locks.change(client, path, first.repository, arguments, to=to)
            return checked(document.get("manifest"))

        return await each(list(named), act, _shaped)


def _shaped(manifests: Sequence[dict[str, Any]], *, is_detailed: bool = False) -> Shaped:
    now = datetime.now(UTC)
    return Shaped([row_of(each, now, is_detailed=is_detailed) for each in manifests], manifests)
