"""What all instances must agree on before the first request: the schema and the secret keys."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from base64 import b64decode, b64encode

from registry_core.storage import keys, tables
from registry_core.storage.connection import Connection
from registry_core.storage.faults import (
    NO_RETRY,
    RowExists,
    RowMissing,
    StoreMissing,
    reading,
    translated,
)

SCHEMA_VERSION = 1
"""The version of all rows and objects that this code reads and writes."""

_UPLOAD_KEYS = "keys/upload-state.json"
_KEY_BYTES = 32


class SchemaError(Exception):
    """Storage was written by a version that this code does not know; it touches nothing."""


class System:
    """The `system` container and the `schema` row."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._catalog = connection.table(keys.CATALOG)
        self._container = connection.container(keys.SYSTEM)

    async def open(self) -> dict[int, bytes]:
        """Checks the schema, making everything on an empty account; answers the upload keys.

        One round where the registry exists already. Raises `SchemaError`.
        """
        known, upload_keys = await asyncio.gather(self.schema_version(), self._read_upload_keys())
        if known is None:
            await self._connection.create_tables_and_containers()
            known = await self._write_schema()
        if known != SCHEMA_VERSION:
            raise SchemaError(
                f"storage has schema version {known}, this is for version {SCHEMA_VERSION}: "
                "deploy the release that wrote it, or a later one"
            )
        return upload_keys or await self._make_upload_keys()

    async def schema_version(self) -> int | None:
        """The version that storage was written by; None if nothing is there."""
        try:
            row = await self._catalog.get(keys.SCHEMA_PARTITION, keys.SCHEMA)
        except StoreMissing:
            return None
        return row.number("Version") if row else None

    async def _write_schema(self) -> int:
        row = tables.insert(keys.SCHEMA, Version=SCHEMA_VERSION)
        with contextlib.suppress(RowExists):  # Another instance was first: its word counts.
            await self._catalog.transact(keys.SCHEMA_PARTITION, [row])
        return await self.schema_version() or 0

    async def _read_upload_keys(self) -> dict[int, bytes] | None:
        try:
            with reading():
                stream = await self._container.download_blob(_UPLOAD_KEYS)
                document = json.loads(await stream.readall())
        except (RowMissing, StoreMissing):
            return None
        return {int(number): b64decode(key) for number, key in document["keys"].items()}

    async def _make_upload_keys(self) -> dict[int, bytes]:
        """Makes the first key, unless another instance is faster: then takes that one's."""
        key = b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
        document = json.dumps({"keys": {"1": key}}).encode()
        with contextlib.suppress(RowExists), translated():
            await self._container.upload_blob(_UPLOAD_KEYS, document, overwrite=False, **NO_RETRY)
        made = await self._read_upload_keys()
        if made is None:
            raise SchemaError(f"{keys.SYSTEM}/{_UPLOAD_KEYS} was written and cannot be read")
        return made
