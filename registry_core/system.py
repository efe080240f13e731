"""What all instances must agree on before the first request: the schema and the secret keys."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from base64 import b64decode, b64encode

from registry_core.access import signing_keys, store
from registry_core.blobs import rows as blob_rows
from registry_core.errors import Unavailable
from registry_core.repositories import catalog, messages
from registry_core.repositories import rows as repository_rows
from registry_core.storage import tables
from registry_core.storage.connection import Connection
from registry_core.storage.documents import Documents
from registry_core.storage.faults import RowExists, StoreMissing

SCHEMA_VERSION = 2
"""The version of all rows and objects that this code reads and writes."""
TABLES = (repository_rows.TABLE, blob_rows.TABLE, catalog.TABLE, store.TABLE)
CONTAINERS = (blob_rows.CONTAINER, signing_keys.CONTAINER)
QUEUES = (messages.QUEUE,)

SCHEMA_PARTITION, SCHEMA = "schema", "schema"
_UPLOAD_KEYS = "keys/upload-state.json"
_KEY_BYTES = 32


class SchemaError(Unavailable):
    """Storage was written by a version that this code does not know; it touches nothing."""


class System:
    """The `system` container and the `schema` row."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._catalog = connection.table(catalog.TABLE)
        self._documents = Documents(connection, signing_keys.CONTAINER)

    async def open(self) -> dict[int, bytes]:
        """Checks the schema, making everything on an empty account; answers the upload keys.

        One round where the registry exists already. Raises `SchemaError`.
        """
        known, upload_keys = await asyncio.gather(self.schema_version(), self._read_upload_keys())
        if known is None:
            await self._connection.make(TABLES, CONTAINERS, QUEUES)
            known = await self._write_schema()
        if known != SCHEMA_VERSION:
            raise SchemaError(
                f"storage has schema version {known}, but this release needs version "
                f"{SCHEMA_VERSION}: deploy the release that wrote it"
            )
        return upload_keys or await self._make_upload_keys()

    async def is_there(self) -> bool:
        """Whether tables and blobs answer, and hold a registry. One round."""
        known, upload_keys = await asyncio.gather(self.schema_version(), self._read_upload_keys())
        return known is not None and upload_keys is not None

    async def upload_keys(self) -> dict[int, bytes]:
        """The keys that seal the states of uploads. Raises `LookupError` if there are none."""
        if (found := await self._read_upload_keys()) is None:
            raise LookupError(_UPLOAD_KEYS)
        return found

    async def schema_version(self) -> int | None:
        """The version that storage was written by; None if nothing is there."""
        try:
            row = await self._catalog.get(SCHEMA_PARTITION, SCHEMA)
        except StoreMissing:
            return None
        return row.number("Version") if row else None

    async def _write_schema(self) -> int:
        row = tables.insert(SCHEMA, Version=SCHEMA_VERSION)
        with contextlib.suppress(RowExists):  # Another instance was first: its word counts.
            await self._catalog.transact(SCHEMA_PARTITION, [row])
        return await self.schema_version() or 0

    async def _read_upload_keys(self) -> dict[int, bytes] | None:
        found = await self._documents.read(_UPLOAD_KEYS)
        if found is None:
            return None
        keys = json.loads(found[0])["keys"]
        return {int(number): b64decode(key) for number, key in keys.items()}

    async def _make_upload_keys(self) -> dict[int, bytes]:
        """Makes the first key, unless another instance is faster: then takes that one's."""
        key = b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
        document = json.dumps({"keys": {"1": key}}).encode()
        with contextlib.suppress(RowExists):
            await self._documents.write(_UPLOAD_KEYS, document)
        made = await self._read_upload_keys()
        if made is None:
            raise SchemaError(f"{_UPLOAD_KEYS} was written but cannot be read")
        return made
