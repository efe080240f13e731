"""What grows with one request: each series, with its sizes and its preparation."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench.compare.loops import Script
from bench.compare.operations import Prepare, Stand, beside_another, new_tag, put_manifest
from bench.compare.repository import Repository
from bench.contenders.contender import Family
from bench.cpu.images import INDEX, Image, index_of
from bench.growth import bulk

_AT_ONCE = 4
_TAGS_A_PUSH = 15


@dataclass(frozen=True)
class Sizes:
    """How large things are made."""

    quick: tuple[int, ...]
    full: tuple[int, ...]
    deep: tuple[int, ...]
    """With what takes minutes to prepare, too."""


@dataclass(frozen=True)
class Series:
    """An operation that is measured for several sizes."""

    name: str
    title: str
    of: str
    """What there is more and more of."""
    sizes: Mapping[Family, Sizes]

    def prepared(self, size: int) -> Prepare:
        """The preparation for a size."""
        return partial(_PREPARE[self.name], size=size)


async def _index(stand: Stand, count: int, *, size: int) -> Sequence[Script]:
    repository, image = await stand.known()
    children = [
        Image(image.layers[:1], image.config, {"number": str(number)}) for number in range(size)
    ]
    await _together([partial(repository.put, each.digest, each.manifest) for each in children])
    return [partial(repository.put, new_tag(), index_of(children), INDEX) for _ in range(count)]


async def _put(stand: Stand, count: int, *, size: int) -> Sequence[Script]:
    return await put_manifest(stand, count, layers=size)


async def _delete(stand: Stand, count: int, *, size: int) -> Sequence[Script]:
    scripts: list[Script] = []
    for _ in range(count):
        repository, image = await beside_another(stand)
        await _tag(stand, repository, image, [f"v{number}" for number in range(size)])
        scripts.append(partial(repository.delete, image.digest))
    return scripts


async def _tag(stand: Stand, repository: Repository, image: Image, tags: Sequence[str]) -> None:
    if stand.family is Family.DISTRIBUTION:
        await repository.put(tags[0], image.manifest)
        digits = image.digest.removeprefix("sha256:")
        await bulk.write(stand.azurite, bulk.tag_files(repository.name, tags[1:], digits))
        return
    for start in range(0, len(tags), _TAGS_A_PUSH):
        query = "&".join(f"tag={tag}" for tag in tags[start : start + _TAGS_A_PUSH])
        await repository.put(f"{image.digest}?{query}", image.manifest)


async def _together(scripts: Sequence[Script]) -> None:
    rest = iter(scripts)

    async def work() -> None:
        for script in rest:
            await script()

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())


_PREPARE = {"put-layers": _put, "index-children": _index, "delete-tags": _delete}


def _alike(sizes: Sizes) -> Mapping[Family, Sizes]:
    return dict.fromkeys(Family, sizes)


SERIES = (
    Series(
        "put-layers",
        "`PUT` of a manifest by its layers",
        "layers",
        _alike(Sizes((1, 10), (1, 10, 100), (1, 10, 100))),
    ),
    Series(
        "index-children",
        "`PUT` of an index by its children",
        "children",
        _alike(Sizes((2, 20), (2, 50, 500), (2, 50, 500))),
    ),
    Series(
        "delete-tags",
        "`DELETE` of a manifest by its tags",
        "tags",
        {
            Family.SLIPWAY: Sizes((1, 20), (1, 20, 100, 10_000), (1, 20, 100, 10_000)),
            Family.DISTRIBUTION: Sizes((1, 20), (1, 20, 100, 1_000), (1, 20, 100, 1_000, 10_000)),
        },
    ),
)
