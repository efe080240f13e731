"""Holds: while there is one, collection leaves the bytes that a backup may have named.

A hold is a small object, of which the list tells all. It has an end: a backup that died blocks
nothing for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from registry_core.access.signing_keys import CONTAINER
from registry_core.storage import tables
from registry_core.storage.bulk import Bulk, nothing_moved, whole
from registry_core.storage.connection import Connection
from registry_core.storage.contents import Listed
from registry_core.storage.faults import StoreMissing
from registry_core.storage.objects import Objects

LIFETIME = timedelta(days=1)
"""How long a backup that is under way holds; it holds anew long before that."""
_FOLDER = "holds/"
_BEGUN, _UNTIL = "begun", "until"
_WORD = "A backup holds the content of this registry until the time in the metadata.\n"


@dataclass(frozen=True)
class Hold:
    """From when on nothing that was named may go, and until when."""

    begun: datetime
    """By storage's own time: what was doomed before it, no backup has named."""
    until: datetime


class Holds:
    """The holds of one registry."""

    def __init__(self, connection: Connection) -> None:
        self._objects = Objects(connection, CONTAINER)
        self._bulk = Bulk(connection, CONTAINER)

    async def make(self, name: str, until: datetime) -> Hold:
        """Holds from now on. To be made before anything is read that may name content."""
        await self._write(name, {_UNTIL: tables.time_value(until)})
        found = await self._found()
        return found[name]

    async def keep(self, name: str, hold: Hold) -> None:
        """Has a hold that was made end at another time."""
        times = {_BEGUN: hold.begun, _UNTIL: hold.until}
        await self._write(name, {key: tables.time_value(time) for key, time in times.items()})

    async def end(self, name: str) -> None:
        """Holds no longer."""
        await self._objects.remove(f"{_FOLDER}{name}")

    async def of(self, name: str, as_of: datetime) -> Hold | None:
        """One hold, if it has not ended."""
        found = (await self._found()).get(name)
        return found if found and found.until > as_of else None

    async def active(self, as_of: datetime) -> Hold | None:
        """All those that have not ended as one; None if there are none."""
        found = [hold for hold in (await self._found()).values() if hold.until > as_of]
        if not found:
            return None
        return Hold(min(each.begun for each in found), max(each.until for each in found))

    async def _write(self, name: str, metadata: dict[str, str]) -> None:
        content = whole(_WORD.encode())
        await self._bulk.write(f"{_FOLDER}{name}", content, metadata, nothing_moved)

    async def _found(self) -> dict[str, Hold]:
        try:
            pages = [page async for page in self._objects.contents(_FOLDER)]
        except StoreMissing:  # A registry that was never started.
            return {}
        objects = [each for page in pages for each in page.objects]
        return {each.name.removeprefix(_FOLDER): _hold(each) for each in objects}


class HoldEnded(Exception):
    """A hold came to its end before it was renewed: what it was for may be gone."""


class KeptHold:
    """One hold, which whoever works under it renews."""

    def __init__(
        self,
        holds: Holds,
        name: str,
        hold: Hold,
        now: Callable[[], datetime],
        lifetime: timedelta | None = LIFETIME,
    ) -> None:
        """Without `lifetime` the hold keeps its end."""
        self._holds = holds
        self._name = name
        self._hold = hold
        self._now = now
        self._lifetime = lifetime
        self._renewing = asyncio.Lock()

    async def renew(self) -> None:
        """Holds for longer, in good time: a call once in half of the lifetime.

        Raises `HoldEnded` where it has ended by now. It is not revived: collection may have been
        in between.
        """
        async with self._renewing:
            self._check()
            lifetime, now = self._lifetime, self._now()
            if lifetime is None or self._hold.until - now >= lifetime / 2:
                return
            longer = Hold(self._hold.begun, now + lifetime)
            await self._holds.keep(self._name, longer)
            self._check()  # It was written while the hold was still there.
            self._hold = longer

    def _check(self) -> None:
        if self._now() >= self._hold.until:
            raise HoldEnded(self._name)


def _hold(listed: Listed) -> Hold:
    """What a list tells of a hold; its object's last change is when it was made."""
    begun, until = (listed.metadata.get(key) for key in (_BEGUN, _UNTIL))
    return Hold(
        tables.parse_time(begun) if begun else listed.modified,
        tables.parse_time(until) if until else listed.modified + LIFETIME,
    )
