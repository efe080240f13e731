"""What the registry must survive: a row for each thing that cost another registry data or privacy.

A row is named by what must hold. Most are one request and its answer, `asks`; those that take more
are functions, `row`. Whatever is answered is held against `_check`. In other files are storage that
fails (`test_faults.py`), a process that is killed (`tests/e2e/test_crashes.py`) and what happens at
once (`repositories`, `tests/integration/explorer`).
"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from registry_core.http import health
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows as repository_rows
from registry_core.settings import Settings, SettingsError
from registry_core.storage.objects import APPEND_BLOCK
from registry_core.storage.tables import merge
from tests.integration.core.support import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Client,
    Image,
    connect,
    descriptor,
    digest_of,
    index_of,
    pieces,
    pieces_of,
    rows,
)

MIB = 1024 * 1024
ABSENT = digest_of(b"nobody has this")


@dataclass(frozen=True)
class World:
    """A repository with one image, tagged `latest`, and whoever asks for it."""

    client: Client
    other: Client
    """Of another instance: nothing is in its caches."""
    settings: Settings
    repository: str
    image: Image

    @property
    def layer(self) -> str:
        return digest_of(self.image.layer)

    def fill(self, text: str) -> str:
        """`text` with what stands in braces replaced by what is there."""
        names = {"repo": self.repository, "manifest": self.image.digest, "layer": self.layer}
        for name, value in names.items():
            text = text.replace("{" + name + "}", value)
        return text

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = await self.client.send(method, self.fill(path), **options)
        _check(self, method, answer)
        return answer

    async def put(
        self, content: bytes, reference: str = "new", media_type: str = OCI_MANIFEST
    ) -> httpx.Response:
        headers = {"Content-Type": media_type}
        path = f"/v2/{{repo}}/manifests/{reference}"
        return await self.ask("PUT", path, content=content, headers=headers)

    async def lock(self, key: str, column: str) -> None:
        table = self.client.services.connection.table(repository_rows.TABLE)
        partition = repository_rows.partition(RepositoryName(self.repository))
        await table.transact(partition, [merge(key, **{column: False})])


Row = Callable[[World], Awaitable[None]]
ROWS: dict[str, Row] = {}


def row(must: str) -> Callable[[Row], Row]:
    """Adds a row that takes more than one request."""

    def add(function: Row) -> Row:
        assert must not in ROWS
        ROWS[must] = function
        return function

    return add


def asks(
    must: str,
    method: str,
    path: str,
    status: int,
    code: str = "",
    body: Callable[[World], bytes] | None = None,
    untouched: bool = False,
    **headers: str,
) -> None:
    """Adds a row of one request; `untouched` says that it must not cost a storage call."""

    @row(must)
    async def _(world: World) -> None:
        content = body(world) if body else None
        spelt = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await world.ask(method, path, content=content, headers=spelt)
        assert answer.status_code == status, answer.text
        assert _code(answer) == code
        assert not untouched or world.client.cost == (0, 0)


def refuses(must: str, change: Callable[[World, dict[str, Any]], object]) -> None:
    """Adds a row: the image's manifest, once changed, is 400 MANIFEST_INVALID and not stored."""

    @row(must)
    async def _(world: World) -> None:
        document = json.loads(world.image.manifest)
        change(world, document)
        await _refused(world, json.dumps(document).encode())


async def _refused(world: World, content: bytes, media_type: str = OCI_MANIFEST) -> None:
    answer = await world.put(content, media_type=media_type)
    assert (answer.status_code, _code(answer)) == (400, "MANIFEST_INVALID"), answer.text
    assert (await world.ask("GET", "/v2/{repo}/manifests/new")).status_code == 404


def _code(answer: httpx.Response) -> str:
    if answer.status_code < 400 or not answer.content:
        return ""
    return str(answer.json()["errors"][0]["code"])


def _check(world: World, method: str, answer: httpx.Response) -> None:
    """Holds for every answer: an error is OCI's, nothing inner is told, HEAD has no body."""
    assert answer.status_code < 500, answer.text
    assert world.settings.admin
    told = f"{answer.headers} {answer.text}"
    assert not any(word in told for word in (*world.settings.admin.passwords, "Traceback"))
    assert sum(len(name) + len(value) for name, value in answer.headers.raw) < 8192
    if answer.status_code >= 400 and method != "HEAD":
        assert answer.headers["content-type"].startswith("application/json")
        (error,) = answer.json()["errors"]
        assert error["code"]
        assert error["message"]


# Sizes of pages.

for listing in ("_catalog", "{repo}/tags/list", "{repo}/referrers/{manifest}"):
    for number in ("-1", "abc", "", "1.5", "%2B1", "1e3", "%00", "%D9%A3"):
        asks(
            f"{listing}: n={number} is refused",
            *("GET", f"/v2/{listing}?n={number}", 400, "PAGINATION_NUMBER_INVALID"),
        )
    for number in ("9999999999", "9" * 5000, "1001"):
        asks(f"{listing}: n={number[:12]} is clamped", "GET", f"/v2/{listing}?n={number}", 200)

    @row(f"{listing}: n=0 is an empty list without a Link")
    async def _(world: World, listing: str = listing) -> None:
        answer = await world.ask("GET", f"/v2/{listing}?n=0")
        document = answer.json()
        (entries,) = [value for value in document.values() if isinstance(value, list)]
        assert (entries, answer.links) == ([], {})


CURSORS = (
    "~~~",
    "'",
    "' or 1 eq 1",
    "\0",
    "\r\nX-Evil: 1",
    "\U0001f600" * 1024,
    "a" * 5000,
    "\x7f",
)


@row("a cursor of any characters is compared, not interpreted")
async def _(world: World) -> None:
    listings = ("_catalog", "{repo}/tags/list", "{repo}/referrers/{manifest}")
    for cursor in CURSORS:
        for listing in listings:
            answer = await world.ask("GET", f"/v2/{listing}?last={quote(cursor, safe='')}")
            assert (answer.status_code, "x-evil" in answer.headers) == (200, False)


@row("a cursor that is no name skips no entry that is greater, and repeats none")
async def _(world: World) -> None:
    tags = ["A-1", "Z", "_x", "a", "a-b", "a.b", "a_b", "b", "z"]
    query = "&".join(f"tag={tag}" for tag in tags)
    await world.put(world.image.manifest, f"{{manifest}}?{query}")
    tags = sorted([*tags, "latest"])
    cursors = ["a+", "a\x1f", "a ", "a,", "a/", "a~", "A!", "^", "~", "\0", "é", "a\0b", "[", "a'"]
    for cursor in cursors:
        answer = await world.ask("GET", f"/v2/{{repo}}/tags/list?last={quote(cursor, safe='')}")
        assert answer.json()["tags"] == [tag for tag in tags if tag > cursor], cursor


