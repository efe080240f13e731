"""A page in the middle of each listing, in small repositories and in large ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from bench.client import UnexpectedAnswerError
from bench.compare.loops import Script
from bench.compare.operations import Stand
from bench.contenders.contender import Family
from bench.contenders.field import Field
from bench.growth import bulk
from bench.growth.series import Sizes
from bench.listings import crowd
from bench.listings.crowd import Crowd, Listed
from bench.listings.measure import LISTINGS, PAGE
from bench.listings.measure import Listing as AcrListing
from registry_core.model.names import RepositoryName
from registry_core.repositories.timeline import place_of
from registry_core.settings import StorageSettings
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection

REPEATS = 15
_AS_MANY, _MANIFESTS_OF = 1_000, 5
"""Up to so many tags there are as many manifests; of more, so many tags have one: it takes minutes
to write them."""


@dataclass(frozen=True)
class Listing:
    """One that is asked for, with the sizes it is made in."""

    name: str
    title: str
    of: str
    sizes: dict[Family, Sizes]


_TAGS = Sizes((10, 1_000), (10, 1_000, 100_000), (10, 1_000, 100_000))
_THEIR_TAGS = Sizes((10, 100), (10, 1_000), (10, 1_000, 10_000))
_THEIR_CATALOG = Sizes((10, 50), (10, 500), (10, 500, 5_000))
TAGS = Listing(
    "tags",
    "a page of `tags/list`",
    "tags",
    {Family.SLIPWAY: _TAGS, Family.DISTRIBUTION: _THEIR_TAGS},
)
CATALOG = Listing(
    "catalog",
    "a page of `_catalog`",
    "repositories",
    {Family.SLIPWAY: _TAGS, Family.DISTRIBUTION: _THEIR_CATALOG},
)
OURS = tuple(
    Listing(f"acr {each.name}", f"a page of ACR's {each.name}", each.field, {Family.SLIPWAY: _TAGS})
    for each in LISTINGS
)
_ACR = dict(zip((each.name for each in OURS), LISTINGS, strict=True))


class Filled:
    """What was written for one size; larger ones are added to the same storage."""

    def __init__(self, field: Field, size: int) -> None:
        self._field, self._size = field, size
        self.repositories = [f"crowd/app-{number:06}" for number in range(size)]
        self.tags = [f"v{number:06}" for number in range(size)]
        self.crowd: Crowd

    @property
    def _manifests(self) -> int:
        return self._size if self._size <= _AS_MANY else self._size // _MANIFESTS_OF

    def entries(self, listing: Listing) -> int:
        """How many a listing has in all."""
        return self._manifests if listing.of == "manifests" else self._size

    def _name(self) -> str:
        return f"crowds/with-{self._size}"

    async def ours(self) -> None:
        """Writes the rows of a repository with so many tags, and enters so many into the catalog.

        Raises `StorageFault`.
        """
        connection = Connection(StorageSettings(self._field.azurite.connection_string), CallHook())
        try:
            self.crowd = await crowd.fill(connection, self._name(), self._manifests, self._size)
            await crowd.enter(connection, map(RepositoryName, self.repositories))
        finally:
            await connection.close()

    async def theirs_of(self, listing: Listing) -> None:
        """Writes what distribution would have for a listing."""
        files = (
            bulk.repository_files(self.repositories)
            if listing is CATALOG
            else bulk.tag_files(self._name(), self.tags, bulk.hex_of(0))
        )
        await bulk.write(self._field.azurite, files)

    async def scripts(self, stand: Stand, listing: Listing) -> Sequence[Script]:
        """Requests for the page, each of which looks whether it is the right one."""
        if listing is CATALOG:
            names, path, key = self.repositories, "/v2/_catalog", "repositories"
            access = await stand.tokens.of()
        else:
            names, path, key = self.tags, f"/v2/{self._name()}/tags/list", "tags"
            access = await stand.tokens.of(self._name())
        if listing.name in _ACR:
            return await self._acr(stand, _ACR[listing.name], access)
        start = len(names) // 2
        url = f"{path}?n={PAGE}&last={quote(names[start - 1])}"
        return [partial(_ask, stand, url, access, key, names[start : start + PAGE])] * REPEATS

    async def _acr(
        self, stand: Stand, listing: AcrListing, access: dict[str, str]
    ) -> Sequence[Script]:
        listed = list(self.crowd.tags if listing.field == "tags" else self.crowd.manifests)
        by_time = bool(listing.order)
        if by_time:
            listed.sort(key=lambda each: each.updated, reverse=listing.order == "timedesc")
        else:
            listed.sort(key=lambda each: each.name)
        start = len(listed) // 2
        last = _place(listed[start - 1], by_time=by_time)
        query = f"n={PAGE}&orderby={listing.order}&last={quote(last, safe='')}"
        names = [each.name for each in listed[start : start + PAGE]]
        url = f"/acr/v1/{self._name()}/{listing.path}?{query}"
        return [partial(_ask, stand, url, access, listing.field, names, listing.key)] * REPEATS


def _place(listed: Listed, *, by_time: bool) -> str:
    return place_of(listed.name, listed.updated) if by_time else listed.name


async def _ask(
    stand: Stand,
    url: str,
    access: dict[str, str],
    field: str,
    expected: Sequence[str],
    key: str = "",
) -> None:
    answer = json.loads((await stand.client.ask(200, "GET", url, access)).body)
    told = [each[key] if isinstance(each, dict) else each for each in answer[field]]
    if told != list(expected):
        raise UnexpectedAnswerError(f"{url} lists {told}, not {expected}")
