"""What proves to storage who sends a request: the account's key, or a token of an identity.

"Authorize with Shared Key" and "Authorize with Microsoft Entra ID", Azure Storage REST reference.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from registry_core.storage.budget import current
from registry_core.storage.calls import Request
from registry_core.storage.faults import Refused

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential

BLOB_VERSION = "2023-11-03"
"""The version of the blobs' interface; the first that appends more than 4 MiB is 2022-11-02."""
TABLE_VERSION = "2019-02-02"
"""The version of the tables' interface that the SDK speaks."""
_TABLE_HEADERS = {"x-ms-version": TABLE_VERSION, "DataServiceVersion": "3.0"}
_SCOPE = "https://storage.azure.com/.default"
_RENEWAL_SECONDS = 300
"""A token with less than this left is renewed."""
_LEAST_SECONDS = 30
"""A token with less than this left is used no more: no call may take so long."""
_PAUSE_SECONDS = 30
"""How long nobody asks again for a token where that has brought no lasting one, but one works."""
_LOGGER = logging.getLogger("slipway")
_SIGNED_HEADERS = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type"),
    *("date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)


class SharedKey:
    """Signs by the key of the account."""

    def __init__(self, account: str, key: str) -> None:
        self._account = account
        self._key = b64decode(key)

    async def blob(self, request: Request) -> None:
        """Signs a request to the blobs' service (Shared Key)."""
        headers = request.headers
        headers["x-ms-version"], headers["x-ms-date"] = BLOB_VERSION, formatdate(usegmt=True)
        if request.body:
            headers["Content-Length"] = str(request.size)
        given = {name.lower(): value for name, value in headers.items()}
        ours = sorted(name for name in given if name.startswith("x-ms-"))
        text = "\n".join(
            [
                request.method,
                *(given.get(name, "") for name in _SIGNED_HEADERS),
                *(f"{name}:{given[name]}" for name in ours),
                self._resource(request.url),
            ]
        )
        headers["Authorization"] = f"SharedKey {self._account}:{self._signature(text)}"

    async def table(self, request: Request) -> None:
        """Signs a request to the tables' service (Shared Key Lite)."""
        headers, date = request.headers, formatdate(usegmt=True)
        headers.update(_TABLE_HEADERS)
        headers["x-ms-date"] = date
        text = f"{date}\n/{self._account}{urlsplit(request.url).path}"
        headers["Authorization"] = f"SharedKeyLite {self._account}:{self._signature(text)}"

    def _resource(self, url: str) -> str:
        """The resource as it is signed, with the parameters of its query."""
        parts = urlsplit(url)
        lines = [f"/{self._account}{parts.path}"]
        for parameter in sorted(filter(None, parts.query.split("&"))):
            name, _, value = parameter.partition("=")
            lines.append(f"{unquote(name).lower()}:{unquote(value)}")
        return "\n".join(lines)

    def _signature(self, text: str) -> str:
        return b64encode(hmac.digest(self._key, text.encode(), "sha256")).decode()


class Identity:
    """Presents a token of an identity, which is kept until it has little life left."""

    def __init__(
        self, credential: AsyncTokenCredential, now: Callable[[], float] = time.time
    ) -> None:
        self._credential = credential
        self._now = now
        self._token: AccessToken | None = None
        self._renewal = asyncio.Lock()
        self._asked = float("-inf")

    async def blob(self, request: Request) -> None:
        """Adds the token to a request to the blobs' service. Raises `Refused` without one."""
        request.headers["x-ms-version"] = BLOB_VERSION
        request.headers["x-ms-date"] = formatdate(usegmt=True)
        request.headers["Authorization"] = f"Bearer {(await self.get_token()).token}"

    async def table(self, request: Request) -> None:
        """Adds the token to a request to the tables' service. Raises `Refused` without one."""
        request.headers.update(_TABLE_HEADERS)
        request.headers["x-ms-date"] = formatdate(usegmt=True)
        request.headers["Authorization"] = f"Bearer {(await self.get_token()).token}"

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        """The token for storage, as the SDKs ask for it; one caller renews it, others wait.

        What issues tokens can hang as storage can, and azure-identity asks it for minutes: it has
        as long as a call. Where it brings no new token, the one there is serves as long as it
        works. Raises `Refused`.
        """
        token = self._lasting(_RENEWAL_SECONDS) or self._unrenewed()
        if token is not None:
            return token
        budget = current()
        try:
            async with budget.limited(budget.call_seconds), self._renewal:
                return self._lasting(_RENEWAL_SECONDS) or await self._renewed()
        except (TimeoutError, Refused) as error:
            token = self._lasting(_LEAST_SECONDS)
            if token is not None:
                _LOGGER.warning("the token for storage could not be renewed", exc_info=True)
                return token
            if isinstance(error, Refused):
                raise
            raise Refused("no token in time", is_signed_in=False) from error

    async def _renewed(self) -> AccessToken:
        from azure.core.exceptions import AzureError  # noqa: PLC0415

        self._asked = self._now()
        try:
            self._token = await self._credential.get_token(_SCOPE)
        except AzureError as error:
            raise Refused(type(error).__name__, is_signed_in=False) from error
        return self._token

    def _unrenewed(self) -> AccessToken | None:
        """The token that still works while another caller renews it, or soon after one tried."""
        if self._renewal.locked() or 0 <= self._now() - self._asked < _PAUSE_SECONDS:
            return self._lasting(_LEAST_SECONDS)
        return None

    def _lasting(self, seconds: float) -> AccessToken | None:
        """The token, if it has so much left."""
        if self._token is None or self._token.expires_on - self._now() < seconds:
            return None
        return self._token
