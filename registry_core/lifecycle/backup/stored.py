"""The backups on a shelf: listed, checked, and taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry_core.lifecycle.backup import documents, work
from registry_core.lifecycle.backup.backup import contents
from registry_core.lifecycle.backup.documents import Backup, Content, Damaged, Listed
from registry_core.lifecycle.backup.progress import Counter, Step, Tell, nobody
from registry_core.lifecycle.backup.shelves import Check, Shelf, checked
from registry_core.model.threads import beside
from registry_core.storage.faults import RowMissing

_TOLD = 20
"""So many of what is missing or damaged are named."""


class NoBackup(Exception):
    """There is no such backup, or none that is complete."""


@dataclass(frozen=True)
class Found:
    """A backup that was found; None for one that is unfinished or damaged."""

    listed: Listed
    backup: Backup | None


async def found_on(shelf: Shelf) -> list[Found]:
    """The backups there are, the oldest first. Raises `NoPlace`."""
    await shelf.check()
    names = await shelf.names(documents.BACKUPS)
    return [Found(each, await _read(shelf, each)) for each in documents.backups_in(names)]


async def _read(shelf: Shelf, listed: Listed) -> Backup | None:
    if not listed.is_complete:
        return None
    name = documents.last_name(listed.backup)
    try:
        return Backup.parse(name, await shelf.read(name))
    except Damaged:
        return None


async def choose(shelf: Shelf, wanted: str | None) -> Backup:
    """A backup, or without a name the newest that is complete.

    Raises `NoPlace`, `NoBackup`, `Damaged`.
    """
    await shelf.check()
    listed = documents.backups_in(await shelf.names(documents.BACKUPS))
    complete = [each.backup for each in listed if each.is_complete]
    known = ", ".join(complete[-5:]) or "none"
    if wanted is None and not complete:
        raise NoBackup(
            f"there is no complete backup in {shelf}. Make one, or run the backup again to end it"
        )
    chosen = complete[-1] if wanted is None else wanted
    if chosen not in complete:
        if any(each.backup == chosen for each in listed):
            raise NoBackup(
                f"the backup {chosen} is not complete: it was not run to its end. Run the backup "
                f"again to end it, or choose another (complete: {known})"
            )
        raise NoBackup(f"there is no backup {chosen} in {shelf} (the newest: {known})")
    name = documents.last_name(chosen)
    return Backup.parse(name, await shelf.read(name))


async def content_of(shelf: Shelf, backup: Backup) -> dict[str, Content]:
    """The content that a complete backup needs, by digest. Raises `Damaged`."""
    if backup.content is None:
        raise Damaged(f"{documents.last_name(backup.id)} is damaged")
    lines = await read_lines(shelf, backup.content)
    return {line[0]: documents.content_of(*line) for line in lines}


async def read_lines(shelf: Shelf, document: documents.Document) -> list[Any]:
    """The lines of a document that is as it was written. Raises `Damaged`."""
    content = document.check(await shelf.read(document.name))
    return await beside(len(content), documents.unpack, document.name, content)


async def check(
    shelf: Shelf, backup: Backup, *, reads: bool, tell: Tell = nobody
) -> Mapping[str, Content]:
    """Whether all of a backup is there, and as large as it was; with `reads` its bytes, too.

    Answers its content by digest. Raises `Damaged`, which names what is missing or damaged.
    """
    wrong = list[str]()
    for document in backup.documents:
        try:
            document.check(await shelf.read(document.name))
        except Damaged as error:
            wrong.append(str(error))
    if wrong:
        raise Damaged(_told(backup, wrong))
    needed = await content_of(shelf, backup)
    if backup.rows_only:
        return needed
    there = await shelf.names(documents.CONTENT)
    for digest, content in sorted(needed.items()):
        size = there.get(documents.content_name(digest))
        if size is None:
            wrong.append(f"{documents.content_name(digest)} is missing")
        elif size != content.size:
            wrong.append(f"{documents.content_name(digest)} is damaged: it has {size} bytes")
    if not wrong and reads:
        wrong = await _read_all(shelf, list(needed.values()), tell)
    if wrong:
        raise Damaged(_told(backup, wrong))
    return needed


async def _read_all(shelf: Shelf, needed: Sequence[Content], tell: Tell) -> list[str]:
    wrong = list[str]()
    counter = Counter(tell, Step.CHECK, sum(each.size for each in needed))

    async def read(content: Content) -> None:
        name = documents.content_name(str(content.digest))
        try:
            chunks = checked(shelf.open(name, content.size), content.digest, content.size)
            async for chunk in chunks:
                counter.moved(len(chunk))
        except Damaged:
            wrong.append(f"{name} is damaged")
        except RowMissing:
            wrong.append(f"{name} is missing")

    await work.each(needed, read, lambda: False)
    return sorted(wrong)


def _told(backup: Backup, wrong: Sequence[str]) -> str:
    more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
    return f"the backup {backup.id} cannot be restored: {'; '.join(wrong[:_TOLD])}{more}"


# Taking away.


@dataclass(frozen=True)
class Pruned:
    """What was taken away."""

    backups: Sequence[str]
    objects: int
    size: int


async def prune(
    shelf: Shelf, *, keep: int | None = None, before: datetime | None = None, dry_run: bool = False
) -> Pruned:
    """Takes backups away, and the content that none of the others names (B5).

    All but the newest `keep`, or those that began `before` a time. The newest complete one stays,
    and whatever began after it. Those of rows only are not counted: bytes are worth more, and they
    go with what is older than the oldest that stays. Raises `Taken` while another process works on
    the shelf, and `Damaged` where a backup that stays is: what it needs is not known. Raises
    `NoPlace`. A dry run writes nothing, and so takes no lock.
    """
    await shelf.check()
    async with nullcontext(_nobody_asks) if dry_run else shelf.locked() as lock:
        found = await found_on(shelf)
        counted = _counted(found)
        if not counted:
            return Pruned((), 0, 0)
        newest, first = counted[-1], "" if keep is None else counted[-max(keep, 1) :][0]
        going = [
            each.listed.backup
            for each in found
            if each.listed.backup < first
            or (before is not None and documents.time_of(each.listed.backup) < before)
            # What was never ended, before the newest that was.
            or (not each.listed.is_complete and each.listed.backup < newest)
        ]
        going = [backup for backup in going if backup < newest]
        staying = [each.listed for each in found if each.listed.backup not in going]
        named = {name for each in staying for name in await _named(shelf, each)}
        if not dry_run:
            for backup in sorted(going):
                await _remove(shelf, backup, lock)
        content = await shelf.names(documents.CONTENT)
        surplus = {name: size for name, size in content.items() if name not in named}

        async def remove(name: str) -> None:
            lock()
            await shelf.remove(name)

        if not dry_run:
            await work.each(sorted(surplus), remove, lambda: False)
        return Pruned(sorted(going), len(surplus), sum(surplus.values()))


def _counted(found: Sequence[Found]) -> list[str]:
    """The complete backups that have bytes; of rows only, where there are no others."""
    complete = [each for each in found if each.listed.is_complete]
    whole = [each for each in complete if not (each.backup and each.backup.rows_only)]
    return [each.listed.backup for each in whole or complete]


def _nobody_asks() -> None:
    """What a dry run has in place of the check of a lock."""


async def _remove(shelf: Shelf, backup: str, lock: Check) -> None:
    """First the document that makes it complete: from then on nobody restores it."""
    last = documents.last_name(backup)
    lock()
    await shelf.remove(last)
    for name in await shelf.names(documents.folder(backup)):
        lock()
        await shelf.remove(name)


async def _named(shelf: Shelf, listed: Listed) -> set[str]:
    """The content that a backup names, as far as it has come."""
    if listed.is_complete:
        name = documents.last_name(listed.backup)
        needed = await content_of(shelf, Backup.parse(name, await shelf.read(name)))
        return set(map(documents.content_name, needed))
    name = documents.unfinished_name(listed.backup)
    content = await shelf.read(name)
    if content is None:
        return set()
    found = set[str]()
    for part in Backup.parse(name, content).parts:
        for each in documents.repositories(await read_lines(shelf, part)):
            found |= {documents.content_name(str(one.digest)) for one in contents(each)}
    return found
