"""The list of repositories through the edge, and what is in it."""

from collections.abc import AsyncIterator

import httpx

from tests.integration.core.support import Client


async def pages_of(client: Client, url: str) -> AsyncIterator[httpx.Response]:
    """The answer at `url`, and those that `Link` leads to from there."""
    while url:
        answer = await client.send("GET", url)
        yield answer
        url = answer.links.get("next", {}).get("url", "")


async def test_repositories_come_in_the_order_of_their_plain_names(
    client: Client, repository: str
) -> None:
    names = [f"{repository}{suffix}" for suffix in ("", "-x", ".x", "/x", "0", "_x")]
    for name in names:
        await client.push_image(name)
    listed = []
    async for answer in pages_of(client, "/v2/_catalog?n=2"):
        listed += answer.json()["repositories"]
    assert [name for name in listed if name.startswith(repository)] == sorted(names)
    assert listed == sorted(listed)


async def test_blobs_alone_do_not_make_a_repository(client: Client, repository: str) -> None:
    await client.push_blob(repository, b"content")
    assert (await client.send("GET", f"/v2/{repository}/tags/list")).status_code == 404
