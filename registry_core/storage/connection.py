"""One storage account: its services, and what signs requests to them, by the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from registry_core.errors import Unavailable
from registry_core.settings import SERVICES, StorageSettings, connection_values
from registry_core.storage.calls import CallHook, Request
from registry_core.storage.faults import Ambiguous, Refused, RowExists
from registry_core.storage.queues import Queue
from registry_core.storage.signing import Identity, SharedKey
from registry_core.storage.tables import ACCEPT, Table
from registry_core.storage.wire import Service, Wire

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.storage.blob import UserDelegationKey

    from registry_core.storage.sdk import Sdk


class Connection:
    """The services of one storage account. Used on one event loop; `close` when done."""

    def __init__(self, settings: StorageSettings, hook: CallHook) -> None:
        self.hook = hook
        self.account = settings.account
        self._settings = settings
        self.account_key: str | None = None
        self._wire = Wire(hook)
        self._credential: AsyncTokenCredential | None = None
        self._sdk: Sdk | None = None
        self._signer: SharedKey | Identity
        if settings.connection_string:
            uris, name, self.account_key = _parse(settings.connection_string)
            self._signer = SharedKey(name, self.account_key)
        else:
            uris = [settings.blob_uri, settings.table_uri, settings.queue_uri]
            self._credential = _identity(settings)
            self._signer = Identity(self._credential)
        blob_uri, table_uri, queue_uri = (uri.rstrip("/") for uri in uris)
        self.blobs = Service(self._wire, blob_uri, self._signer.blob)
        self._tables = Service(self._wire, table_uri, self._signer.table)
        # Requests to queues are signed as those to blobs are.
        self._queues = Service(self._wire, queue_uri, self._signer.blob)

    def table(self, name: str) -> Table:
        """One table."""
        return Table(self._tables, name)

    def queue(self, name: str) -> Queue:
        """One queue."""
        return Queue(self._queues, name)

    async def make(
        self,
        tables: Iterable[str] = (),
        containers: Iterable[str] = (),
        queues: Iterable[str] = (),
    ) -> None:
        """Makes what is missing of them; what exists is left as it is."""
        for name in tables:
            url, body = f"{self._tables.url}/Tables", json.dumps({"TableName": name}).encode()
            headers = {"Accept": ACCEPT, "Content-Type": "application/json"}
            with suppress(RowExists):
                await self._tables.write(Request("POST", url, headers, body))
        for name in containers:
            with suppress(RowExists):
                url = f"{self.blobs.url}/{name}?restype=container"
                await self.blobs.write(Request("PUT", url))
        for name in queues:
            await self.queue(name).make()

    async def delegation_key(self, start: datetime, expiry: datetime) -> UserDelegationKey:
        """A key that signs addresses in the name of the app's identity.

        Raises `Unavailable` where storage does not answer, and `Refused`.
        """
        if self._sdk is None:
            from registry_core.storage.sdk import Sdk  # noqa: PLC0415

            self._sdk = Sdk(self.blobs.url, self._signer, self.hook)
        try:
            return await self._sdk.delegation_key(start, expiry)
        except Ambiguous as fault:
            raise Unavailable from fault

    async def token(self, scope: str) -> str:
        """What proves the app's identity to another service of Azure. Raises `Refused`."""
        from azure.core.exceptions import AzureError  # noqa: PLC0415

        if self._credential is None:
            self._credential = _identity(self._settings)
        try:
            return (await self._credential.get_token(scope)).token
        except AzureError as error:
            raise Refused(type(error).__name__, is_signed_in=False) from error

    async def close(self) -> None:
        """Closes every connection."""
        await self._wire.close()
        if self._sdk is not None:
            await self._sdk.close()
        if self._credential is not None:
            await self._credential.close()


def _identity(settings: StorageSettings) -> AsyncTokenCredential:
    """The identity to sign in with."""
    # Slow to import, and a connection string needs none of it.
    from azure.identity.aio import (  # noqa: PLC0415
        DefaultAzureCredential,
        ManagedIdentityCredential,
    )

    if settings.credential == "managedidentity":
        return ManagedIdentityCredential(client_id=settings.client_id or None)
    return DefaultAzureCredential(managed_identity_client_id=settings.client_id or None)


def _parse(connection_string: str) -> tuple[list[str], str, str]:
    """The endpoints of blobs, tables and queues, the account's name and its key.

    The settings have made sure that there are a name and a key.
    """
    values = connection_values(connection_string)
    name, key = values["accountname"], values["accountkey"]
    scheme = values.get("defaultendpointsprotocol", "https")
    suffix = values.get("endpointsuffix", "core.windows.net")
    endpoints = [
        values.get(f"{service}endpoint") or f"{scheme}://{name}.{service}.{suffix}"
        for service in SERVICES
    ]
    return endpoints, name, key