@row("a cursor that is no name skips no repository that is greater")
async def _(world: World) -> None:
    prefix = world.repository
    names = [f"{prefix}{end}" for end in ("-a", ".a", "/a", "0", "_a")]
    for name in names:
        await world.client.push_image(name)
    names = sorted([*names, prefix])
    for end in ("+", ",", "-", "-+", "-,", ".,", "/~", "!", "A", "^", "~"):
        cursor = quote(prefix + end, safe="")
        answer = await world.ask("GET", f"/v2/_catalog?last={cursor}&n=6")
        found = [name for name in answer.json()["repositories"] if name.startswith(prefix)]
        assert found == [name for name in names if name > prefix + end], end


@row("a last beyond the end is an empty list")
async def _(world: World) -> None:
    assert (await world.ask("GET", "/v2/_catalog?last=zzz")).json() == {"repositories": []}
    assert (await world.ask("GET", "/v2/{repo}/tags/list?last=zzz")).json()["tags"] == []


asks("two thousand parameters are read", "GET", "/v2/{repo}/tags/list?" + "a=b&" * 1999, 200)
asks(
    "more parameters are refused",
    *("GET", "/v2/{repo}/tags/list?" + "a=b&" * 2001, 400, "REQUEST_INVALID"),
)

# Manifests that contradict themselves.

refuses(
    "a manifest with layers and manifests is refused",
    lambda w, d: d.update(manifests=[w.image.descriptor]),
)
refuses(
    "a manifest with layers and an empty list of manifests is refused",
    lambda _, d: d.update(manifests=[]),
)
refuses("a manifest with fsLayers is refused", lambda _, d: d.update(fsLayers=[{"blobSum": "x"}]))
refuses(
    "a mediaType other than Content-Type is refused", lambda _, d: d.update(mediaType=OCI_INDEX)
)


@row("a Content-Type other than the mediaType is refused")
async def _(world: World) -> None:
    for other in (OCI_INDEX, "application/json", "text/plain", "\x7f"):
        await _refused(world, world.image.manifest, other)


@row("an index with layers is refused")
async def _(world: World) -> None:
    content = index_of([world.image.descriptor], layers=[descriptor(OCI_LAYER, world.image.layer)])
    await _refused(world, content, OCI_INDEX)


@row("a manifest of an index's type, without mediaType, is refused")
async def _(world: World) -> None:
    document = json.loads(world.image.manifest)
    del document["mediaType"]
    await _refused(world, json.dumps(document).encode(), OCI_INDEX)


def _spelt_twice(world: World, second: str) -> bytes:
    """Two lists of layers, of which one client reads the first and another the second."""
    layer = json.dumps({"mediaType": OCI_LAYER, "digest": ABSENT, "size": 5})
    return b'{"%s": [%s],' % (second.encode(), layer.encode()) + world.image.manifest[1:]


@row("a manifest with a property twice is refused")
async def _(world: World) -> None:
    await _refused(world, _spelt_twice(world, "layers"))


@row("a manifest with a property twice, in capitals, which Go reads alike, is refused")
async def _(world: World) -> None:
    await _refused(world, _spelt_twice(world, "Layers"))
    await _refused(world, _spelt_twice(world, "MANIFESTS"))


@row("a layer that need not be pushed does not excuse a config of the same digest")
async def _(world: World) -> None:
    config = {"mediaType": OCI_CONFIG, "digest": ABSENT, "size": 5}
    layers = [{**config, "urls": ["https://example.org/"]}]
    content = world.image.with_manifest(config=config, layers=layers).manifest
    answer = await world.put(content)
    assert (answer.status_code, _code(answer)) == (400, "MANIFEST_BLOB_UNKNOWN")


# Manifests that are too large, too deep, or none.


def _padded(world: World, size: int) -> bytes:
    bare = len(world.image.with_manifest(annotations={"a": ""}).manifest)
    return world.image.with_manifest(annotations={"a": "x" * (size - bare)}).manifest


@row("a manifest of 4 MiB is stored")
async def _(world: World) -> None:
    content = _padded(world, 4 * MIB)
    assert (await world.put(content)).status_code == 201
    assert (await world.ask("GET", "/v2/{repo}/manifests/new")).content == content


@row("a manifest of 4 MiB and a byte is 413")
async def _(world: World) -> None:
    answer = await world.put(_padded(world, 4 * MIB + 1))
    assert (answer.status_code, _code(answer)) == (413, "SIZE_INVALID")


@row("a manifest of 100 MiB is 413 before it is read to the end")
async def _(world: World) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MIB:
            sent += MIB
            yield b" " * MIB

    answer = await world.ask(
        "PUT",
        "/v2/{repo}/manifests/new",
        content=endless(),
        headers={"Content-Type": OCI_MANIFEST},
    )
    assert (answer.status_code, _code(answer), sent < 30 * MIB) == (413, "SIZE_INVALID", True)


def _nested(world: World, depth: int) -> bytes:
    return world.image.manifest[:-1] + b', "deep": ' + b"[" * depth + b"]" * depth + b"}"


@row("a manifest nested 10,000 deep or more is refused")
async def _(world: World) -> None:
    for depth in (10_000, 1_000_000):
        await _refused(world, _nested(world, depth))
        await _refused(world, b"[" * depth)


@row("a manifest that could be pushed can be deleted, however deeply it is nested")
async def _(world: World) -> None:
    for depth in range(930, 1000):
        content = _nested(world, depth)
        if (await world.put(content)).status_code != 201:
            return
        answer = await world.ask("DELETE", f"/v2/{{repo}}/manifests/{digest_of(content)}")
        assert answer.status_code == 202, f"nested {depth} deep: {answer.text}"


@row("a manifest of a million values is refused, for it stops the instance while it is read")
async def _(world: World) -> None:
    values = b",".join([b"[]"] * 1_300_000)
    await _refused(world, world.image.manifest[:-1] + b', "many": [' + values + b"]}")


INVALID = {
    "nothing": b"",
    "text": b"not JSON",
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"schemaVersion": 2}'.encode("utf-16"),
    "octets that are not UTF-8": b'{"schemaVersion": 2, "a": "\xff"}',
    "gzip": b"\x1f\x8b\x08\x00",
}
for what, content in INVALID.items():
    asks(
        f"a manifest that is {what} is refused",
        *("PUT", "/v2/{repo}/manifests/new", 400, "MANIFEST_INVALID"),
        body=lambda _, content=content: content,  # type: ignore[misc]
        untouched=True,
        Content_Type=OCI_MANIFEST,
    )

for number in ("NaN", "-Infinity", "9" * 5000):

    @row(f"a manifest with the number {number[:9]} is refused")
    async def _(world: World, number: str = number) -> None:
        await _refused(world, world.image.manifest[:-1] + b', "x": ' + number.encode() + b"}")


