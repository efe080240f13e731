"""A registry with something of everything, and what can be seen of a registry."""

from __future__ import annotations

import secrets
from typing import Any

from registry_core.lifecycle.backup.restore import Ready, Restores
from registry_core.lifecycle.backup.shelves import Shelf
from registry_core.repositories import catalog, rows
from registry_core.repositories.check import check
from registry_core.repositories.rows import StoredManifest
from registry_core.storage import keys
from registry_core.system import System
from tests.integration.core.soft import keeping
from tests.integration.core.support import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Client,
    Image,
    descriptor,
    digest_of,
    index_of,
    push_blobs,
)
from tests.integration.explorer.world import World

LARGE = 600 * 1024
"""More than a row takes."""


async def put(
    client: Client, repository: str, reference: str, content: bytes, kind: str = OCI_MANIFEST
) -> None:
    answer = await client.put_manifest(repository, reference, content, kind)
    assert answer.status_code == 201, answer.text


async def set_attributes(client: Client, path: str, **attributes: bool) -> None:
    answer = await client.send("PATCH", f"/acr/v1/{path}", json=attributes)
    assert answer.status_code == 200, answer.text


async def fill(client: Client) -> None:
    """Pushes, locks and deletes something of each kind that there is."""
    await _images(client, "team/web")
    await _indexes(client, "team/multi")
    await _locked(client, "locked")
    await _deleted(client)
    await delete_softly(client)


async def _images(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "v1")
    await put(client, repository, "v2", image.manifest)
    await client.push_image(repository, "")
    large = image.with_manifest(annotations={"much": "a" * LARGE})
    await put(client, repository, "large", large.manifest)
    # The same layer in another repository, and an empty one.
    other = f"{repository}-copy"
    for blob in image.blobs:
        query = {"mount": digest_of(blob), "from": repository}
        answer = await client.send("POST", f"/v2/{other}/blobs/uploads/", params=query)
        assert answer.status_code == 201
    await put(client, other, "v1", image.manifest)
    empty = Image(image.config, b"", b"").with_manifest()
    await push_blobs(client, other, empty)
    await put(client, other, "empty", empty.manifest)


async def _indexes(client: Client, repository: str) -> None:
    children = [await client.push_image(repository, "") for _ in range(2)]
    index = index_of(each.descriptor for each in children)
    await put(client, repository, "all", index, OCI_INDEX)
    subject = descriptor(OCI_INDEX, index)
    await client.push_image(repository, "", subject=subject, annotations={"by": "somebody"})
    many = {f"a{number}": "x" * 200 for number in range(100)}
    await client.push_image(repository, "", subject=subject, annotations=many)
    # A cache in the form of an index: it names blobs as if they were manifests.
    layer = secrets.token_bytes(300)
    await client.push_blob(repository, layer)
    cache = index_of([descriptor(OCI_LAYER, layer), descriptor(OCI_CONFIG, b"not there")])
    await put(client, repository, "cache", cache, OCI_INDEX)


async def _locked(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "v1")
    await client.push_image(repository, "v2")
    await set_attributes(client, f"{repository}/_tags/v1", writeEnabled=False)
    await set_attributes(client, f"{repository}/_manifests/{image.digest}", deleteEnabled=False)
    await client.push_image("hidden", "v1")
    await set_attributes(client, "hidden", listEnabled=False)
    await set_attributes(client, repository, writeEnabled=False)


async def _deleted(client: Client) -> None:
    gone = await client.push_image("team/web", "gone")
    answer = await client.send("DELETE", f"/v2/team/web/manifests/{gone.digest}")
    assert answer.status_code == 202
    await client.push_image("gone", "v1")
    answer = await client.send("DELETE", "/acr/v1/gone")
    assert answer.status_code == 202


async def delete_softly(client: Client) -> dict[str, Image]:
    """Deletes images that can be restored: one of several, and a whole repository."""
    images = {name: await client.push_image(name, "kept") for name in ("team/soft", "soft")}
    await client.push_image("team/soft", "v1")
    async with keeping(client):
        of_one = f"/v2/team/soft/manifests/{images['team/soft'].digest}"
        for path in (of_one, "/acr/v1/soft"):
            answer = await client.send("DELETE", path)
            assert answer.status_code == 202, answer.text
    return images


