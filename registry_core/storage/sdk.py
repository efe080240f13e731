"""What is done rarely, by Azure's SDK: asking for a delegation key.

This module is imported when it is first needed: the SDK takes long to import, and much memory.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.storage.blob import UserDelegationKey
from azure.storage.blob.aio import BlobServiceClient

from registry_core.storage.calls import Answer, CallHook, Request
from registry_core.storage.faults import Ambiguous, Refused, refusal


class Sdk:
    """The SDK's client of one storage account. Used on one event loop; `close` when done."""

    def __init__(self, blob_uri: str, credential: Any, hook: CallHook) -> None:
        # It logs every call with its headers; ours is one line a request.
        logging.getLogger("azure").setLevel(logging.WARNING)
        self._blobs = BlobServiceClient(
            blob_uri,
            credential=credential,
            _additional_pipeline_policies=[_CallPolicy(hook)],
            retry_total=0,
        )

    async def delegation_key(self, start: datetime, expiry: datetime) -> UserDelegationKey:
        """A key that signs addresses in the name of the app's identity.

        Raises the `StorageFault` that a refusal is: `Ambiguous` where no answer came.
        """
        try:
            return await self._blobs.get_user_delegation_key(start, expiry)
        except HttpResponseError as error:
            if error.status_code is None:  # Nobody is signed in.
                raise Refused(type(error).__name__, is_signed_in=False) from error
            headers = getattr(error.response, "headers", {})
            raise refusal(error.status_code, headers) from error
        except AzureError as error:
            raise Ambiguous(str(error)) from error

    async def close(self) -> None:
        """Closes every connection."""
        await self._blobs.close()


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

        await self._hook.send(Request(sent.method, sent.url), send)
        return responses[0]
