"""What the commands on repositories, tags and manifests have in common."""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from slipway_cli.command import CommandError, NotSignedIn, PartlyDone, Result
from slipway_cli.content import answers
from slipway_cli.output.progress import Progress
from slipway_cli.registry import credentials
from slipway_cli.registry.client import Client, Missing, Scope, quoted, repository_scope
from slipway_cli.registry.references import Reference
from slipway_cli.registry.server import Server

_Entry = TypeVar("_Entry")


class Session(Client):
    """A client, with a line that tells how far it is."""

    progress: Progress


@asynccontextmanager
async def session(
    arguments: argparse.Namespace, server: Server, repository: str = ""
) -> AsyncIterator[Session]:
    """For one command: signed in as whoever the arguments and this machine say."""
    sign_in = await credentials.find(arguments, server, repository)
    with Progress() as progress:
        async with Session(server, sign_in, progress.tell) as opened:
            opened.progress = progress
            yield opened


def path_of(repository: str, *more: str) -> str:
    """The path of a repository below `/acr/v1`, or of something in it."""
    return "/".join(("/acr/v1", quoted(repository), *more))


def reading(repository: str) -> Scope:
    """What to ask for to read the metadata of a repository."""
    return repository_scope(repository, "metadata_read")


async def digest_of(client: Client, reference: Reference) -> str:
    """The digest of the manifest that is named, maybe by a tag. Raises `CommandError`."""
    if reference.digest:
        return reference.digest
    path = path_of(reference.repository, "_tags", quoted(reference.tag))
    try:
        tag = await client.get(path, reading(reference.repository))
    except Missing as error:
        error.args = (f"{reference.short}: {error}",)
        raise
    digest: str = answers.checked(tag.get("tag"), answers.TAG)["digest"]
    return digest


async def listed(
    client: Session,
    pages: AsyncGenerator[list[Any], None],
    what: str,
    checked: Callable[[Any], _Entry],
    keep: Callable[[_Entry], bool] = lambda _: True,
    top: int | None = None,
) -> list[_Entry]:
    """The entries of all pages that are to be kept, or the first of them. Raises `CommandError`."""
    found: list[_Entry] = []
    seen = 0
    async with aclosing(pages):
        async for page in pages:
            seen += len(page)
            found += filter(keep, map(checked, page))
            if top is not None and len(found) >= top:
                return found[:top]
            client.progress.show(f"{seen:,} {what}")
    return found


async def each(
    names: Sequence[str],
    act: Callable[[str], Awaitable[_Entry]],
    shaped: Callable[[Sequence[_Entry]], Result],
) -> Result:
    """Does the same to several things, one after the other; what is done is answered as `shaped`.

    Raises the error of one; of several, `PartlyDone` if some are done.
    """
    done: list[_Entry] = []
    failures: list[tuple[str, CommandError]] = []
    for name in names:
        try:
            done.append(await act(name))
        except CommandError as error:
            failures.append((name, error))
    if not failures:
        return shaped(done)
    if len(names) == 1:
        raise failures[0][1]
    text = "".join(f"\n  {name}: {error}" for name, error in failures)
    if done:
        raise PartlyDone(
            f"{len(done)} of {len(names)} are done. The others are not:{text}", shaped(done)
        )
    kind = NotSignedIn if isinstance(failures[0][1], NotSignedIn) else CommandError
    raise kind(f"none of {len(names)} is done:{text}")


def deleted(names: Sequence[str]) -> Result:
    """What a deletion answers of which a part failed."""
    return [{"deleted": name} for name in names]
