"""What sends requests over connections of its own, whichever way these lead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Self

from registry_core.storage.client.connection import Reply

CONNECT_SECONDS = 5
"""The longest that it may take until a connection is there."""
MOST_CONNECTIONS = 100
"""The most connections to one origin at once."""


class Connections(ABC):
    """Connections to any number of origins. Used on one event loop; `close` when done."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @abstractmethod
    async def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | memoryview = b"",
        moved: Callable[[], None] | None = None,
        most: int | None = None,
    ) -> Reply:
        """Sends a request once, and answers the response whole: of at most `most` bytes.

        `moved` is called whenever bytes have gone out or come in.

        Raises `OSError` if there is no connection or it breaks: then nobody knows what was done.
        `TooLarge` is one. `ValueError` if the request cannot be sent as it is.
        """

    @abstractmethod
    async def close(self) -> None:
        """Closes every connection."""
