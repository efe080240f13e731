"""`slipway tag`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from slipway_cli.command import Result, Row, Shaped, confirm, say
from slipway_cli.content import answers, locks
from slipway_cli.content.session import deleted, each, listed, path_of, reading, session
from slipway_cli.output.cells import DigestCell, Name, Time, count, some
from slipway_cli.registry import references
from slipway_cli.registry.client import PAGE, Client, quoted, repository_scope

ORDERS = {"time_desc": "timedesc", "time_asc": "timeasc", "name": ""}
"""The orders of the command line, and those of the registry."""
_OF_SIGNATURE = re.compile(r"sha256-[0-9a-f]{64}(?:\.[a-z0-9]+)?")
"""The tags by which cosign, and clients that know no referrers, find what belongs to a manifest."""


async def list_all(arguments: argparse.Namespace) -> Shaped:
    """The tags of a repository."""
    named = references.repository(arguments)
    hidden = 0

    def is_shown(tag: dict[str, Any]) -> bool:
        nonlocal hidden
        if arguments.all or not _OF_SIGNATURE.fullmatch(tag["name"]):
            return True
        hidden += 1
        return False

    size = min(arguments.top or PAGE, PAGE)
    query = f"n={size}&orderby={ORDERS[arguments.orderby]}"
    async with session(arguments, named.server, named.repository) as client:
        path = f"{path_of(named.repository, '_tags')}?{query}"
        pages = client.pages(path, reading(named.repository), "tags")
        found = await listed(client, pages, "tags", _checked, is_shown, arguments.top)
        if arguments.detail and arguments.output == "table":
            await _tell_of_repository(client, named.repository)
    if hidden and arguments.output == "table":
        say(f"{count(hidden, 'tag of a signature', 'tags of signatures')} left out: see --all")
    return _shaped(found, is_detailed=arguments.detail)


def _checked(tag: object) -> dict[str, Any]:
    return answers.checked(tag, answers.TAG)


async def _tell_of_repository(client: Client, name: str) -> None:
    """That the repository is locked counts for all tags, whatever they say themselves."""
    found = await client.get(path_of(name), reading(name))
    locked = locks.locked(answers.checked(found, answers.REPOSITORY)["changeableAttributes"])
    if locked.names:
        say(f"The repository is locked as well ({locked.full}), and so are all of its tags.")


def _row(tag: dict[str, Any], now: datetime, *, is_detailed: bool) -> Row:
    detail = {"created": Time(tag["createdTime"], now)} if is_detailed else {}
    return {
        "name": Name(tag["name"]),
        "digest": DigestCell(tag["digest"]),
        "updated": Time(tag["lastUpdateTime"], now),
        "locked": locks.locked(tag["changeableAttributes"]),
        **detail,
    }


async def delete(arguments: argparse.Namespace) -> None:
    """Deletes tags alone."""
    named = references.tags(arguments)
    server, repository = named[0].server, named[0].repository
    names = [reference.tag for reference in named]
    what = f"the tag {names[0]}" if len(names) == 1 else f"{len(names)} tags ({some(names)})"
    async with session(arguments, server, repository) as client:
        confirm(
            arguments,
            f"Delete {what} of {repository} at {server.netloc}? Nothing else goes along: the "
            f"{'manifest stays' if len(names) == 1 else 'manifests stay'}.",
        )

        async def act(name: str) -> str:
            path = path_of(repository, "_tags", quoted(name))
            await client.delete(path, repository_scope(repository, "delete"))
            return name

        await each(names, act, deleted)
    say(f"Deleted {what} of {repository}.")


async def lock(arguments: argparse.Namespace) -> Result:
    """Locks tags."""
    return await _change(arguments, to=False)


async def unlock(arguments: argparse.Namespace) -> Result:
    """Takes locks of tags away."""
    return await _change(arguments, to=True)


async def _change(arguments: argparse.Namespace, *, to: bool) -> Result:
    named = references.tags(arguments)
    server, repository = named[0].server, named[0].repository
    async with session(arguments, server, repository) as client:

        async def act(name: str) -> dict[str, Any]:
            path = path_of(repository, "_tags", quoted(name))
            document = await locks.change(client, path, repository, arguments, to=to)
            return _checked(document.get("tag"))

        return await each([reference.tag for reference in named], act, _shaped)


def _shaped(tags: Sequence[dict[str, Any]], *, is_detailed: bool = False) -> Shaped:
    now = datetime.now(UTC)
    return Shaped([_row(tag, now, is_detailed=is_detailed) for tag in tags], tags)
