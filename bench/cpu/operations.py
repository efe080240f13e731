"""What is measured: each operation with its preparation, which is not measured."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from bench.cpu.connection import Client
from bench.cpu.images import INDEX, Image, Repository, digest_of, index_of, new_blob
from bench.cpu.shapes import BLOB, LAYERS, ONE, PULL, PUSH, Shape

Script = Callable[[], Any]
"""One repeat of an operation."""
CHILDREN = 500
TAGS = 100
PAGE = 1000
_TAGS_A_PUSH = 15
OF_SHORT_ONES = 10
"""So many more repeats of what takes less than a millisecond: the first ones of a turn, which find
others' data in the processor's caches, would weigh too much in a few."""


class Stand:
    """The instances that are asked, and what is pushed once for several operations."""

    def __init__(self, warm: Client, cold: Client) -> None:
        self.warm = warm
        """Everything is pushed to this one, and most is asked of it."""
        self.cold = cold
        """This one has opened its storage, and has seen nothing of what it is asked for."""

    @cached_property
    def repository(self) -> Repository:
        """The one that most operations use."""
        return Repository.new(self.warm)

    @cached_property
    def image(self) -> Image:
        """An image in it, under the tag `latest`, that stays as it is."""
        image = Image.of(1)
        self.repository.push(image, "latest")
        return image

    @cached_property
    def children(self) -> list[Image]:
        """Images without a tag in the same repository."""
        first = self.image
        images = [
            Image(first.layers, first.config, {"number": str(number)}) for number in range(CHILDREN)
        ]
        for image in images:
            self.repository.put(image.digest, image.manifest)
        return images

    @cached_property
    def full_page(self) -> Repository:
        """A repository with as many tags as a page has at most."""
        repository = Repository.new(self.warm)
        image = Image.of(1)
        repository.push(image, "latest")
        put_tags(repository, image, [f"v{number}" for number in range(PAGE - 1)])
        return repository


def put_tags(repository: Repository, image: Image, tags: Sequence[str]) -> None:
    """Gives an image that is there more tags."""
    for start in range(0, len(tags), _TAGS_A_PUSH):
        query = "&".join(f"tag={tag}" for tag in tags[start : start + _TAGS_A_PUSH])
        repository.put(f"{image.digest}?{query}", image.manifest)


@dataclass(frozen=True)
class Operation:
    """Something that clients do."""

    name: str
    """For the command line."""
    title: str
    prepare: Callable[[Stand, int], Sequence[Script]]
    """Does what has to be done before, and answers so many repeats."""
    shape: Shape = ONE
    share: float = 1
    """How many repeats to one of the others."""
    is_cold: bool = False
    """Whether the cold instance is asked."""


def _base(stand: Stand, count: int) -> Sequence[Script]:
    return [partial(stand.warm.ask, 200, "GET", "/v2/", stand.warm.access())] * count


def _token(stand: Stand, count: int) -> Sequence[Script]:
    return [partial(stand.warm.token, stand.repository.name)] * count


def _read(stand: Stand, count: int, *, method: str, by_tag: bool) -> Sequence[Script]:
    reference = "latest" if by_tag else stand.image.digest
    stand.repository.read("GET", stand.image.digest)
    return [partial(stand.repository.read, method, reference)] * count


def _redirect(stand: Stand, count: int) -> Sequence[Script]:
    layer = stand.image.layers[0]
    stand.repository.redirect(layer)
    return [partial(stand.repository.redirect, layer)] * count


def _put(stand: Stand, count: int, *, layers: int) -> Sequence[Script]:
    images = [Image.of(layers) for _ in range(count)]
    for image in images:
        for blob in image.blobs:
            stand.repository.push_blob(blob)
    return [
        partial(stand.repository.put, f"v-{secrets.token_hex(6)}", image.manifest)
        for image in images
    ]


def _mount(stand: Stand, count: int) -> Sequence[Script]:
    target = Repository.new(stand.warm)
    access = stand.warm.access(stand.repository.name, target.name)
    blobs = [new_blob() for _ in range(count)]
    for blob in blobs:
        stand.repository.push_blob(blob)
    path = f"/v2/{target.name}/blobs/uploads/?from={stand.repository.name}&mount="
    return [partial(stand.warm.ask, 201, "POST", path + digest_of(blob), access) for blob in blobs]


def _delete(stand: Stand, count: int, *, tags: int) -> Sequence[Script]:
    repository, images = stand.repository, [Image.of(1) for _ in range(count)]
    for image in images:
        for blob in image.blobs:
            repository.push_blob(blob)
        put_tags(repository, image, [f"v-{secrets.token_hex(6)}" for _ in range(tags)])
    return [partial(repository.delete, image.digest) for image in images]


def _small_blob(stand: Stand, count: int) -> Sequence[Script]:
    return [partial(stand.repository.push_blob, new_blob()) for _ in range(count)]


def _push(stand: Stand, count: int) -> Sequence[Script]:
    return [
        partial(stand.repository.push, Image.of(LAYERS), f"v-{secrets.token_hex(6)}")
        for _ in range(count)
    ]


def _pull(stand: Stand, count: int) -> Sequence[Script]:
    scripts = []
    for _ in range(count):
        pushed, image = Repository.new(stand.warm), Image.of(LAYERS)
        pushed.push(image, "latest")
        repository = Repository.named(stand.cold, pushed.name)
        scripts.append(partial(repository.pull, image, "latest"))
    return scripts


def _cold_blob(stand: Stand, count: int) -> Sequence[Script]:
    scripts = []
    for _ in range(count):
        pushed, image = Repository.new(stand.warm), Image.of(1)
        pushed.push(image, "latest")
        repository = Repository.named(stand.cold, pushed.name)
        scripts.append(partial(repository.redirect, image.layers[0]))
    return scripts


def _index(stand: Stand, count: int) -> Sequence[Script]:
    repository, children = stand.repository, stand.children
    return [
        partial(repository.put, f"v-{secrets.token_hex(6)}", index_of(children), INDEX)
        for _ in range(count)
    ]


def _page(stand: Stand, count: int) -> Sequence[Script]:
    page = stand.full_page
    return [partial(stand.warm.ask, 200, "GET", f"/v2/{page.name}/tags/list", page.access)] * count


OPERATIONS = (
    Operation("v2", "GET /v2/", _base, share=OF_SHORT_ONES),
    Operation("token", "the same token again, for a password", _token, share=OF_SHORT_ONES),
    Operation(
        "by-digest",
        "GET manifest by digest, warm",
        partial(_read, method="GET", by_tag=False),
        share=OF_SHORT_ONES,
    ),
    Operation("redirect", "GET blob -> 307, warm", _redirect, share=OF_SHORT_ONES),
    Operation(
        "head-tag",
        "HEAD manifest by tag, warm",
        partial(_read, method="HEAD", by_tag=True),
        share=OF_SHORT_ONES,
    ),
    Operation("put-1", "PUT manifest, 1 layer", partial(_put, layers=1)),
    Operation("put-8", f"PUT manifest, {LAYERS} layers", partial(_put, layers=LAYERS)),
    Operation("mount", "mount", _mount),
    Operation("delete", "DELETE manifest with 1 tag", partial(_delete, tags=1)),
    Operation("small-blob", "small blob, POST + PUT", _small_blob, BLOB),
    Operation("push", f"whole push, {LAYERS} layers", _push, PUSH, share=0.15),
    Operation("pull", f"whole pull, {LAYERS} layers, cold", _pull, PULL, share=0.15, is_cold=True),
    Operation("cold-blob", "each blob on another cold one", _cold_blob, is_cold=True),
    Operation("index", f"PUT index, {CHILDREN} children", _index, share=0.0125),
    Operation(
        "delete-tags",
        f"DELETE manifest with {TAGS} tags",
        partial(_delete, tags=TAGS),
        share=0.0125,
    ),
    Operation("tags-page", f"tags page without n, {PAGE:,} tags", _page, share=0.15),
)
