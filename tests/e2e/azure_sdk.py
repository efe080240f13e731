"""The `azure-containerregistry` SDK in both its flavours, which the tests write to in one way.

The SDK is not modified. What is here calls its methods by their own names, with their arguments.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Self

from azure.containerregistry import ContainerRegistryClient
from azure.containerregistry.aio import ContainerRegistryClient as AsyncContainerRegistryClient
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential

from tests.e2e.world import Somebody
from tests.entra_issuer import ACR

FLAVOURS = {"sync": ContainerRegistryClient, "aio": AsyncContainerRegistryClient}


def public_methods(flavour: str) -> set[str]:
    """The names of all that a program may call on the SDK's client."""
    members = inspect.getmembers(FLAVOURS[flavour], callable)
    return {name for name, _ in members if not name.startswith("_")}


class _AsyncSomebody(AsyncTokenCredential):
    """The same somebody, to the asynchronous client."""

    def __init__(self, somebody: Somebody) -> None:
        self._somebody = somebody

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        return self._somebody.get_token(*scopes)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""


class Sdk:
    """One client of the SDK: its methods, all to be awaited, and which of them were called."""

    def __init__(
        self, flavour: str, address: str, somebody: Somebody | None, **options: Any
    ) -> None:
        credential = _AsyncSomebody(somebody) if somebody and flavour == "aio" else somebody
        self.called: set[str] = set()
        make: Any = FLAVOURS[flavour]
        self._client = make(f"https://{address}", credential, audience=ACR, **options)
        self._is_async = flavour == "aio"

    async def __aenter__(self) -> Self:
        if self._is_async:
            await self._client.__aenter__()
        else:
            self._client.__enter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what `close` leaves open as well: the connections that tokens came by."""
        if self._is_async:
            await self._client.__aexit__()
        else:
            self._client.__exit__()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._client, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            self.called.add(name)
            answer = method(*arguments, **options)
            return await answer if inspect.isawaitable(answer) else answer

        return call


async def everything(found: Any) -> list[Any]:
    """What there is to iterate over, in either flavour."""
    if hasattr(found, "__aiter__"):
        return [each async for each in found]
    return list(found)


async def pages(found: Any) -> list[list[Any]]:
    """A listing, page by page."""
    return [await everything(page) for page in await everything(found.by_page())]


async def _pull(flavour: str, address: str, repository: str, tag: str) -> None:
    async with Sdk(flavour, address, None) as client:
        print((await client.get_manifest(repository, tag)).digest)


if __name__ == "__main__":
    # Without a credential, the asynchronous client takes no word for whom to trust: it asks the
    # environment of its process (SSL_CERT_FILE), and before anything else is done.
    asyncio.run(_pull(*sys.argv[1:]))
