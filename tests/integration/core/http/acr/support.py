"""What the tests of `/acr/v1` share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx

from tests.integration.core.support import Client, Image

ALL_TRUE = {
    "deleteEnabled": True,
    "writeEnabled": True,
    "readEnabled": True,
    "listEnabled": True,
}
ALL_FALSE = dict.fromkeys(ALL_TRUE, False)


async def get(client: Client, path: str, **query: str) -> Any:
    """What `/acr/v1` says."""
    answer = await client.send("GET", f"/acr/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def pages(client: Client, url: str) -> AsyncIterator[httpx.Response]:
    """The answer at `url`, and those that `Link` leads to from there."""
    while url:
        answer = await client.send("GET", url)
        assert answer.status_code == 200, answer.text
        yield answer
        url = answer.links.get("next", {}).get("url", "")


async def walk(client: Client, url: str, field: str, key: str) -> list[list[str]]:
    """The names in each page of a listing."""
    found = [answer.json()[field] async for answer in pages(client, url)]
    return [[entry[key] for entry in page or ()] for page in found]


async def tag(client: Client, repository: str, image: Image, *names: str) -> None:
    """Sets tags one after the other: each is later than the one before."""
    for name in names:
        answer = await client.put_manifest(repository, name, image.manifest)
        assert answer.status_code == 201, answer.text


def error(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and message."""
    (found,) = answer.json()["errors"]
    return answer.status_code, found["code"], found["message"]
