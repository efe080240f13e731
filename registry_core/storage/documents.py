"""Small objects that are read and written whole, each on its version."""

from __future__ import annotations

from typing import Any

from azure.core import MatchConditions

from registry_core.storage.connection import Connection
from registry_core.storage.faults import NO_RETRY, RowMissing, StoreMissing, reading, translated


class Documents:
    """One container of such objects. It is made when the first is written."""

    def __init__(self, connection: Connection, container: str) -> None:
        self._connection = connection
        self._name = container
        self._container = connection.container(container)

    async def read(self, name: str) -> tuple[bytes, str] | None:
        """The content of a document and its version; None if there is none."""
        try:
            with reading():
                stream = await self._container.download_blob(name)
                content: bytes = await stream.readall()
        except (RowMissing, StoreMissing):
            return None
        return content, stream.properties.etag or ""

    async def write(self, name: str, content: bytes, version: str = "") -> None:
        """Replaces `version`; without one, the document must not exist.

        Raises `ConditionFailed` or `RowExists` where somebody else was faster, and `Ambiguous`.
        """
        condition: dict[str, Any] = {"overwrite": False}
        if version:
            unchanged = MatchConditions.IfNotModified
            condition = {"overwrite": True, "etag": version, "match_condition": unchanged}
        for _ in range(2):
            try:
                with translated():
                    await self._container.upload_blob(name, content, **condition, **NO_RETRY)
                return
            except StoreMissing:  # By the command line, before the registry was ever started.
                await self._connection.make(containers=(self._name,))
