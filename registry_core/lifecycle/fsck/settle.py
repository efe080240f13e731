"""Reading several rows as they were at one moment, while others change them.

Rows that have the same versions in two readings, one after the other, were all there between the
two, at one moment. So nothing is taken for broken that is only under way, however long storage
takes, and nobody has to wait.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from registry_core.storage.tables import Row

READINGS = 20
"""After so many, in none of which anything was as before, somebody changes it all the time."""
_LONGEST_WAIT = 0.5


class Versioned(Protocol):
    """What was read."""

    @property
    def versions(self) -> Mapping[object, str]:
        """The version of each row; empty for those that are not there."""


V = TypeVar("V", bound=Versioned)


@dataclass(frozen=True)
class Unsettled:
    """It kept changing."""


async def settled(read: Callable[[], Awaitable[V]], is_over: Callable[[V], bool]) -> V | Unsettled:
    """What was there at one moment; or a reading after which there is no need to know.

    Nobody can be blamed for rows in which nothing is wrong: if they belong to different moments,
    they have been changed since they were suspected.
    """
    before = await read()
    for number in range(READINGS):
        if is_over(before):
            return before
        found = await read()
        if found.versions == before.versions:
            return found
        before = found
        longest = min(0.01 * 2**number, _LONGEST_WAIT)
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - spreads load, no secret
    return Unsettled()


def version(row: Row | None) -> str:
    """The version of a row, and none of one that is not there."""
    return row.etag if row else ""
