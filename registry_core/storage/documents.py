"""Small objects that are read and written whole, each on its version."""

from __future__ import annotations

from collections.abc import Mapping

from registry_core.storage.calls import Request
from registry_core.storage.connection import Connection
from registry_core.storage.faults import RowMissing, StoreMissing
from registry_core.storage.objects import address

SYSTEM = "system"
"""The container of what all instances must agree on: keys and policies."""


class Documents:
    """One container of such objects. It is made when the first is written."""

    def __init__(self, connection: Connection, container: str) -> None:
        self._connection = connection
        self._name = container

    def _url(self, name: str) -> str:
        return address(self._connection.blobs.url, self._name, name)

    async def read(self, name: str) -> tuple[bytes, str] | None:
        """The content of a document and its version; None if there is none."""
        try:
            return await self._connection.blobs.read(
                Request("GET", self._url(name)),
                lambda answer: (answer.body, answer.headers.get("ETag", "")),
            )
        except (RowMissing, StoreMissing):
            return None

    async def write(self, name: str, content: bytes, version: str = "") -> None:
        """Replaces `version`; without one, the document must not exist.

        Raises `ConditionFailed` or `RowExists` where somebody else was faster, and `Ambiguous`.
        """
        condition = {"If-Match": version} if version else {"If-None-Match": "*"}
        try:
            await self._put(name, content, condition)
        except StoreMissing:  # By the command line, before the registry was ever started.
            await self._connection.make(containers=(self._name,))
            await self._put(name, content, condition)

    async def _put(self, name: str, content: bytes, condition: Mapping[str, str]) -> None:
        headers = {"x-ms-blob-type": "BlockBlob", **condition}
        await self._connection.blobs.write(Request("PUT", self._url(name), headers, content))
