"""`slipway repository`."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from registry_core.model.attributes import Use
from slipway_cli.command import CommandError, Shaped, confirm, say
from slipway_cli.content import answers, locks
from slipway_cli.content.session import Session, listed, path_of, reading, session
from slipway_cli.output import tables
from slipway_cli.output.cells import Name, Time, count
from slipway_cli.output.terminal import Terminal
from slipway_cli.registry import references
from slipway_cli.registry.client import CATALOG, PAGE, document_of, quoted, repository_scope

STALLED = 5
"""After how many tries in a row that deleted nothing a deletion is given up."""
_LOOK_SECONDS = 2
"""How often it is looked how far a deletion is."""


async def list_all(arguments: argparse.Namespace) -> Shaped:
    """The names of the repositories, those with a prefix alone if one is given."""
    server, prefix = references.prefix(arguments)
    # All names that begin with it come after it without its last letter.
    last = f"&last={quoted(prefix[:-1])}" if len(prefix) > 1 else ""
    async with session(arguments, server) as client:
        pages = client.pages(f"/acr/v1/_catalog?n={PAGE}{last}", CATALOG, "repositories")
        found = await listed(
            client, pages, "repositories", answers.name, lambda name: name.startswith(prefix)
        )
    return Shaped([{"name": Name(name)} for name in found], found)


async def show(arguments: argparse.Namespace) -> Shaped:
    """One repository."""
    named = references.repository(arguments)
    async with session(arguments, named.server, named.repository) as client:
        return _shaped(await _get(client, named.repository))


async def lock(arguments: argparse.Namespace) -> Shaped:
    """Locks a repository."""
    return await _change(arguments, to=False)


async def unlock(arguments: argparse.Namespace) -> Shaped:
    """Takes locks of a repository away."""
    return await _change(arguments, to=True)


async def _change(arguments: argparse.Namespace, *, to: bool) -> Shaped:
    named = references.repository(arguments)
    async with session(arguments, named.server, named.repository) as client:
        path = path_of(named.repository)
        found = await locks.change(client, path, named.repository, arguments, to=to)
    return _shaped(answers.checked(found, answers.REPOSITORY))


async def delete(arguments: argparse.Namespace) -> None:
    """Deletes a repository, however often that has to be asked for."""
    named = references.repository(arguments)
    async with session(arguments, named.server, named.repository) as client:
        found = await _get(client, named.repository)
        content = (
            f"{count(found['manifestCount'], 'manifest')} and {count(found['tagCount'], 'tag')}"
        )
        confirm(
            arguments,
            f"Delete the repository {named.repository} of {named.server.netloc} with all that is "
            f"in it, {content}?",
        )
        await _delete(client, named.repository, found["manifestCount"])
    say(f"Deleted {named.repository} with {content}.")


async def _delete(client: Session, name: str, manifests: int) -> None:
    """Asks until it is done: a registry that has no time left answers 503, and goes on if asked."""
    scope = repository_scope(name, "delete", "metadata_read")
    left, stalled, is_first = manifests, 0, True
    while True:
        watch = asyncio.create_task(_watch(client, name, manifests))
        try:
            answer = await client.send("DELETE", path_of(name), scope, tries=1)
        finally:
            watch.cancel()
        if answer.status < 300 or (answer.status == 404 and not is_first):
            return
        if answer.status != 503:
            raise client.refused(answer, scope)
        is_first = False
        before, left = left, await _left(client, name, left)
        stalled = stalled + 1 if left == before else 0
        if stalled == STALLED:
            raise CommandError(
                f"{client.refused(answer, scope)}. The repository still has "
                f"{count(left, 'manifest')}: repeat the command later"
            )
        client.progress.tell(_told(name, left, manifests))
        await client.wait(answer)


async def _watch(client: Session, name: str, manifests: int) -> None:
    """Shows how far it is while the registry is at work."""
    left = manifests
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        with suppress(CommandError):  # The deletion itself will tell.
            left = await _left(client, name, left)
        client.progress.show(_told(name, left, manifests))


def _told(name: str, left: int, manifests: int) -> str:
    return f"{name}: {left:,} of {count(manifests, 'manifest')} left"


async def _left(client: Session, name: str, before: int) -> int:
    """How many manifests a repository has that is being deleted, or had when that was known."""
    answer = await client.send("GET", path_of(name), reading(name), tries=1)
    if answer.status != 200:
        return 0 if answer.status == 404 else before
    left: int = answers.checked(document_of(answer), answers.REPOSITORY)["manifestCount"]
    return left


async def _get(client: Session, name: str) -> dict[str, Any]:
    return answers.checked(await client.get(path_of(name), reading(name)), answers.REPOSITORY)


def _shaped(found: dict[str, Any]) -> Shaped:
    now = datetime.now(UTC)
    attributes = found["changeableAttributes"]
    row = {
        "name": Name(found["imageName"]),
        "manifests": found["manifestCount"],
        "tags": found["tagCount"],
        "created": Time(found["createdTime"], now),
        "updated": Time(found["lastUpdateTime"], now),
        "locked": locks.locked(attributes),
    }
    around = locks.Around(repository=attributes)
    shown = row | {
        "push": locks.verdict(around.forbidding(Use.PUSH)),
        "pull": locks.verdict(around.forbidding(Use.PULL)),
        "delete": locks.verdict(around.forbidding(Use.DELETE_REPOSITORY)),
    }
    return Shaped(row, found, tables.fields(shown, Terminal.of_output()))
