"""Asks for the first page of each listing, one in the middle and the last, and counts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from bench.client import UnexpectedAnswerError
from bench.cpu.connection import Connection as HttpConnection
from bench.cpu.request_log import RequestLog
from bench.listings import crowd
from bench.listings.crowd import Crowd, Listed
from bench.stage import Stage
from registry_core.repositories.timeline import place_of
from registry_core.settings import StorageSettings
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection

PAGE = 5
"""How many entries each page has."""
PLACES = ("first", "middle", "last")


@dataclass(frozen=True)
class Listing:
    """A listing in one of its orders."""

    path: str
    field: str
    key: str
    order: str

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.field} by {self.order or self.key}"


LISTINGS = (
    *(Listing("_tags", "tags", "name", order) for order in ("", "timedesc", "timeasc")),
    *(Listing("_manifests", "manifests", "digest", order) for order in ("", "timedesc", "timeasc")),
)
CATALOG = Listing("_catalog", "repositories", "name", "")


@dataclass(frozen=True)
class Size:
    """How much there is."""

    manifests: int
    tags: int
    repositories: int

    @property
    def label(self) -> str:
        """It in words."""
        parts = (self.tags, "tags"), (self.manifests, "manifests"), (self.repositories, "repos")
        return ", ".join(f"{count:,} {what}" for count, what in parts)


SIZES = (Size(10, 10, 10), Size(1_000, 1_000, 1_000), Size(20_000, 100_000, 10_000))


@dataclass(frozen=True)
class PageCost:
    """What one page took."""

    calls: int
    rounds: int
    blob_bytes: int
    """What passed between the registry and blob storage."""

    def __str__(self) -> str:
        return f"{self.calls} in {self.rounds}"


Costs = Mapping[str, Mapping[Size, Sequence[PageCost]]]
"""By the name of a listing and the size; one for each of `PLACES`."""


def measure(stage: Stage, sizes: Sequence[Size], say: Callable[[str], None]) -> Costs:
    """Fills storage more and more, and measures after each size."""
    with contextlib.closing(HttpConnection(stage.committing.base_url)) as connection:
        return _measure(stage, _Asked(stage, connection), sizes, say)


def _measure(
    stage: Stage, asked: _Asked, sizes: Sequence[Size], say: Callable[[str], None]
) -> Costs:
    found: dict[str, dict[Size, Sequence[PageCost]]] = {}
    repositories: list[str] = []
    for size in sizes:
        say(f"writing the rows of {size.label}")
        filled = asyncio.run(_fill(stage, size, repositories))
        for listing in LISTINGS:
            found.setdefault(listing.name, {})[size] = asked.pages_of(filled, listing)
        names = [Listed(name, crowd.BEGIN) for name in sorted(repositories)]
        found.setdefault(CATALOG.name, {})[size] = asked.pages("", CATALOG, names)
    return found


async def _fill(stage: Stage, size: Size, repositories: list[str]) -> Crowd:
    connection = Connection(StorageSettings(stage.azurite.connection_string), CallHook())
    try:
        filled = await crowd.fill(
            connection, f"team/with-{size.tags}-tags", size.manifests, size.tags
        )
        missing = size.repositories - len(repositories) - 1
        names = [f"team/app-{len(repositories) + n:05}" for n in range(missing)]
        await crowd.make(connection, names)
        repositories += [*names, str(filled.name)]
        return filled
    finally:
        await connection.close()


class _Asked:
    """An instance of the registry that is asked for pages."""

    def __init__(self, stage: Stage, connection: HttpConnection) -> None:
        self._http = connection
        self._headers = stage.receiver.headers
        self._log = RequestLog(stage.committing)
        self._stage = stage
        self._ask(f"/acr/v1/{CATALOG.path}")  # Which opens the connections.

    def _ask(self, path: str) -> bytes:
        return self._http.ask(200, "GET", path, self._headers).content

    def pages_of(self, filled: Crowd, listing: Listing) -> Sequence[PageCost]:
        """The three pages of what lists a repository."""
        entries = list(filled.tags if listing.field == "tags" else filled.manifests)
        if listing.order:
            entries.sort(key=lambda entry: entry.updated, reverse=listing.order == "timedesc")
        else:
            entries.sort(key=lambda entry: entry.name)
        return self.pages(f"{filled.name}/", listing, entries)

    def pages(self, prefix: str, listing: Listing, entries: Sequence[Listed]) -> Sequence[PageCost]:
        """The three pages of a listing that has these entries, in its order."""
        starts = (0, len(entries) // 2, len(entries) - PAGE)
        return [self._page(prefix + listing.path, listing, entries, start) for start in starts]

    def _page(self, path: str, listing: Listing, entries: Sequence[Listed], start: int) -> PageCost:
        query = f"n={PAGE}&orderby={listing.order}"
        if start:
            before = entries[start - 1]
            place = place_of(before.name, before.updated) if listing.order else before.name
            query += f"&last={quote(place, safe='')}"
        self._log.requests()
        before_bytes = self._stage.blob_bytes
        answer = json.loads(self._ask(f"/acr/v1/{path}?{query}"))
        told = [
            each[listing.key] if isinstance(each, dict) else each for each in answer[listing.field]
        ]
        if told != [entry.name for entry in entries[start : start + PAGE]]:
            raise UnexpectedAnswerError(f"{path}?{query} lists {told}")
        (cost,) = self._log.requests()
        return PageCost(cost.calls, cost.rounds, self._stage.blob_bytes - before_bytes)


def as_table(costs: Costs) -> str:
    """Storage calls and rounds of each page, one line for each listing and size."""
    lines = [f"{'calls in rounds':46}" + "".join(f"{place:>12}" for place in PLACES)]
    for name, by_size in costs.items():
        for size, pages in by_size.items():
            count = getattr(size, name.partition(" ")[0])
            cells = "".join(f"{page!s:>12}" for page in pages)
            lines.append(f"{name:24}{f'of {count:,}':22}{cells}")
    blob = sum(
        page.blob_bytes for sizes in costs.values() for each in sizes.values() for page in each
    )
    return "\n".join([*lines, f"bytes to and from blob storage: {blob}"])
