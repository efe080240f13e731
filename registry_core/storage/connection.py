"""Clients of Azure Storage, built from the settings; all of them report to one call hook."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError, ResourceExistsError
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableClient
from azure.storage.blob.aio import BlobServiceClient, ContainerClient, ExponentialRetry

from registry_core.settings import StorageSettings, connection_values
from registry_core.storage.budget import CALL_SECONDS, current
from registry_core.storage.calls import CallHook
from registry_core.storage.tables import Table

READ_BLOCK = 4 * 1024 * 1024
"""How many bytes of content one read call brings, at most."""
READ_BACK_OFF_SECONDS = 1
"""How long a read waits before it is tried again, the first time; there are two more."""
_CONNECT_SECONDS = 5


class Connection:
    """The clients of one storage account. Used on one event loop; `close` when done."""

    def __init__(self, settings: StorageSettings, hook: CallHook) -> None:
        # The SDKs log every call with its headers; ours is one line a request.
        logging.getLogger("azure").setLevel(logging.WARNING)
        self.hook = hook
        self.account_key: str | None = None
        self._credential: AsyncTokenCredential | None = None
        common: dict[str, Any] = {
            "connection_timeout": _CONNECT_SECONDS,
            "read_timeout": CALL_SECONDS,
        }
        blob_options: dict[str, Any] = common | {
            "_additional_pipeline_policies": [hook.policy()],
            "retry_policy": ExponentialRetry(
                initial_backoff=READ_BACK_OFF_SECONDS,
                increment_base=2 * READ_BACK_OFF_SECONDS,
                retry_total=2,
                random_jitter_range=READ_BACK_OFF_SECONDS,
            ),
            "max_single_get_size": READ_BLOCK,
            "max_chunk_get_size": READ_BLOCK,
        }
        table_options: dict[str, Any] = common | {
            "per_retry_policies": [hook.policy()],
            "retry_total": 2,
            "retry_backoff_factor": READ_BACK_OFF_SECONDS,
            "retry_backoff_max": 5,
        }
        if settings.connection_string:
            blob_uri, table_uri, name, self.account_key = _parse(settings.connection_string)
            blob_credential: Any = {"account_name": name, "account_key": self.account_key}
            table_credential: Any = AzureNamedKeyCredential(name, self.account_key)
        else:
            blob_uri, table_uri = settings.blob_uri, settings.table_uri
            self._credential = _identity(settings)
            blob_credential = table_credential = _TimelyCredential(self._credential)
        self.blob_service = BlobServiceClient(
            blob_uri, credential=blob_credential, transport=_transport(common), **blob_options
        )
        # Not a TableServiceClient: the table clients it hands out lose the hook's policy.
        transport = _transport(common)
        self._table_client: Callable[[str], TableClient] = lambda name: TableClient(
            table_uri,
            name,
            credential=table_credential,
            transport=transport,
            **table_options,
        )
        self._tables: dict[str, TableClient] = {}
        self.account = settings.account

    def container(self, name: str) -> ContainerClient:
        """The client of one container."""
        return self.blob_service.get_container_client(name)

    def table(self, name: str) -> Table:
        """One table."""
        if name not in self._tables:
            self._tables[name] = self._table_client(name)
        return Table(self._tables[name])

    async def make(self, tables: Iterable[str] = (), containers: Iterable[str] = ()) -> None:
        """Makes what is missing of both; what exists is left as it is."""
        creations: list[Callable[[], Awaitable[object]]] = [
            *(self._table_client(name).create_table for name in tables),
            *(self.container(name).create_container for name in containers),
        ]
        for create in creations:
            try:
                await create()
            except ResourceExistsError:
                continue

    async def close(self) -> None:
        """Closes every connection."""
        await self.blob_service.close()
        for table in self._tables.values():
            await table.close()
        if self._credential is not None:
            await self._credential.close()


# Exported lazily, and so without a type.
class _OnceTransport(AioHttpTransport):  # type: ignore[misc]
    """Puts each request on the wire once.

    aiohttp by itself sends an idempotent request again when a kept connection breaks off, and so
    would apply a PUT twice and report the second answer: "the condition is not met", for a write
    that succeeded. Whether to send again is the protocol's decision, and the SDK's for reads.
    """

    async def open(self) -> None:
        """Opens the session."""
        await super().open()
        if self.session is not None:
            self.session._retry_connection = False  # noqa: SLF001 - aiohttp has no public switch


def _transport(options: dict[str, Any]) -> AioHttpTransport:
    return _OnceTransport(**options)


class _TimelyCredential:
    """Gives what signs storage calls in as long as one of these may take.

    What issues tokens can hang as storage can, and an SDK asks it for minutes.
    """

    def __init__(self, credential: AsyncTokenCredential) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """As the credential does. Raises `ClientAuthenticationError` after that time."""
        budget = current()
        try:
            async with budget.limited(budget.call_seconds):
                return await self._credential.get_token(*scopes, **options)
        except TimeoutError as error:
            raise ClientAuthenticationError("no token in time") from error


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


def _parse(connection_string: str) -> tuple[str, str, str, str]:
    """Blob endpoint, table endpoint, account name and key, which the settings have made sure of."""
    values = connection_values(connection_string)
    name, key = values["accountname"], values["accountkey"]
    scheme = values.get("defaultendpointsprotocol", "https")
    suffix = values.get("endpointsuffix", "core.windows.net")
    blob = values.get("blobendpoint") or f"{scheme}://{name}.blob.{suffix}"
    table = values.get("tableendpoint") or f"{scheme}://{name}.table.{suffix}"
    return blob.rstrip("/"), table.rstrip("/"), name, key