WRONG: list[object] = [0, 1.5, True, "\ud800", [[]], [1], {"a": 1}, {"digest": 1}]
FIELDS = (
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "subject",
    "artifactType",
    "annotations",
)
for field in FIELDS:

    @row(f"a manifest whose {field} is of a wrong type is refused")
    async def _(world: World, field: str = field) -> None:
        for wrong in WRONG:
            document = {**json.loads(world.image.manifest), field: wrong}
            await _refused(world, json.dumps(document).encode())


WRONG_IN_DESCRIPTORS: dict[str, list[object]] = {
    "size": [-1, 1.5, 2**63, "1", True],
    "digest": ["", "sha256:", "md5:" + "0" * 32, "sha256:" + "A" * 64, ABSENT + "\n", None, 1],
    "mediaType": ["a" * 256, "a\nb", "\ud800", 1],
    "urls": ["x", [1], {}, [None]],
}
for field, values in WRONG_IN_DESCRIPTORS.items():

    @row(f"a descriptor with a wrong {field} is refused")
    async def _(world: World, field: str = field, values: list[object] = values) -> None:
        for wrong in values:
            document = json.loads(world.image.manifest)
            document["layers"][0][field] = wrong
            await _refused(world, json.dumps(document).encode())


for version in (1, 3, "2", 2.0, True, [2], None):
    refuses(
        f"a manifest of the schema version {version!r} is refused",
        lambda _, d, version=version: d.update(schemaVersion=version),  # type: ignore[misc]
    )


def _with_data(content: bytes, **changes: Any) -> dict[str, Any]:
    """The descriptor of a layer that brings its content with it."""
    return descriptor(OCI_LAYER, content) | {"data": b64encode(content).decode()} | changes


WRONG_DATA: dict[str, dict[str, Any]] = {
    "of another content": {"data": b64encode(b"other").decode()},
    "longer than its size": {"data": b64encode(b"layer and more").decode()},
    "that is not base64": {"data": "bGF5ZXI*"},
    "with a line break in it": {"data": "bGF5\nZXI="},
    "without its padding": {"data": "bGF5ZXI"},
    "that is no text": {"data": 1},
    "of the digest's content and another size": {"size": 6},
}
for what, changes in WRONG_DATA.items():
    refuses(
        f"a descriptor with data {what} is refused",
        lambda _, d, changes=changes: d["layers"].append(  # type: ignore[misc]
            _with_data(b"layer", **changes)
        ),
    )


@row("a descriptor with its content as data is taken, and comes back as it was sent")
async def _(world: World) -> None:
    layer = _with_data(world.image.layer)
    content = world.image.with_manifest(layers=[layer], config=_with_data(world.image.config))
    assert (await world.put(content.manifest)).status_code == 201
    assert (await world.ask("GET", "/v2/{repo}/manifests/new")).content == content.manifest


for where in ("config", "layer"):
    for size in (0, 1, 2**40):

        @row(f"a {where} said to have {size} bytes, which has more or fewer, is refused")
        async def _(world: World, where: str = where, size: int = size) -> None:
            document = json.loads(world.image.manifest)
            which = document["config"] if where == "config" else document["layers"][0]
            which["size"] = size
            await _refused(world, json.dumps(document).encode())


@row("a manifest that an index gives another size is refused")
async def _(world: World) -> None:
    await _refused(world, index_of([world.image.descriptor | {"size": 5}]), OCI_INDEX)


refuses(
    "a manifest that gives one layer two sizes is refused",
    lambda _, d: d["layers"].append(d["layers"][0] | {"size": 1}),
)


@row("what the registry does not know of a manifest comes back byte for byte")
async def _(world: World) -> None:
    unknown = {"x": [1.0, 1e5, "\u00e9\U0001f600", None, {"": {}}], "platform": {"os": "plan9"}}
    for indent, ascii_only in ((None, True), (7, False)):
        document = json.loads(world.image.manifest)
        document["layers"][0]["unknown"] = document["unknown"] = unknown
        content = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
        content = b"\n\t" + content + b" \r\n"
        assert (await world.put(content)).status_code == 201
        for client in (world.client, world.other):
            asked = replace(world, client=client)
            answer = await asked.ask("GET", "/v2/{repo}/manifests/new")
            assert answer.content == content
            assert answer.headers["docker-content-digest"] == digest_of(content)


@row("two thousand layers are taken and one more is refused")
async def _(world: World) -> None:
    layer = descriptor(OCI_LAYER, world.image.layer)
    assert (await world.put(world.image.with_manifest(layers=[layer] * 2000).manifest)).is_success
    answer = await world.put(world.image.with_manifest(layers=[layer] * 2001).manifest)
    assert (answer.status_code, _code(answer)) == (400, "MANIFEST_INVALID")


@row("once a manifest is refused, no storage call is made for it")
async def _(world: World) -> None:
    layers = [
        {"mediaType": OCI_LAYER, "digest": digest_of(b"absent %d" % number), "size": 1}
        for number in range(300)
    ]
    answer = await world.put(world.image.with_manifest(layers=layers).manifest)
    assert (answer.status_code, _code(answer)) == (400, "MANIFEST_BLOB_UNKNOWN")
    calls = world.client.registry.hook.total
    # Whatever it had under way has had its turn, and its answer, when storage has done all this.
    await world.other.push_image(f"{world.repository}-meanwhile")
    assert world.client.registry.hook.total == calls


# Digests, names, references, paths.


@row("a manifest under a digest that is not its own is refused and not stored")
async def _(world: World) -> None:
    before = await rows(world.client, world.repository)
    content = world.image.with_manifest(annotations={"a": "b"}).manifest
    for wrong in (ABSENT, digest_of(content + b" "), digest_of(b"", "sha512")):
        answer = await world.put(content, wrong)
        assert (answer.status_code, _code(answer)) == (400, "DIGEST_INVALID")
    assert await rows(world.client, world.repository) == before


NAMES = (
    "../x",
    "a/../b",
    "A",
    "a//b",
    "a" * 256,
    "%00",
    "a\nb",
    "a/",
    "/a",
    "-a",
    "a..b",
    "ä",
)
for name in NAMES:
    spelt = quote(quote(name, safe=""), safe="")
    asks(
        f"the name {name[:12]!r} is refused and storage not touched",
        *("GET", f"/v2/{spelt}/tags/list", 400, "NAME_INVALID"),
        untouched=True,
    )
for tag in ("a" * 129, "-a", ".a", "a b", "ä", "sha256:12", "md5:" + "0" * 32, "a%250A", "%2500"):
    asks(
        f"no manifest has the reference {tag[:12]!r}, and storage is not touched",
        *("GET", f"/v2/{{repo}}/manifests/{tag}", 404, "MANIFEST_UNKNOWN"),
        untouched=True,
    )
for tag in ("a" * 129, "-a", ".a", "ä"):
    asks(
        f"nothing can be pushed under the tag {tag[:12]!r}",
        *("PUT", f"/v2/{{repo}}/manifests/{tag}", 400, "TAG_INVALID"),
        body=lambda world: world.image.manifest,
        untouched=True,
        Content_Type=OCI_MANIFEST,
    )
