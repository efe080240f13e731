"""Measures all curves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from enum import Enum
from functools import partial

from bench.compare.operations import Stand
from bench.compare.progress import Progress
from bench.compare.run import stands
from bench.contenders.contender import Family, Kind
from bench.contenders.field import Field
from bench.growth import collection, listings
from bench.growth.listings import Filled, Listing
from bench.growth.measure import GROWTH, measured
from bench.growth.series import SERIES, Series, Sizes
from bench.results.recorder import Recorder

_REPEATS = 5
_MANY = 1_000
"""From this size on, once is enough: it takes seconds."""
_LARGE = 5_000


class Depth(Enum):
    """Which sizes are measured."""

    QUICK = "quick"
    FULL = "full"
    DEEP = "deep"

    def of(self, sizes: Sizes) -> tuple[int, ...]:
        """Those of these."""
        found: tuple[int, ...] = getattr(sizes, self.value)
        return found


class GrowthRun:
    """All curves but those that a run before has left; the engine has the same as the devhost."""

    def __init__(self, depth: Depth, recorder: Recorder, names: Collection[str]) -> None:
        self._depth, self._recorder, self._names = depth, recorder, names

    def weight(self, families: Collection[Family]) -> float:
        """The steps that it makes."""
        chosen = [each for each in CURVES if each.name in self._names]
        sizes = [each.sizes.get(family) for each in chosen for family in families]
        return float(sum(_weight(size) for each in sizes if each for size in self._depth.of(each)))

    @property
    def has_requests(self) -> bool:
        """Whether anything of `requests` was chosen."""
        return any(each.name in self._names for each in SERIES)

    @property
    def has_listings(self) -> bool:
        """Whether anything of `listings` was chosen."""
        return bool(self._listings)

    async def requests(self, field: Field, progress: Progress) -> None:
        """What grows with one request."""
        async with stands(field) as found:
            for series in SERIES:
                for stand in found if series.name in self._names else ():
                    await self._series(series, stand, progress)

    async def _series(self, series: Series, stand: Stand, progress: Progress) -> None:
        for size in self._depth.of(series.sizes[stand.family]):

            async def one(size: int = size) -> dict[str, float]:
                for script in await series.prepared(1)(stand, 1):
                    await script()
                repeats = 1 if size >= _MANY else _REPEATS
                return await measured(stand, await series.prepared(size)(stand, repeats))

            await self._point(series.name, size, stand.contender.kind, progress, one)

    @property
    def _listings(self) -> Sequence[Listing]:
        return [each for each in _LISTINGS if each.name in self._names]

    async def listings(self, field: Field, progress: Progress) -> None:
        """Pages; storage is filled more and more."""
        async with stands(field) as found:
            for stand in found:
                await stand.known()  # Which makes the tables.
            sizes = {
                size
                for listing in self._listings
                for stand in found
                for size in self._depth.of(_sizes(listing, stand))
            }
            for size in sorted(sizes):
                await self._pages(Filled(field, size), size, found, progress)

    async def _pages(
        self, filled: Filled, size: int, stands: Sequence[Stand], progress: Progress
    ) -> None:
        is_filled = False
        for listing in self._listings:
            for stand in stands:
                if size not in self._depth.of(_sizes(listing, stand)):
                    continue

                async def one(listing: Listing = listing, stand: Stand = stand) -> dict[str, float]:
                    nonlocal is_filled
                    if stand.family is Family.DISTRIBUTION:
                        await filled.theirs_of(listing)
                    elif not is_filled:
                        await filled.ours()
                        is_filled = True
                    scripts = await filled.scripts(stand, listing)
                    await scripts[0]()
                    return await measured(stand, scripts[1:])

                entries = filled.entries(listing)
                await self._point(listing.name, entries, stand.contender.kind, progress, one)

    async def collection(self, progress: Progress, families: Collection[Family]) -> None:
        """Garbage."""
        if collection.NAME not in self._names:
            return
        works = [(Kind.DEVHOST, collection.ours, collection.OURS)]
        if Family.DISTRIBUTION in families:
            works.append((Kind.DISTRIBUTION, collection.theirs, collection.THEIRS))
        for kind, work, sizes in works:
            for size in self._depth.of(sizes):
                await self._point(collection.NAME, size, kind, progress, partial(work, size))

    async def _point(
        self,
        name: str,
        size: int,
        kind: Kind,
        progress: Progress,
        measure: Callable[[], Awaitable[dict[str, float]]],
    ) -> None:
        key = {"series": name, "registry": kind.value, "size": size}
        if self._recorder.has(GROWTH, key):
            progress.skip(_weight(size))
            return
        progress.step(f"{name} of {size:,}: {kind.value}", _weight(size))
        async with self._recorder.attempt(f"{name} of {size:,} at {kind.value}"):
            self._recorder.put(GROWTH, key, await measure())


_LISTINGS = (listings.TAGS, *listings.OURS, listings.CATALOG)
_COLLECTION = Listing(
    collection.NAME,
    collection.TITLE,
    collection.OF,
    {Family.SLIPWAY: collection.OURS, Family.DISTRIBUTION: collection.THEIRS},
)
CURVES: tuple[Series | Listing, ...] = (*SERIES, *_LISTINGS, _COLLECTION)
"""All that are measured."""


def _weight(size: int) -> float:
    """As how many steps a size counts: what is large is long in the making."""
    return 1.0 if size < _LARGE else 5.0


def _sizes(listing: Listing, stand: Stand) -> Sizes:
    return listing.sizes.get(stand.family, Sizes((), (), ()))
