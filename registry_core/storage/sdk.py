"""What is done rarely, by Azure's SDKs: making tables and containers, and delegation keys.

This module is imported when it is first needed: the SDKs take long to import, and much memory.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob import UserDelegationKey
from azure.storage.blob.aio import BlobServiceClient

from registry_core.storage.calls import Answer, CallHook, Request
from registry_core.storage.faults import Ambiguous, Refused, refusal

_ONCE: dict[str, Any] = {"retry_total": 0}


class Sdk:
    """The SDKs' clients of one storage account. Used on one event loop; `close` when done."""

    def __init__(
        self,
        blob_uri: str,
        table_uri: str,
        blob_credential: Any,
        table_credential: Any,
        hook: CallHook,
    ) -> None:
        # They log every call with its headers; ours is one line a request.
        logging.getLogger("azure").setLevel(logging.WARNING)
        policies = [_CallPolicy(hook)]
        self._blobs = BlobServiceClient(
            blob_uri, credential=blob_credential, _additional_pipeline_policies=policies, **_ONCE
        )
        self._tables = TableServiceClient(
            table_uri, credential=table_credential, per_retry_policies=policies, **_ONCE
        )

    async def make(self, tables: Iterable[str], containers: Iterable[str]) -> None:
        """Makes what is missing of both; what exists is left as it is."""
        creations: list[Callable[[], Awaitable[object]]] = [
            *(lambda name=name: self._tables.create_table(name) for name in tables),
            *(lambda name=name: self._blobs.create_container(name) for name in containers),
        ]
        for create in creations:
            try:
                with translated():
                    await create()
            except ResourceExistsError:
                continue

    async def delegation_key(self, start: datetime, expiry: datetime) -> UserDelegationKey:
        """A key that signs addresses in the name of the app's identity."""
        with translated():
            return await self._blobs.get_user_delegation_key(start, expiry)

    async def close(self) -> None:
        """Closes every connection."""
        await self._blobs.close()
        await self._tables.close()


class _CallPolicy(AsyncHTTPPolicy[Any, Any]):
    """Stands at the end of a client's pipeline, and has each call counted and sent in time."""

    def __init__(self, hook: CallHook) -> None:
        super().__init__()
        self._hook = hook

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Sends the request on."""
        sent = request.http_request
        responses: list[PipelineResponse[Any, Any]] = []

        async def send(call: Request) -> Answer:
            sent.url = call.url
            response = await self.next.send(request)
            responses.append(response)
            return Answer(response.http_response.status_code, response.http_response.headers)

        with translated():
            await self._hook.send(Request(sent.method, sent.url), send)
        return responses[0]


@contextmanager
def translated() -> Iterator[None]:
    """Raises the SDKs' errors as faults, but for what exists already."""
    try:
        yield
    except ResourceExistsError:
        raise
    except HttpResponseError as error:
        if error.status_code is None:  # Nobody is signed in.
            raise Refused(type(error).__name__, is_signed_in=False) from error
        headers = getattr(error.response, "headers", {})
        raise refusal(error.status_code, headers) from error
    except AzureError as error:
        raise Ambiguous(str(error)) from error