for path in ("/v2/{repo}", "/v2/{repo}/manifests/", "/v2/{repo}/manifests/a/b/", "/v2/a/b"):
    asks(f"{path} is no endpoint", "GET", path, 404, "NOT_FOUND", untouched=True)
for path in ("/a" * 30_000, "/manifests/" * 5000, "/" + "a-" * 30_000, "/" + "-" * 60_000):

    @row(f"a path of {path[:11]!r} over and over is refused without a search")
    async def _(world: World, path: str = path) -> None:
        began = time.thread_time()
        assert (await world.ask("GET", f"/v2{path}/tags/list")).status_code in (400, 404)
        assert time.thread_time() - began < 1


@row("a Host that is no host is answered like any other, and not echoed")
async def _(world: World) -> None:
    for host in ("[", "[::1", "evil/?n=1#", "evil.example", "a b", "\xff", ""):
        path = "/v2/{repo}/tags/list?n=0"
        answer = await world.ask("GET", path, headers={"Host": host.encode("latin-1")})
        assert (answer.status_code, answer.json()["tags"]) == (200, [])


# Uploads.

RANGES = {
    "begins too late": "6-10",
    "overlaps": "3-7",
    "begins anew": "0-4",
    "is longer than the body": "5-10",
    "is shorter than the body": "5-8",
    "is backwards": "9-5",
    "is none": "abc",
    "has no end": "5-",
    "is huge": "5-999999999999999999999",
    "is two": "5-6,7-9",
}
for what, header in RANGES.items():

    @row(f"a chunk whose Content-Range {what} is 416 with the true Range, and the upload goes on")
    async def _(world: World, header: str = header) -> None:
        began = await world.client.begin(world.repository)
        location = (await world.client.patch(began, b"hello")).headers["location"]
        answer = await world.client.patch(location, b"world", **{"Content-Range": header})
        assert (answer.status_code, _code(answer)) == (416, "RANGE_INVALID")
        assert answer.headers["range"] == "0-4"
        headers = {"Content-Range": "5-9"}
        answer = await world.client.patch(answer.headers["location"], b"world", **headers)
        assert answer.status_code == 202
        digest = digest_of(b"helloworld")
        answer = await world.client.commit(answer.headers["location"], digest)
        assert answer.status_code == 201


@row("of the same chunk five times at once one is taken, and the blob is right")
async def _(world: World) -> None:
    content = b"z" * 100_000
    began = await world.client.begin(world.repository)
    headers = {"Content-Range": f"0-{len(content) - 1}"}
    sends = [client.patch(began, content, **headers) for client in [world.client, world.other] * 2]
    answers = await asyncio.gather(*sends)
    assert sorted(answer.status_code for answer in answers) == [202, 416, 416, 416]
    taken = next(answer for answer in answers if answer.status_code == 202)
    answer = await world.client.commit(taken.headers["location"], digest_of(content))
    assert answer.status_code == 201


@row("bytes that do not match the digest cannot be read")
async def _(world: World) -> None:
    client, right, wrong = world.client, digest_of(b"right"), digest_of(b"wrong")
    began = await client.begin(world.repository)
    streamed = (await client.patch(began, b"wrong")).headers["location"]
    single = f"/v2/{world.repository}/blobs/uploads/?digest={right}"
    client.may_read_back = True
    answers = [
        await client.commit(await client.begin(world.repository), right, b"wrong"),
        await client.commit(streamed, right),
        await client.commit(streamed, digest_of(b"right", "sha512")),
        await world.ask("POST", single, content=b"wrong"),
    ]
    assert [(a.status_code, _code(a)) for a in answers] == [(400, "DIGEST_INVALID")] * 4
    for digest in (right, wrong):
        assert (await world.ask("GET", f"/v2/{{repo}}/blobs/{digest}")).status_code == 404


@row("a commit without a digest, or with none that is known, is refused")
async def _(world: World) -> None:
    location = await world.client.begin(world.repository)
    for query in ("", "&digest=", "&digest=md5:0", "&digest=sha256:xyz"):
        answer = await world.ask("PUT", location + query, content=b"x")
        assert (answer.status_code, _code(answer)) == (400, "DIGEST_INVALID")


