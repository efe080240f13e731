"""`slipway manifest delete`: what goes along, and what would be broken, is found out before."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry_core.model import media_types
from slipway_cli.command import CommandError, confirm, say
from slipway_cli.content import answers
from slipway_cli.content.manifests import all_of
from slipway_cli.content.session import Session, deleted, digest_of, each, path_of, reading, session
from slipway_cli.output.cells import count, short_digest, some
from slipway_cli.registry import references
from slipway_cli.registry.client import Refused, quoted, repository_scope

_AT_ONCE = 60
"""How many indexes are looked at before it is told how far that is."""


@dataclass(frozen=True)
class _Doomed:
    """A manifest that is to go."""

    name: str
    """As it was named."""
    digest: str
    tags: Sequence[str]
    children: int
    referrers: int
    """How many refer to it; they stay."""

    @property
    def told(self) -> str:
        """What it is, and what goes along."""
        parts = [short_digest(self.digest)]
        if self.tags:
            parts.append(f"with {count(len(self.tags), 'tag')} ({some(self.tags)})")
        stays = []
        if self.children:
            stays.append(f"{count(self.children, 'manifest')} of the index")
        if self.referrers:
            stays.append(count(self.referrers, "referrer"))
        text = " ".join(parts)
        return f"{text}; what stays: {', '.join(stays)}" if stays else text


async def delete(arguments: argparse.Namespace) -> None:
    """Deletes manifests with all of their tags."""
    named = references.manifests(arguments)
    server, repository = named[0].server, named[0].repository
    async with session(arguments, server, repository) as client:
        found = await asyncio.gather(*(_doomed(client, reference) for reference in named))
        # Indexes first: none is ever without what it names.
        found.sort(key=lambda each: not each.children)
        doomed = {each.digest: each for each in found}
        everything = "" if arguments.force else await _check(client, repository, doomed)
        tags = sum(len(each.tags) for each in doomed.values())
        what = f"{count(len(doomed), 'manifest')} and {count(tags, 'tag')}"
        listing = "".join(f"\n  {each.told}" for each in doomed.values())
        confirm(
            arguments,
            f"These go from {repository} at {server.netloc}:{listing}\nDelete {what}{everything}?",
        )

        async def act(digest: str) -> str:
            path = f"/v2/{repository}/manifests/{quoted(digest)}"
            await client.delete(path, repository_scope(repository, "delete"))
            return digest

        await each(list(doomed), act, deleted)
    say(f"Deleted {what} of {repository}.")


async def _doomed(client: Session, reference: references.Reference) -> _Doomed:
    repository = reference.repository
    digest = await digest_of(client, reference)
    path = path_of(repository, "_manifests", quoted(digest))
    found, referrers = await asyncio.gather(
        client.get(path, reading(repository)), _count_referrers(client, repository, digest)
    )
    manifest = answers.checked(found.get("manifest"), answers.MANIFEST)
    tags = [answers.name(tag) for tag in manifest.get("tags") or ()]
    children = len(answers.listed(manifest.get("references"), {"digest": str}))
    return _Doomed(reference.short, digest, tags, children, referrers)


async def _count_referrers(client: Session, repository: str, digest: str) -> int:
    """How many manifests refer to one, as far as one may see that."""
    path = f"/v2/{repository}/referrers/{quoted(digest)}"
    pages = client.pages(path, repository_scope(repository, "pull"), "manifests")
    try:
        return sum([len(page) async for page in pages])
    except Refused:
        return 0


async def _check(client: Session, repository: str, doomed: Mapping[str, _Doomed]) -> str:
    """Looks for indexes that need what is to go, and whether it is the last of the repository.

    A look, and no lock: an index that is pushed after it is not seen. Raises `CommandError`.
    """
    manifests = await all_of(client, repository)
    indexes = [
        each["digest"]
        for each in manifests
        if each["mediaType"] in media_types.INDEXES and each["digest"] not in doomed
    ]
    needs = dict[str, list[str]]()
    for start in range(0, len(indexes), _AT_ONCE):
        client.progress.show(f"looking at indexes: {start:,} of {len(indexes):,}")
        part = indexes[start : start + _AT_ONCE]
        for index, children in zip(
            part,
            await asyncio.gather(*(_children(client, repository, one) for one in part)),
            strict=True,
        ):
            for child in set(children) & set(doomed):
                needs.setdefault(child, []).append(index)
    if needs:
        text = "".join(
            f"\n  {doomed[child].name} is needed by {some(by)}" for child, by in needs.items()
        )
        raise CommandError(
            f"nothing was deleted, because an index would lack it:{text}\nDelete the index first, "
            "or together with it; or use --force"
        )
    is_all = all(each["digest"] in doomed for each in manifests)
    return ", and the repository with them," if is_all else ""


async def _children(client: Session, repository: str, digest: str) -> list[str]:
    """What an index names; nothing if it has gone meanwhile."""
    try:
        found = await client.get(
            path_of(repository, "_manifests", quoted(digest)), reading(repository)
        )
    except Refused as error:
        if error.answer.status == 404:
            return []
        raise
    manifest = answers.checked(found.get("manifest"), answers.MANIFEST)
    children = answers.listed(manifest.get("references"), {"digest": str})
    return [str(child["digest"]) for child in children]
