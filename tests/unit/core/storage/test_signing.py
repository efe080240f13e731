"""Who signs requests to storage: the account's key, or an identity whose token is kept."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any, Self

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy as BlobPolicy

from registry_core.storage import signing
from registry_core.storage.budget import Budget, budgeted
from registry_core.storage.calls import Request
from registry_core.storage.faults import Refused
from registry_core.storage.signing import Identity, SharedKey

KEY = b64encode(b"k" * 32).decode()
BLOBS = "http://127.0.0.1:10000/acct/content"
LATER = 3600.0


@pytest.mark.parametrize(
    ("method", "url", "headers", "body"),
    [
        ("GET", f"{BLOBS}/uploads/x", {"x-ms-range": "bytes=0-1", "If-Match": '"0x1"'}, b""),
        ("HEAD", f"{BLOBS}/a%20b~c", {}, b""),
        ("PUT", f"{BLOBS}/x?comp=appendblock", {"x-ms-blob-condition-appendpos": "0"}, b"data"),
        ("PUT", f"{BLOBS}/x?comp=metadata", {"x-ms-meta-b": "1", "x-ms-meta-a": "2"}, b""),
        ("PUT", f"{BLOBS}/x", {"If-None-Match": "*", "x-ms-blob-type": "BlockBlob"}, b"1"),
        ("GET", f"{BLOBS}?restype=container&comp=list&prefix=a%2Fb", {}, b""),
    ],
)
async def test_a_request_for_an_object_is_signed_as_the_sdk_signs_it(
    method: str, url: str, headers: dict[str, str], body: bytes
) -> None:
    request = Request(method, url, headers, body)
    await SharedKey("acct", KEY).blob(request)
    ours = request.headers.pop("Authorization")
    theirs = HttpRequest(method, url, headers=dict(request.headers))
    policy: Any = BlobPolicy("acct", KEY)  # type: ignore[no-untyped-call]
    context: Any = PipelineContext(SimpleNamespace(session=None))  # type: ignore[arg-type]
    policy.on_request(PipelineRequest(theirs, context))
    assert ours == theirs.headers["Authorization"]


async def test_a_request_for_rows_is_signed_by_date_and_path() -> None:
    """Storage in the tests takes it; the SDK signs more of the request than that needs."""
    url = "https://acct.table.core.windows.net/t(PartitionKey='p',RowKey='k')?$select=A"
    one, other = Request("GET", url), Request("POST", url.partition("?")[0])
    for request in (one, other):
        await SharedKey("acct", KEY).table(request)
    assert one.headers["Authorization"].startswith("SharedKeyLite acct:")
    assert one.headers["x-ms-version"] == other.headers["x-ms-version"]


class Issuer:
    """Hands out tokens one after the other."""

    def __init__(self, life: float = LATER) -> None:
        self.asked = 0
        self.life = life
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        assert scopes == ("https://storage.azure.com/.default",)
        self.asked += 1
        number = self.asked
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        return AccessToken(f"token-{number}", int(time.time() + self.life))

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


async def sent(identity: Identity) -> str:
    request = Request("GET", f"{BLOBS}/x")
    await identity.blob(request)
    return request.headers["Authorization"]


async def test_a_token_serves_many_requests_to_both_services() -> None:
    issuer = Issuer()
    identity = Identity(issuer)
    request = Request("GET", "https://acct.table.core.windows.net/t()")
    await identity.table(request)
    assert {await sent(identity) for _ in range(5)} == {"Bearer token-1"}
    assert request.headers["Authorization"] == "Bearer token-1"
    assert issuer.asked == 1


async def test_of_many_requests_one_asks_for_the_token_and_the_others_wait() -> None:
    issuer = Issuer()
    issuer.gate = asyncio.Event()
    identity = Identity(issuer)
    waiting = [asyncio.create_task(sent(identity)) for _ in range(20)]
    await asyncio.sleep(0)
    issuer.gate.set()
    assert set(await asyncio.gather(*waiting)) == {"Bearer token-1"}
    assert issuer.asked == 1


class Clock:
    """The time as an identity sees it."""

    def __init__(self) -> None:
        self.time = time.time()

    def now(self) -> float:
        return self.time


async def test_a_token_with_little_life_left_is_renewed() -> None:
    clock, issuer = Clock(), Issuer()
    identity = Identity(issuer, clock.now)
    assert await sent(identity) == "Bearer token-1"
    clock.time += LATER - signing._RENEWAL_SECONDS - 5
    assert await sent(identity) == "Bearer token-1"
    clock.time += 10
    assert await sent(identity) == "Bearer token-2"


@pytest.mark.parametrize(
    "error",
    [
        ClientAuthenticationError("no"),
        ServiceRequestError("cannot connect"),
        ServiceResponseError("cut off"),
    ],
)
async def test_a_token_serves_as_long_as_it_works_where_none_is_issued(error: Exception) -> None:
    clock, issuer = Clock(), Issuer()
    identity = Identity(issuer, clock.now)
    await sent(identity)
    clock.time += LATER - signing._RENEWAL_SECONDS + 5
    issuer.error = error
    assert {await sent(identity) for _ in range(5)} == {"Bearer token-1"}
    assert issuer.asked == 2
    clock.time += signing._PAUSE_SECONDS
    assert await sent(identity) == "Bearer token-1"
    assert issuer.asked == 3
    clock.time += signing._RENEWAL_SECONDS - signing._PAUSE_SECONDS - signing._LEAST_SECONDS
    with pytest.raises(Refused) as refused:
        await sent(identity)
    assert not refused.value.is_signed_in
    issuer.error = None
    assert await sent(identity) == f"Bearer token-{issuer.asked}"


async def test_nobody_waits_for_a_new_token_while_the_old_one_works() -> None:
    clock, issuer = Clock(), Issuer()
    identity = Identity(issuer, clock.now)
    await sent(identity)
    clock.time += LATER - signing._RENEWAL_SECONDS + 5
    issuer.gate = asyncio.Event()
    with budgeted(Budget(LATER, call_seconds=0.01)):
        renewing = asyncio.create_task(sent(identity))
        await asyncio.sleep(0)
        assert await sent(identity) == "Bearer token-1"
        assert not renewing.done()
        # Nor does who asks for it fail when it does not come in time.
        assert await renewing == "Bearer token-1"
    assert issuer.asked == 2


async def test_a_short_token_is_not_asked_for_with_every_request() -> None:
    issuer = Issuer(life=signing._RENEWAL_SECONDS - 1)
    identity = Identity(issuer)
    assert {await sent(identity) for _ in range(5)} == {"Bearer token-1"}
    assert issuer.asked == 1


async def test_every_request_tells_when_it_was_sent() -> None:
    """The reference of both services requires the date, whoever signs the request."""
    for signer in (SharedKey("acct", KEY), Identity(Issuer())):
        for sign in (signer.blob, signer.table):
            request = Request("GET", f"{BLOBS}/x")
            await sign(request)
            sent_at = parsedate_to_datetime(request.headers["x-ms-date"]).timestamp()
            assert abs(sent_at - time.time()) < LATER


@pytest.mark.rule("T1")
async def test_who_issues_tokens_has_as_long_as_a_storage_call() -> None:
    issuer = Issuer()
    issuer.gate = asyncio.Event()
    identity = Identity(issuer)
    with budgeted(Budget(LATER, call_seconds=0.01)), pytest.raises(Refused) as refused:
        await asyncio.gather(*(sent(identity) for _ in range(3)))
    assert not refused.value.is_signed_in
    issuer.gate.set()
    assert await sent(identity) == f"Bearer token-{issuer.asked}"


@pytest.mark.parametrize("error", [ClientAuthenticationError, ServiceRequestError])
async def test_who_gets_no_token_is_not_signed_in(error: type[AzureError]) -> None:
    issuer = Issuer()
    identity = Identity(issuer)
    issuer.error = error("no managed identity here: secret detail")
    with pytest.raises(Refused) as refused:
        await sent(identity)
    assert not refused.value.is_signed_in
    assert "secret" not in str(refused.value)
    issuer.error = None
    assert await sent(identity) == "Bearer token-2"