@row("no state but the one given out is taken")
async def _(world: World) -> None:
    location = await world.client.begin(world.repository)
    path, _, state = location.partition("?_state=")
    upload = path.rpartition("/")[2]
    first = "A" if state[0] != "A" else "B"
    tampered = [
        path,
        f"{path}?_state=",
        f"{path}?_state={first}{state[1:]}",
        f"{path}?_state={state[:-4]}",
        f"{path}?_state={state}=",
        f"{path}?_state={state}%C3%A9",
        f"{path}?_state={state}{'A' * 5000}",
        f"{path}?_state=x&_state={state}",
        location.replace(world.repository, f"{world.repository}/other"),
        location.replace(upload, "00000000-0000-0000-0000-000000000000"),
        location.replace(upload, "%2500"),
    ]
    for address in tampered:
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            separator = "&" if "?" in address else "?"
            url = f"{address}{separator}digest={digest_of(b'x')}"
            content = b"x" if method in ("PATCH", "PUT") else None
            answer = await world.ask(method, url, content=content)
            assert (answer.status_code, _code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN"), address
            assert world.client.cost == (0, 0)


@row("a session that was committed or cancelled is over")
async def _(world: World) -> None:
    client = world.client
    committed = (await client.patch(await client.begin(world.repository), b"x")).headers["location"]
    assert (await client.commit(committed, digest_of(b"x"))).status_code == 201
    cancelled = await client.begin(world.repository)
    assert (await world.ask("DELETE", cancelled)).status_code == 204
    for location in (committed, cancelled):
        for method in ("GET", "PATCH", "DELETE"):
            content = b"y" if method == "PATCH" else None
            answer = await world.ask(method, location, content=content)
            assert (answer.status_code, _code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


@row("a client that dies in a PATCH has committed nothing, learns how far it got and goes on")
async def _(world: World) -> None:
    client = world.client
    client.may_read_back = True
    content = b"d" * (APPEND_BLOCK + 100)
    location = await client.begin(world.repository)

    async def broken() -> AsyncIterator[bytes]:
        for piece in pieces_of(content[:-50]):
            yield piece
        raise ConnectionResetError("the client died")

    assert (await client.patch(location, broken())).status_code == 499
    assert (await world.ask("GET", f"/v2/{{repo}}/blobs/{digest_of(content)}")).status_code == 404
    status = await world.ask("GET", location)
    assert (status.status_code, status.headers["range"]) == (204, f"0-{APPEND_BLOCK - 1}")
    answer = await client.patch(status.headers["location"], pieces(content[APPEND_BLOCK:]))
    answer = await client.commit(answer.headers["location"], digest_of(content))
    assert answer.status_code == 201


asks(
    "a body shorter than announced is refused",
    *("POST", f"/v2/{{repo}}/blobs/uploads/?digest={digest_of(b'abc')}", 400, "SIZE_INVALID"),
    body=lambda _: b"abc",
    Content_Length="10",
)


@row("clients are asked for chunks of 4 MiB, and shorter ones are taken")
async def _(world: World) -> None:
    answer = await world.ask("POST", "/v2/{repo}/blobs/uploads/")
    assert answer.headers["oci-chunk-min-length"] == str(4 * MIB)
    for byte in (b"a", b"b"):
        answer = await world.client.patch(answer.headers["location"], byte)
    assert (answer.status_code, answer.headers["range"]) == (202, "0-1")


asks(
    "a digest algorithm that is not known is refused",
    *("POST", "/v2/{repo}/blobs/uploads/?digest-algorithm=md5", 400, "DIGEST_INVALID"),
)
asks(
    "a mount of a blob that a readable repository has needs no source",
    *("POST", "/v2/{repo}/new/blobs/uploads/?mount={layer}", 201),
)
for query in (
    "from={repo}",
    f"mount={ABSENT}",
    "mount={layer}&from=../x",
    "mount={layer}&from=nobody",
    f"mount={ABSENT}&from=a",
):
    asks(
        f"a mount by {query} begins an upload",
        *("POST", f"/v2/{{repo}}/new/blobs/uploads/?{query}", 202),
    )

# Whose blobs these are.

for method in ("GET", "HEAD", "DELETE"):
    for what in ("blobs/{layer}", "manifests/{manifest}", "manifests/latest"):

        @row(f"{method} of another repository's {what} is unknown")
        async def _(world: World, method: str = method, what: str = what) -> None:
            answer = await world.ask(method, f"/v2/{{repo}}/other/{what}")
            code = "BLOB_UNKNOWN" if "blobs" in what else "MANIFEST_UNKNOWN"
            assert answer.status_code == 404
            assert method == "HEAD" or _code(answer) == code


# Deleting, and what forbids it.


@row("with deletion switched off every deletion is 405")
async def _(world: World) -> None:
    async with connect(replace(world.settings, delete_enabled=False)) as client:
        without = replace(world, client=client)
        for what in ("blobs/{layer}", "manifests/latest", "manifests/{manifest}", "blobs/x"):
            answer = await without.ask("DELETE", f"/v2/{{repo}}/{what}")
            assert (answer.status_code, _code(answer)) == (405, "UNSUPPORTED")
    assert (await world.ask("GET", "/v2/{repo}/manifests/latest")).status_code == 200


LOCKS = {
    "a locked tag is not moved": ("t:latest", "WriteEnabled", "PUT", "latest"),
    "a locked tag is not deleted": ("t:latest", "WriteEnabled", "DELETE", "latest"),
    "a tag locked against deletion is not deleted": (
        *("t:latest", "DeleteEnabled", "DELETE", "latest"),
    ),
    "a locked manifest is not deleted": ("m:{manifest}", "WriteEnabled", "DELETE", "{manifest}"),
    "a manifest of a locked tag is not deleted": (
        *("t:latest", "DeleteEnabled", "DELETE", "{manifest}"),
    ),
    "nothing is pushed to a locked repository": ("h", "WriteEnabled", "PUT", "new"),
    "nothing of a locked repository is deleted": ("h", "WriteEnabled", "DELETE", "{manifest}"),
    "no tag of a locked repository is deleted": ("h", "WriteEnabled", "DELETE", "latest"),
    "a locked manifest gets no other tag": ("m:{manifest}", "WriteEnabled", "TAG", "other"),
    "nothing is read from a repository locked against reading": (
        *("h", "ReadEnabled", "GET", "{manifest}"),
    ),
    "a tag locked against reading is not read": ("t:latest", "ReadEnabled", "GET", "latest"),
    "a manifest locked against reading is not read": (
        *("m:{manifest}", "ReadEnabled", "GET", "{manifest}"),
    ),
}
for must, (key, column, method, reference) in LOCKS.items():

    @row(must)
    async def _(
        world: World,
        key: str = key,
        column: str = column,
        method: str = method,
        reference: str = reference,
    ) -> None:
        await world.lock(world.fill(key), column)
        asked = replace(world, client=world.other)  # Nothing cached from before the lock.
        if method == "TAG":
            answer = await asked.put(world.image.manifest, reference)
        elif method == "PUT":
            changed = world.image.with_manifest(annotations={"a": "b"}).manifest
            answer = await asked.put(changed, reference)
        else:
            answer = await asked.ask(method, f"/v2/{{repo}}/manifests/{reference}")
        assert (answer.status_code, _code(answer)) == (405, "REGISTRY_DISALLOWED_OPERATION")


@row("a repository that may not be deleted protects itself and not its images")
async def _(world: World) -> None:
    await world.lock("h", "DeleteEnabled")
    assert (await world.ask("DELETE", "/v2/{repo}/manifests/{manifest}")).status_code == 202
    answer = await world.ask("GET", "/v2/{repo}/tags/list")
    assert (answer.status_code, answer.json()["tags"]) == (200, [])


@row("a push that changes nothing is accepted whatever is locked")
async def _(world: World) -> None:
    for key in ("t:latest", "m:{manifest}", "h"):
        await world.lock(world.fill(key), "WriteEnabled")
        assert (await world.put(world.image.manifest, "latest")).status_code == 201


@row("a blob that a manifest needs is not deleted, and one that is gone is unknown")
async def _(world: World) -> None:
    answer = await world.ask("DELETE", "/v2/{repo}/blobs/{layer}")
    assert (answer.status_code, _code(answer)) == (405, "UNSUPPORTED")
    assert (await world.ask("DELETE", "/v2/{repo}/manifests/{manifest}")).status_code == 202
    answer = await world.ask("DELETE", "/v2/{repo}/manifests/{manifest}")
    assert (answer.status_code, _code(answer)) == (404, "MANIFEST_UNKNOWN")
    assert (await world.ask("DELETE", "/v2/{repo}/blobs/{layer}")).status_code == 202
    answer = await world.ask("DELETE", "/v2/{repo}/blobs/{layer}")
    assert (answer.status_code, _code(answer)) == (404, "BLOB_UNKNOWN")


# Secrets and sign-in.


@row("a sample or short secret keeps the app from starting, and the setting is named")
async def _(world: World) -> None:
    environment = {
        "RegistryStorage": "UseDevelopmentStorage=true",
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
    }
    for name in ("REGISTRY_ADMIN_PASSWORD", "REGISTRY_ADMIN_PASSWORD2"):
        for password in (
            "short",
            "Harbor12345",
            "changeme" * 4,
            "a" * 40,
            "<your password here!!>",
        ):
            with pytest.raises(SettingsError, match=f"^{name}:"):
                Settings.from_environment({**environment, name: password})


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@row("without sign-in, what exists and what does not answer alike, and storage is not touched")
async def _(world: World) -> None:
    user = b64encode(b"admin:").decode()
    attempts = (
        "",
        "Basic",
        "Basic !!!",
        f"Basic {user}",
        f"Bearer {user}",
        "Basic " + "A" * 100_000,
    )
    absent = "team/00000000/web"
    alike = (
        *(("/v2/",), ("/v2/_catalog",), ("/v2/NO//NAME", "/v2/no/route", "/v2/A/tags/list")),
        ("/v2/{repo}/tags/list", f"/v2/{absent}/tags/list"),
        ("/v2/{repo}/manifests/latest", f"/v2/{absent}/manifests/latest", "/v2/{repo}/manifests/x"),
        (
            "/v2/{repo}/blobs/{layer}",
            f"/v2/{{repo}}/blobs/{ABSENT}",
            f"/v2/{absent}/blobs/{ABSENT}",
        ),
        ("/v2/{repo}/blobs/uploads/", f"/v2/{absent}/blobs/uploads/"),
    )
    for method in METHODS:
        for attempt in attempts:
            for paths in alike:
                answers = {await _refused_alike(world, method, path, attempt) for path in paths}
                ((status, told, _),) = answers
                assert status == 401
                assert 'Bearer realm="http://localhost:7071/oauth2/token"' in told


async def _refused_alike(
    world: World, method: str, path: str, attempt: str
) -> tuple[int, str, str]:
    """The answer to somebody who has not signed in, less the name of the repository."""
    headers = {"Authorization": attempt, "X-Forwarded-Host": "evil.example"}
    http = world.client.http
    answer = await http.send(
        http.build_request(method, world.fill(path), headers=headers), auth=None
    )
    _check(world, method, answer)
    assert world.client.cost == (0, 0)
    told = dict(answer.headers)
    assert told.pop("x-ms-correlation-request-id")
    names = (world.repository, "team/00000000/web")
    text = answer.text if method != "HEAD" else ""
    for name in names:
        text = text.replace(name, "")
        told = {header: value.replace(name, "") for header, value in told.items()}
    return answer.status_code, str(sorted(told.items())), text


@row("no answer allows a page of another origin to read it")
async def _(world: World) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    for method in ("GET", "OPTIONS"):
        answer = await world.ask(method, "/v2/", headers=headers)
        assert "access-control-allow-origin" not in answer.headers


@row("a correlation id that is more than one is not taken over")
async def _(world: World) -> None:
    for given in ("a" * 65, "a\tb", "a,b", "<b>"):
        answer = await world.ask("GET", "/v2/", headers={"X-Ms-Correlation-Request-Id": given})
        assert answer.headers["x-ms-correlation-request-id"] != given


@row("a hundred probes at once ask storage once")
async def _(world: World) -> None:
    probes, registry = health.Health(), world.client.registry
    before = registry.hook.total
    answers = await asyncio.gather(*(probes.get(registry) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert registry.hook.total - before == 2  # Blobs and tables, in one round.


# Redirects and ranges.


async def _redirected(world: World, **headers: str) -> httpx.Response:
    """As a client follows a redirect: with the same headers."""
    answer = await world.ask("GET", "/v2/{repo}/blobs/{layer}", headers=headers)
    if answer.status_code != 307:
        return answer
    async with httpx.AsyncClient() as http:
        return await http.get(answer.headers["location"], headers=headers)


@row("a client that forwards its Authorization to the redirect's target is not failed by us")
async def _(world: World) -> None:
    answer = await _redirected(world, Authorization=str(_basic(world)))
    assert answer.status_code < 500


def _basic(world: World) -> str:
    admin = world.settings.admin
    assert admin
    return "Basic " + b64encode(f"{admin.username}:{admin.passwords[0]}".encode()).decode()


@row("a redirect may read one blob for minutes, writes nothing and names no repository")
async def _(world: World) -> None:
    answer = await world.ask("GET", "/v2/{repo}/blobs/{layer}")
    assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
    location = answer.headers["location"]
    assert world.repository not in location
    assert world.repository.split("/")[1] not in location
    query = dict(part.split("=", 1) for part in urlsplit(location).query.split("&"))
    assert (query["sp"], query["sr"]) == ("r", "b")
    container = location.partition("/uploads/")[0] + "?restype=container&comp=list&"
    async with httpx.AsyncClient() as http:
        assert (await http.get(location)).content == world.image.layer
        put = {"x-ms-blob-type": "BlockBlob"}
        assert (await http.put(location, content=b"x", headers=put)).status_code == 403
        assert (await http.delete(location)).status_code == 403
        assert (await http.get(container + urlsplit(location).query)).status_code == 403


BYTE_RANGES: dict[str, tuple[int, slice | None]] = {
    "bytes=0-0": (206, slice(0, 1)),
    "bytes=-1": (206, slice(-1, None)),
    "bytes=-99999": (206, slice(None)),
    "bytes=5-": (206, slice(5, None)),
    "bytes=0-99999": (206, slice(None)),
    "bytes=512-": (416, None),
    "bytes=99999-": (416, None),
    "bytes=-0": (416, None),
    "bytes=5-0": (416, None),
}
NO_RANGES: dict[str, tuple[int, slice | None]] = {
    "bytes=0-0,2-3": (200, slice(None)),
    "bytes=x-": (200, slice(None)),
    "lines=0-1": (200, slice(None)),
}
for redirect in (True, False):
    # Redirected, what is no range is storage's to judge: Azurite is lenient.
    for header, (status, part) in (BYTE_RANGES | ({} if redirect else NO_RANGES)).items():

        @row(f"{header} {'with' if redirect else 'without'} redirect is {status}")
        async def _(
            world: World,
            redirect: bool = redirect,
            header: str = header,
            status: int = status,
            part: slice | None = part,
        ) -> None:
            async with connect(replace(world.settings, blob_redirect=redirect)) as client:
                answer = await _redirected(replace(world, client=client), Range=header)
            assert answer.status_code == status
            if part is not None:
                assert answer.content == world.image.layer[part]


# What a client has already, and what it can read.

for what in ("manifests/latest", "manifests/{manifest}", "blobs/{layer}"):

    @row(f"{what}: its ETag is its digest, and who has it is answered 304 without content")
    async def _(world: World, what: str = what) -> None:
        digest = world.layer if "blobs" in what else world.image.digest
        for method in ("GET", "HEAD"):
            for asked in ('"{}"', 'W/"{}"', '"other", "{}"', '"a,b",W/"{}" , "c"', "*"):
                headers = {"If-None-Match": asked.format(digest)}
                answer = await world.ask(method, f"/v2/{{repo}}/{what}", headers=headers)
                assert (answer.status_code, answer.content) == (304, b"")
                assert answer.headers["etag"] == f'"{digest}"'
                assert answer.headers["docker-content-digest"] == digest

    @row(f"{what}: who has something else gets it")
    async def _(world: World, what: str = what) -> None:
        for asked in ('"other"', "", "x", f'"{ABSENT}"', '"', world.image.digest[:-1], ",,,"):
            headers = {"If-None-Match": asked}
            answer = await world.ask("GET", f"/v2/{{repo}}/{what}", headers=headers)
            assert answer.status_code in (200, 307)
            answer = await world.ask("HEAD", f"/v2/{{repo}}/{what}", headers=headers)
            assert answer.status_code == 200


@row("a tag that has moved is sent again")
async def _(world: World) -> None:
    headers = {"If-None-Match": f'"{world.image.digest}"'}
    content = world.image.with_manifest(annotations={"a": "b"}).manifest
    assert (await world.put(content, "latest")).status_code == 201
    answer = await world.ask("GET", "/v2/{repo}/manifests/latest", headers=headers)
    assert (answer.status_code, answer.content) == (200, content)


@row("what does not exist is 404, whatever the client has")
async def _(world: World) -> None:
    for what in (f"manifests/{ABSENT}", "manifests/none", f"blobs/{ABSENT}"):
        headers = {"If-None-Match": "*"}
        assert (await world.ask("GET", f"/v2/{{repo}}/{what}", headers=headers)).status_code == 404


KEPT = {
    "manifests/{manifest}": "private, max-age=31536000, immutable",
    "manifests/latest": "private, no-cache",
    "manifests/none": "no-store",
    f"blobs/{ABSENT}": "no-store",
    "blobs/{layer}": "no-store",  # Redirected, to an address that is good for minutes.
    "tags/list": "no-store",
    "referrers/{manifest}": "no-store",
}
for what, header in KEPT.items():

    @row(f"{what[:19]} may be kept as {header!r}")
    async def _(world: World, what: str = what, header: str = header) -> None:
        answer = await world.ask("GET", f"/v2/{{repo}}/{what}")
        assert answer.headers["cache-control"] == header


DOCKER_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
ACCEPTED = {
    "docker": ", ".join((*DOCKER_TYPES, "application/json", OCI_INDEX, OCI_MANIFEST)),
    "containerd": f"{DOCKER_TYPES[0]}, {DOCKER_TYPES[1]}, {OCI_MANIFEST}, {OCI_INDEX}, */*",
    "curl and Python": "*/*",
    "Java": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "a browser": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "az": f"*/*, {DOCKER_TYPES[0]}",
    "a client of any manifest": "application/*",
    "a client of JSON": "application/json",
    "a client of its type alone": OCI_MANIFEST,
    "a client that spells it in capitals": OCI_MANIFEST.upper(),
    "a client that gives it a quality": f"{DOCKER_TYPES[0]};q=1, {OCI_MANIFEST} ; q=0.001",
    "a client that thinks of something else": "text/plain",
    "a client that lists nothing": "",
    "nonsense": ",;q=,;;, =",
}
for who, accept in ACCEPTED.items():

    @row(f"the manifest is sent as it is to {who}")
    async def _(world: World, accept: str = accept) -> None:
        for method in ("GET", "HEAD"):
            for reference in ("latest", "{manifest}"):
                path = f"/v2/{{repo}}/manifests/{reference}"
                answer = await world.ask(method, path, headers={"Accept": accept})
                assert (answer.status_code, answer.headers["content-type"]) == (200, OCI_MANIFEST)
                assert answer.content == (world.image.manifest if method == "GET" else b"")


@row("the manifest is sent as it is to a client without Accept, and to one that sends it twice")
async def _(world: World) -> None:
    http, path = world.client.http, world.fill("/v2/{repo}/manifests/latest")
    request = http.build_request("GET", path)
    del request.headers["accept"]
    assert (await http.send(request)).content == world.image.manifest
    twice = [("Accept", DOCKER_TYPES[0]), ("Accept", OCI_MANIFEST)]
    assert (await http.get(path, headers=twice)).content == world.image.manifest


NOT_ACCEPTED = {
    "a docker from before OCI": ", ".join(DOCKER_TYPES),
    "a client of indexes": OCI_INDEX,
    "a client of artifact manifests": "application/vnd.oci.artifact.manifest.v1+json",
    "a client that excludes it": f"*/*, {OCI_MANIFEST};q=0",
    "a client that excludes it alone": f"{OCI_MANIFEST};q=0.000",
}
for who, accept in NOT_ACCEPTED.items():

    @row(f"{who}: is told what the manifest is, and not sent another")
    async def _(world: World, accept: str = accept) -> None:
        path, headers = "/v2/{repo}/manifests/latest", {"Accept": accept}
        answer = await world.ask("GET", path, headers=headers)
        assert (answer.status_code, _code(answer)) == (404, "MANIFEST_UNKNOWN")
        assert answer.json()["errors"][0]["detail"] == {"mediaType": OCI_MANIFEST}
        headers["If-None-Match"] = "*"
        assert (await world.ask("GET", path, headers=headers)).status_code == 404
        assert (await world.ask("HEAD", path, headers=headers)).status_code == 404


# Referrers.


@row("a page of referrers leads to the next, whatever comes and goes, and keeps its filter")
async def _(world: World) -> None:
    subject = world.image.descriptor
    made = []
    for number in range(7):
        kind = f"application/vnd.example.{number % 2}"
        content = world.image.with_manifest(
            subject=subject, artifactType=kind, annotations={"number": str(number)}
        ).manifest
        assert (await world.put(content, digest_of(content))).status_code == 201
        made.append((digest_of(content), kind))
    for kind in ("", "application/vnd.example.1"):
        expected = sorted(digest for digest, its in made if kind in ("", its))
        path = f"/v2/{{repo}}/referrers/{{manifest}}?n=2&artifactType={quote(kind, safe='')}"
        found: list[str] = []
        while path:
            answer = await world.ask("GET", path)
            assert answer.headers.get("oci-filters-applied") == ("artifactType" if kind else None)
            page = [entry["digest"] for entry in answer.json()["manifests"]]
            assert len(page) <= 2
            found += page
            path = answer.links.get("next", {}).get("url", "")
            assert path == "" or path.startswith(world.fill("/v2/{repo}/referrers/{manifest}?"))
        assert found == expected
    gone = made[0][0]
    assert (await world.ask("DELETE", f"/v2/{{repo}}/manifests/{gone}")).status_code == 202
    answer = await world.ask("GET", f"/v2/{{repo}}/referrers/{{manifest}}?last={gone}")
    left = [entry["digest"] for entry in answer.json()["manifests"]]
    assert left == sorted(digest for digest, _ in made if digest > gone)


@row("a manifest whose subject does not exist is stored, and answered with OCI-Subject")
async def _(world: World) -> None:
    subject = {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 5}
    answer = await world.put(world.image.with_manifest(subject=subject).manifest)
    assert (answer.status_code, answer.headers["oci-subject"]) == (201, ABSENT)
    listed = (await world.ask("GET", f"/v2/{{repo}}/referrers/{ABSENT}")).json()["manifests"]
    assert [entry["digest"] for entry in listed] == [answer.headers["docker-content-digest"]]


@row("a filter by type finds it whatever its case, and with a bare plus sign")
async def _(world: World) -> None:
    content = world.image.with_manifest(
        subject=world.image.descriptor, artifactType="application/spdx+json"
    ).manifest
    assert (await world.put(content, digest_of(content))).status_code == 201
    for spelt in ("application/spdx+json", "application%2Fspdx%2Bjson", "Application/SPDX+JSON"):
        answer = await world.ask("GET", f"/v2/{{repo}}/referrers/{{manifest}}?artifactType={spelt}")
        assert [entry["digest"] for entry in answer.json()["manifests"]] == [digest_of(content)]
    answer = await world.ask("GET", "/v2/{repo}/referrers/{manifest}?artifactType=a/spdx%20json")
    assert answer.json()["manifests"] == []


FOREIGN_DIGESTS = ("sha384:" + "0" * 96, "multihash+base58:QmRZxt2b=1_a-b")


@row("a digest of another algorithm is kept in a subject, lists its referrers, and goes with them")
async def _(world: World) -> None:
    for text in FOREIGN_DIGESTS:
        subject = {"mediaType": OCI_MANIFEST, "digest": text, "size": 5}
        content = world.image.with_manifest(subject=subject).manifest
        answer = await world.put(content, digest_of(content))
        assert (answer.status_code, answer.headers["oci-subject"]) == (201, text)
        path = f"/v2/{{repo}}/referrers/{text}"
        listed = (await world.ask("GET", path)).json()["manifests"]
        assert [entry["digest"] for entry in listed] == [digest_of(content)]
        gone = await world.ask("DELETE", f"/v2/{{repo}}/manifests/{digest_of(content)}")
        assert gone.status_code == 202
        assert (await world.ask("GET", path)).json()["manifests"] == []
    left = await rows(world.client, world.repository)
    assert not any(text in key for key in left for text in FOREIGN_DIGESTS)


@row("a digest of another algorithm is kept in a child of an index, and goes with it")
async def _(world: World) -> None:
    children = [{"mediaType": OCI_MANIFEST, "digest": each, "size": 5} for each in FOREIGN_DIGESTS]
    content = index_of([world.image.descriptor, *children])
    assert (await world.put(content, "index", OCI_INDEX)).status_code == 201
    answer = await world.ask("GET", "/v2/{repo}/manifests/index")
    assert answer.content == content
    held = await rows(world.client, world.repository)
    assert {f"c:{text}:{digest_of(content)}" for text in FOREIGN_DIGESTS} <= held.keys()
    gone = await world.ask("DELETE", f"/v2/{{repo}}/manifests/{digest_of(content)}")
    assert gone.status_code == 202
    left = await rows(world.client, world.repository)
    assert not any(text in key for key in left for text in FOREIGN_DIGESTS)


for text in FOREIGN_DIGESTS:
    for what in ("blobs", "manifests"):
        asks(
            f"{what} of {text[:9]} do not exist",
            *("GET", f"/v2/{{repo}}/{what}/{text}", 400 if what == "blobs" else 404),
            "DIGEST_INVALID" if what == "blobs" else "MANIFEST_UNKNOWN",
        )


@row("null is a member that is absent, and the bytes stay as they are")
async def _(world: World) -> None:
    document = json.loads(world.image.manifest)
    document |= dict.fromkeys(("artifactType", "mediaType"))
    document |= {"subject": world.image.descriptor, "annotations": {"a": None, "b": "c"}}
    document["layers"][0] |= dict.fromkeys(("size", "urls", "annotations", "data"))
    content = json.dumps(document).encode()
    assert (await world.put(content)).status_code == 201
    assert (await world.ask("GET", "/v2/{repo}/manifests/new")).content == content
    listed = (await world.ask("GET", "/v2/{repo}/referrers/{manifest}")).json()["manifests"]
    assert [entry["annotations"] for entry in listed] == [{"b": "c"}]
    assert [entry["artifactType"] for entry in listed] == [OCI_CONFIG]


@row("the case of a manifest's media type does not count")
async def _(world: World) -> None:
    odd = OCI_MANIFEST.replace("oci", "OCI")
    assert (await world.put(world.image.manifest, media_type=odd)).status_code == 201
    for accept in (odd, OCI_MANIFEST):
        answer = await world.ask("GET", "/v2/{repo}/manifests/new", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, OCI_MANIFEST)


asks("nothing refers to what does not exist", "GET", f"/v2/none/referrers/{ABSENT}", 200)
for digest in ("x", "sha256:12", "latest", "MD5:" + "0" * 32, "md5:", "a:b!c", "md5:" + "0" * 252):
    asks(
        f"referrers of {digest[:9]} are refused",
        *("GET", f"/v2/{{repo}}/referrers/{digest}", 400, "DIGEST_INVALID"),
        untouched=True,
    )

# Many tags at once.


@row("ten tags at once are each set and each answered with OCI-Tag")
async def _(world: World) -> None:
    tags = [f"t{number}" for number in range(10)]
    query = "&".join(f"tag={tag}" for tag in tags)
    answer = await world.put(world.image.manifest, f"{{manifest}}?{query}")
    assert (answer.status_code, answer.headers.get_list("oci-tag")) == (201, tags)
    listed = (await world.ask("GET", "/v2/{repo}/tags/list")).json()["tags"]
    assert listed == sorted(["latest", *tags])


@row("one tag two thousand times is one tag, answered once")
async def _(world: World) -> None:
    query = "&".join(["tag=t"] * 2000)
    answer = await world.put(world.image.manifest, f"{{manifest}}?{query}")
    assert (answer.status_code, answer.headers.get_list("oci-tag")) == (201, ["t"])


MANY_TAGS = {
    "a thousand tags": ([f"t{number}" for number in range(1000)], (400, 414)),
    "three thousand tags": ([f"t{number}" for number in range(3000)], (400, 414)),
    "a bad tag among good ones": (["good", "-bad", "better"], (400,)),
    "an empty tag": (["good", ""], (400,)),
    "a tag with a line break": (["good", "a%0D%0ASet-Cookie:a"], (400,)),
}
for what, (tags, statuses) in MANY_TAGS.items():

    @row(f"{what}: refused, and none is set")
    async def _(world: World, tags: list[str] = tags, statuses: tuple[int, ...] = statuses) -> None:
        query = "&".join(f"tag={tag}" for tag in tags)
        answer = await world.put(world.image.manifest, f"{{manifest}}?{query}")
        assert "set-cookie" not in answer.headers
        assert (await world.ask("GET", "/v2/{repo}/tags/list")).json()["tags"] == ["latest"]
        assert answer.status_code in statuses


@pytest.mark.parametrize("must", ROWS)
async def test_the_registry_survives(
    client: Client, other: Client, settings: Settings, repository: str, must: str
) -> None:
    image = await client.push_image(repository)
    await ROWS[must](World(client, other, settings, repository, image))