async def repositories(client: Client, partition: str = catalog.PARTITION) -> list[str]:
    """All of them, hidden ones too; or those in which something can be restored."""
    table = client.services.connection.table(catalog.TABLE)
    found = await table.query(partition, "\x20", keys.AFTER_ALL)
    return [keys.decode(row.key) for row in found]


async def picture(client: Client) -> dict[str, Any]:
    """All that clients can see of a registry: answers byte for byte, times, locks, listings."""
    client.forget()
    listed = await _get(client, "/v2/_catalog")
    deleted = await _get(client, "/acr/v1/_deleted/_catalog")
    return {
        "listed": listed,
        "deleted": {
            each: await _of_deleted(client, each) for each in deleted["repositories"] or ()
        },
        **{each: await _of_repository(client, each) for each in await repositories(client)},
    }


async def _get(client: Client, path: str, **headers: str) -> Any:
    answer = await client.send("GET", path, headers=headers)
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
    return answer.json()


async def _of_repository(client: Client, name: str) -> dict[str, Any]:
    accept = f"{OCI_MANIFEST}, {OCI_INDEX}"
    tags = await _get(client, f"/acr/v1/{name}/_tags")
    found = (await _get(client, f"/acr/v1/{name}/_manifests?orderby=timedesc"))["manifests"]
    contents, referrers, blobs = {}, {}, {}
    for each in found:
        digest = each["digest"]
        answer = await client.send(
            "GET", f"/v2/{name}/manifests/{digest}", headers={"Accept": accept}
        )
        assert answer.status_code == 200, answer.text
        contents[digest] = answer.content, answer.headers["content-type"]
        referrers[digest] = await _get(client, f"/v2/{name}/referrers/{digest}")
    for digest in sorted(await needed(client, name)):
        answer = await client.send("GET", f"/v2/{name}/blobs/{digest}")
        blobs[digest] = answer.status_code, answer.content if answer.status_code == 200 else b""
    return {
        "itself": await _get(client, f"/acr/v1/{name}"),
        "tags": tags,
        "tagsByTime": await _get(client, f"/acr/v1/{name}/_tags?orderby=timeasc"),
        "manifests": found,
        "contents": contents,
        "referrers": referrers,
        "blobs": blobs,
    }


async def _of_deleted(client: Client, name: str) -> dict[str, Any]:
    return {
        what: await _get(client, f"/acr/v1/_deleted/{name}/_{what}")
        for what in ("tags", "manifests")
    }


async def needed(client: Client, name: str) -> set[str]:
    """The digests that the manifests of a repository need, those too that can be restored."""
    table = client.services.connection.table(rows.TABLE)
    first, end = rows.MANIFESTS.first, rows.MANIFESTS.end
    found = await table.query(keys.encode(name), first, end)
    kept = [StoredManifest.from_row(row) for row in found if rows.is_source(row)]
    return {str(blob.digest) for manifest in kept for blob in manifest.blobs}


async def unsound(client: Client) -> list[str]:
    """What is not as it must be, of the rows and the bytes of all repositories."""
    wrong = []
    deleted = await repositories(client, catalog.DELETED)
    for name in sorted({*await repositories(client), *deleted}):
        digests = await needed(client, name)
        world = await World.read(client, name, digests, own=digests)
        wrong += [f"{name} {found.key}: {found.text}" for found in check(world.snapshot)]
        wrong += [f"{name}: the bytes of {digest} are missing" for digest in world.missing]
    return wrong


async def restore(
    target: Client, shelf: Shelf, backup: str | None = None, content: Shelf | None = None
) -> Ready:
    """Restores a backup into the registry of a client."""
    restores = Restores(target.services.connection, shelf, content)
    ready = await restores.check(backup, reads=True)
    await restores.run(ready, System(target.services.connection).open)
    return ready
