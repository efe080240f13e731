"""The opponent: one client that appends block after block to an append blob, and nothing else.

It speaks HTTP through `http.client`, which hands a block to the kernel in one call: of the clients
tried (this, aiohttp, the SDK) none is faster.
"""

import http.client
import secrets
import time
from datetime import UTC, datetime, timedelta

from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from bench.client import answered
from devhost.processes.azurite import ACCOUNT_KEY, ACCOUNT_NAME, Azurite
from registry_core.storage.objects import APPEND_BLOCK

_CONTAINER = "raw"
_VERSION = {"x-ms-version": "2021-12-02"}


class RawAppends:
    """Appends blocks of the registry's size to blobs in a container of its own."""

    def __init__(self, azurite: Azurite) -> None:
        self._port = azurite.blob_port
        self._block = secrets.token_bytes(APPEND_BLOCK)
        self._signature = generate_account_sas(
            ACCOUNT_NAME,
            ACCOUNT_KEY,
            ResourceTypes(container=True, object=True),
            AccountSasPermissions(create=True, write=True, add=True),
            datetime.now(UTC) + timedelta(hours=8),
        )
        connection = self._connect()
        self._put(connection, "", "restype=container")
        connection.close()

    def append(self, size: int) -> float:
        """Appends `size` bytes, whole blocks, to a new blob; answers the seconds it took.

        They include the blob's creation, as those of a streamed upload do.
        """
        blob = f"/{secrets.token_hex(16)}"
        connection = self._connect()
        try:
            began = time.perf_counter()
            self._put(connection, blob, "", {"x-ms-blob-type": "AppendBlob"})
            for _ in range(size // APPEND_BLOCK):
                self._put(connection, blob, "comp=appendblock", content=self._block)
            return time.perf_counter() - began
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port)

    def _put(
        self,
        connection: http.client.HTTPConnection,
        blob: str,
        query: str,
        headers: dict[str, str] | None = None,
        content: bytes = b"",
    ) -> None:
        connection.request(
            "PUT",
            f"/{ACCOUNT_NAME}/{_CONTAINER}{blob}?{query}&{self._signature}",
            body=content,
            headers=_VERSION | (headers or {}),
        )
        answered(connection, 201)
