"""What is measured: each operation with its preparation, which is not measured."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from bench.compare.loops import Script
from bench.compare.repository import Repository
from bench.compare.wire import Client
from bench.contenders.contender import Contender, Family
from bench.contenders.field import Field, Tokens
from bench.cpu.images import Image, digest_of, new_blob
from devhost.processes.azurite import Azurite

LAYERS = 8
PAGE = 100
REPOSITORIES = 20
"""How many the catalog has while it is asked for."""


def new_name() -> str:
    """Of a repository that nobody has used."""
    return f"bench/{secrets.token_hex(6)}"


def new_tag() -> str:
    """One that nobody has used."""
    return f"v-{secrets.token_hex(6)}"


class Shared:
    """What is pushed once for all registries of a family."""

    def __init__(self, field: Field, tokens: Tokens) -> None:
        self._aside = {family: Client(each.base_url) for family, each in field.aside.items()}
        self._tokens = tokens
        self._cold: dict[tuple[Family, str], list[tuple[str, Image]]] = {}
        self._tagged: dict[Family, str] = {}

    async def repository(self, family: Family, name: str) -> Repository:
        """One at the registry that is not measured."""
        return Repository(self._aside[family], name, await self._tokens.of(name))

    async def images(self, family: Family, key: str, count: int) -> list[tuple[str, Image]]:
        """Images that none of those measured has seen, each in a repository of its own.

        Who asks with the same key is given the same: each registry must do so once.
        """
        known = self._cold.setdefault((family, key), [])
        while len(known) < count:
            image, name = Image.of(LAYERS), new_name()
            await (await self.repository(family, name)).push(image, "latest")
            known.append((name, image))
        return known[:count]

    async def tagged(self, family: Family) -> str:
        """A repository with as many tags as the page that is asked for."""
        if family not in self._tagged:
            repository = await self.repository(family, new_name())
            image = Image.of(1)
            await repository.push(image, "v0")
            for number in range(1, PAGE):
                await repository.put(f"v{number}", image.manifest)
            self._tagged[family] = repository.name
        return self._tagged[family]

    async def fill_catalog(self, family: Family) -> None:
        """Has at least so many repositories there."""
        await self.images(family, "catalog", REPOSITORIES)

    def close(self) -> None:
        """Ends the connections."""
        for client in self._aside.values():
            client.close()


@dataclass
class Stand:
    """One registry that is measured, and what it is asked about."""

    azurite: Azurite
    contender: Contender
    client: Client
    tokens: Tokens
    shared: Shared
    _known: tuple[Repository, Image] | None = None
    _layers: list[bytes] = field(default_factory=list)
    _cold: dict[str, int] = field(default_factory=dict)

    @property
    def family(self) -> Family:
        """Whose registry it is."""
        return self.contender.kind.family

    async def repository(self, name: str | None = None) -> Repository:
        """One at this registry; a new one without a name."""
        name = name or new_name()
        return Repository(self.client, name, await self.tokens.of(name))

    async def known(self) -> tuple[Repository, Image]:
        """A repository with an image under the tag `latest`, pushed here."""
        if self._known is None:
            repository, image = await self.repository(), Image.of(LAYERS)
            await repository.push(image, "latest")
            self._known = repository, image
        return self._known

    async def layers(self, count: int) -> tuple[bytes, ...]:
        """So many layers that the known repository has."""
        repository, image = await self.known()
        self._layers = self._layers or list(image.layers)
        new = [new_blob() for _ in range(count - len(self._layers))]
        await repository.push_blobs(new)
        self._layers += new
        return tuple(self._layers[:count])

    async def unseen(self, key: str, count: int) -> list[tuple[str, Image]]:
        """So many images that this registry has not seen."""
        begun = self._cold.get(key, 0)
        self._cold[key] = begun + count
        return (await self.shared.images(self.family, key, begun + count))[begun:]


Prepare = Callable[[Stand, int], Awaitable[Sequence[Script]]]


@dataclass(frozen=True)
class Operation:
    """Something that clients do."""

    name: str
    title: str
    prepare: Prepare
    """Does what has to be done before, and answers so many repeats."""


async def _base(stand: Stand, count: int) -> Sequence[Script]:
    access = await stand.tokens.of()
    return [partial(stand.client.ask, 200, "GET", "/v2/", access)] * count


async def _catalog(stand: Stand, count: int) -> Sequence[Script]:
    await stand.shared.fill_catalog(stand.family)
    access = await stand.tokens.of()
    return [partial(stand.client.ask, 200, "GET", f"/v2/_catalog?n={PAGE}", access)] * count


async def _tags(stand: Stand, count: int) -> Sequence[Script]:
    repository = await stand.repository(await stand.shared.tagged(stand.family))
    return [partial(repository.tags, PAGE)] * count


async def _redirect(stand: Stand, count: int) -> Sequence[Script]:
    repository, image = await stand.known()
    await repository.redirect(image.layers[0])
    return [partial(repository.redirect, image.layers[0])] * count


async def _read(stand: Stand, count: int, *, method: str, by_tag: bool) -> Sequence[Script]:
    repository, image = await stand.known()
    await repository.read("GET", image.digest)
    reference = "latest" if by_tag else image.digest
    return [partial(repository.read, method, reference)] * count


async def put_manifest(stand: Stand, count: int, *, layers: int) -> Sequence[Script]:
    """Pushes of manifests whose layers are there; each has a config of its own."""
    repository, _ = await stand.known()
    own = await stand.layers(layers)
    images = [Image(own) for _ in range(count)]
    for each in images:
        await repository.push_blob(each.config)
    return [partial(repository.put, new_tag(), each.manifest) for each in images]


async def _mount(stand: Stand, count: int) -> Sequence[Script]:
    (source, _), target = await stand.known(), new_name()
    repository = Repository(stand.client, target, await stand.tokens.of(target, source.name))
    blobs = [new_blob() for _ in range(count)]
    for blob in blobs:
        await source.push_blob(blob)
    return [partial(repository.mount, digest_of(blob), source.name) for blob in blobs]


async def beside_another(stand: Stand) -> tuple[Repository, Image]:
    """A new repository with an image that stays, and one whose blobs are there and that is not."""
    repository, image = await stand.repository(), Image.of(1)
    for blob in image.blobs:
        await repository.push_blob(blob)
    await repository.put("stays", Image(image.layers, image.config, {"stays": "yes"}).manifest)
    return repository, image


async def _delete(stand: Stand, count: int) -> Sequence[Script]:
    scripts: list[Script] = []
    for _ in range(count):  # In one repository, the tags of the others would count.
        repository, image = await beside_another(stand)
        await repository.put("latest", image.manifest)
        scripts.append(partial(repository.delete, image.digest))
    return scripts


async def _small_blob(stand: Stand, count: int) -> Sequence[Script]:
    repository, _ = await stand.known()
    return [partial(repository.push_blob, new_blob()) for _ in range(count)]


async def _push(stand: Stand, count: int) -> Sequence[Script]:
    repository, _ = await stand.known()
    return [partial(repository.push, Image.of(LAYERS), new_tag()) for _ in range(count)]


async def _cold_pull(stand: Stand, count: int) -> Sequence[Script]:
    scripts: list[Script] = []
    for name, image in await stand.unseen("pull", count):
        repository = await stand.repository(name)
        scripts.append(partial(repository.pull, image, "latest"))
    return scripts


async def _warm_pull(stand: Stand, count: int) -> Sequence[Script]:
    repository, image = await stand.known()
    await repository.pull(image, "latest")
    return [partial(repository.pull, image, "latest")] * count


OPERATIONS = (
    # First, while the catalog has as many repositories for all.
    Operation("catalog", f"catalog, {REPOSITORIES} repositories", _catalog),
    Operation("v2", "`GET /v2/`", _base),
    Operation("redirect", "`GET` blob → 307, warm", _redirect),
    Operation(
        "head-tag", "`HEAD` manifest by tag, warm", partial(_read, method="HEAD", by_tag=True)
    ),
    Operation(
        "by-digest", "`GET` manifest by digest, warm", partial(_read, method="GET", by_tag=False)
    ),
    Operation("put-1", "`PUT` manifest, 1 layer", partial(put_manifest, layers=1)),
    Operation("put-8", f"`PUT` manifest, {LAYERS} layers", partial(put_manifest, layers=LAYERS)),
    Operation("mount", "mount", _mount),
    Operation("delete", "`DELETE` manifest, 1 tag", _delete),
    Operation("small-blob", "small blob, `POST` + `PUT`", _small_blob),
    Operation("tags", f"tags, page of {PAGE}", _tags),
    Operation("pull-warm", f"whole pull, {LAYERS} layers, warm", _warm_pull),
    Operation("pull-cold", f"whole pull, {LAYERS} layers, cold", _cold_pull),
    Operation("push", f"whole push, {LAYERS} layers", _push),
)
