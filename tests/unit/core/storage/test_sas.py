import asyncio
import hashlib
import hmac
import uuid
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.storage.blob import (
    BlobClient,
    BlobSasPermissions,
    UserDelegationKey,
    generate_blob_sas,
)
from hypothesis import given
from hypothesis import strategies as st

from registry_core.blobs import rows as blob_rows
from registry_core.errors import Unavailable
from registry_core.settings import StorageSettings
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection
from registry_core.storage.faults import Refused
from registry_core.storage.objects import Location, Objects
from registry_core.storage.sas import CLOCK_SKEW, KEPT, KEY_LIFETIME, LIFETIME, SasSigner

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ACCOUNT = "acct"
ACCOUNT_KEY = b64encode(b"account key of 32 bytes, or more").decode()
LOCATION = Location(
    ACCOUNT, blob_rows.CONTAINER, blob_rows.upload_object(date(2026, 3, 1), uuid.UUID(int=7))
)
TABLES, OWN_DOMAIN = "https://acct.table.core.windows.net", "https://blobs.example.com"
HTTPS, HTTP = "https://acct.blob.core.windows.net", "http://127.0.0.1:10000/acct"


@dataclass
class Service:
    """The blob service as far as it has an address and hands out keys."""

    url: str = f"{HTTPS}/"
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    error: Exception | None = None

    async def get_user_delegation_key(self, start: datetime, expiry: datetime) -> UserDelegationKey:
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        self.asked.append((start, expiry))
        key = UserDelegationKey()  # type: ignore[no-untyped-call]
        key.signed_oid, key.signed_tid = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
        key.signed_start, key.signed_expiry = text(start), text(expiry)
        key.signed_service, key.signed_version = "b", "2026-02-06"
        key.value = b64encode(b"delegation key %02d of thirty-two b" % len(self.asked)).decode()
        return key


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


def text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def time(text_: str) -> datetime:
    return datetime.strptime(text_, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def signer(service: Service, clock: Clock, account_key: str | None, base: str) -> SasSigner:
    service.url = f"{base}/"
    connection: Any = SimpleNamespace(
        blob_service=service, account=ACCOUNT, account_key=account_key
    )
    return SasSigner(cast("Connection", connection), clock)


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def signature(key: str, fields: list[str]) -> str:
    message = "\n".join(fields).encode()
    return b64encode(hmac.new(b64decode(key), message, hashlib.sha256).digest()).decode()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["account key", "delegation key"])
def either(request: pytest.FixtureRequest, service: Service, clock: Clock) -> SasSigner:
    key = ACCOUNT_KEY if request.param == "account key" else None
    return signer(service, clock, key, HTTPS)


@pytest.mark.parametrize("base", [HTTP, "https://localhost:10000/acct", "http://[::1]:10000/acct"])
@pytest.mark.parametrize("called", ["localhost", "127.0.0.1", "[::1]", "build.example"])
async def test_storage_on_this_machine_is_named_as_the_client_named_the_registry(
    service: Service, clock: Clock, base: str, called: str
) -> None:
    url = await signer(service, clock, ACCOUNT_KEY, base).url(LOCATION, called)
    where, _, signed = url.partition("?")
    scheme = base.partition(":")[0]
    assert where == f"{scheme}://{called}:10000/acct/{LOCATION.container}/{LOCATION.name}"
    assert (
        signed
        == (await signer(service, clock, ACCOUNT_KEY, base).url(LOCATION, "x")).partition("?")[2]
    )


async def test_without_a_name_of_ours_storage_is_named_as_it_is(
    service: Service, clock: Clock
) -> None:
    url = await signer(service, clock, ACCOUNT_KEY, HTTP).url(LOCATION, "")
    assert url.partition("?")[0] == f"{HTTP}/{LOCATION.container}/{LOCATION.name}"


async def test_storage_elsewhere_is_named_as_it_is(service: Service, clock: Clock) -> None:
    url = await signer(service, clock, ACCOUNT_KEY, HTTPS).url(LOCATION, "localhost")
    assert url.partition("?")[0] == f"{HTTPS}/{LOCATION.container}/{LOCATION.name}"


@pytest.mark.parametrize(("base", "protocol"), [(HTTPS, "https"), (HTTP, "https,http")])
async def test_an_account_keys_signature_is_that_of_a_service_sas(
    service: Service, clock: Clock, base: str, protocol: str
) -> None:
    sent = query(
        await signer(service, clock, ACCOUNT_KEY, base).url(LOCATION, "registry.example.com")
    )
    # "Create a service SAS", the string to sign of version 2020-12-06 and later.
    assert sent["sv"] >= "2020-12-06"
    fields = [
        "r",
        sent["st"],
        sent["se"],
        f"/blob/{ACCOUNT}/content/{LOCATION.name}",
        "",  # Signed identifier.
        "",  # Addresses it may be used from.
        protocol,
        sent["sv"],
        "b",
        "",  # Snapshot.
        "",  # Encryption scope.
        "",  # Cache-Control.
        "",  # Content-Disposition.
        "",  # Content-Encoding.
        "",  # Content-Language.
        "application/octet-stream",
    ]
    assert sent["sig"] == signature(ACCOUNT_KEY, fields)
    assert sent.keys() == {"sp", "st", "se", "spr", "sv", "sr", "rsct", "sig"}
    assert service.asked == []


@pytest.mark.parametrize(
    "storage",
    [
        StorageSettings(blob_uri="https://acct.z12.blob.storage.azure.net", table_uri=TABLES),
        StorageSettings(blob_uri=OWN_DOMAIN, table_uri=TABLES, account_name=ACCOUNT),
        StorageSettings(
            f"AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={OWN_DOMAIN}"
        ),
    ],
    ids=["zone", "own domain", "own domain in a connection string"],
)
async def test_the_signature_is_for_the_account_also_where_the_sdk_cannot_tell_it(
    clock: Clock, storage: StorageSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(storage, CallHook())
    hands_out = Service().get_user_delegation_key
    monkeypatch.setattr(connection.blob_service, "get_user_delegation_key", hands_out)
    try:
        assert Objects(connection, blob_rows.CONTAINER).location(LOCATION.name) == LOCATION
        url = await SasSigner(connection, clock).url(LOCATION, "localhost")
    finally:
        await connection.close()
    assert url.startswith(f"{storage.blob_uri or OWN_DOMAIN}/content/{LOCATION.name}?")
    usual = signer(Service(), clock, connection.account_key, HTTPS)
    assert query(url) == query(await usual.url(LOCATION, "localhost"))


@pytest.mark.parametrize(("base", "protocol"), [(HTTPS, "https"), (HTTP, "https,http")])
async def test_a_delegation_keys_signature_is_that_of_a_user_delegation_sas(
    service: Service, clock: Clock, base: str, protocol: str
) -> None:
    sent = query(await signer(service, clock, None, base).url(LOCATION, "registry.example.com"))
    # "Create a user delegation SAS", the string to sign of version 2026-04-06 and later.
    assert sent["sv"] >= "2026-04-06"
    ((key_start, key_expiry),) = service.asked
    key = await Service().get_user_delegation_key(key_start, key_expiry)
    fields = [
        "r",
        sent["st"],
        sent["se"],
        f"/blob/{ACCOUNT}/content/{LOCATION.name}",
        str(uuid.UUID(int=1)),
        str(uuid.UUID(int=2)),
        text(key_start),
        text(key_expiry),
        "b",
        "2026-02-06",
        "",  # Authorized user.
        "",  # Unauthorized user.
        "",  # Correlation id.
        "",  # Tenant of the user that the key is delegated to.
        "",  # The user that the signature is delegated to.
        "",  # Addresses it may be used from.
        protocol,
        sent["sv"],
        "b",
        "",  # Snapshot.
        "",  # Encryption scope.
        "",  # Request headers.
        "",  # Request query parameters.
        "",  # Cache-Control.
        "",  # Content-Disposition.
        "",  # Content-Encoding.
        "",  # Content-Language.
        "application/octet-stream",
    ]
    assert sent["sig"] == signature(str(key.value), fields)
    assert (sent["skoid"], sent["sktid"]) == (fields[4], fields[5])
    assert (sent["skt"], sent["ske"], sent["sks"], sent["skv"]) == tuple(fields[6:10])


async def test_an_address_is_for_reading_one_blob_over_https_for_minutes(
    either: SasSigner,
) -> None:
    url = await either.url(LOCATION, "registry.example.com")
    sent = query(url)
    assert (sent["sr"], sent["sp"], sent["spr"]) == ("b", "r", "https")
    assert timedelta(minutes=1) < time(sent["se"]) - NOW == LIFETIME < timedelta(hours=1)
    assert url.startswith(f"{HTTPS}/content/{LOCATION.name}?")
    assert sent["rsct"] == "application/octet-stream"


async def test_an_address_works_for_clocks_that_are_behind(either: SasSigner) -> None:
    assert time(query(await either.url(LOCATION, "registry.example.com"))["st"]) <= NOW - timedelta(
        minutes=5
    )


async def test_an_address_says_nothing_of_the_repository_nor_the_digest(
    either: SasSigner,
) -> None:
    parts = urlsplit(await either.url(LOCATION, "registry.example.com"))
    assert parts.path == f"/content/{LOCATION.name}"
    known = {"sp", "st", "se", "spr", "sv", "sr", "rsct", "sig"}
    assert query(parts.geturl()).keys() - known <= {"skoid", "sktid", "skt", "ske", "sks", "skv"}


async def test_an_address_shows_no_key(service: Service, clock: Clock) -> None:
    for account_key in (ACCOUNT_KEY, None):
        url = await signer(service, clock, account_key, HTTPS).url(LOCATION, "registry.example.com")
        for secret in (ACCOUNT_KEY, b64encode(b"delegation key 01").decode()[:12]):
            assert secret not in url


async def test_a_key_signs_many_addresses_and_is_renewed_before_it_ends(
    service: Service, clock: Clock
) -> None:
    ours = signer(service, clock, None, HTTPS)
    for minutes in range(0, 48 * 60, 10):
        clock.now = NOW + timedelta(minutes=minutes)
        sent = query(await ours.url(LOCATION, "registry.example.com"))
        assert time(sent["skt"]) <= time(sent["st"])
        assert time(sent["se"]) <= time(sent["ske"])
    assert len(service.asked) == 3


async def test_a_key_is_asked_for_from_the_past_on_and_for_less_than_seven_days(
    service: Service, clock: Clock
) -> None:
    await signer(service, clock, None, HTTPS).url(LOCATION, "registry.example.com")
    ((start, expiry),) = service.asked
    assert start <= NOW - timedelta(minutes=5)
    assert expiry == NOW + KEY_LIFETIME
    assert expiry - start < timedelta(days=7)


async def test_of_many_callers_one_renews_the_key_and_the_others_wait(
    service: Service, clock: Clock
) -> None:
    ours = signer(service, clock, None, HTTPS)
    for moment in (NOW, NOW + timedelta(days=3)):
        clock.now = moment
        service.asked.clear()
        urls = await asyncio.gather(
            *(ours.url(LOCATION, "registry.example.com") for _ in range(20))
        )
        assert len(service.asked) == 1
        assert len(set(urls)) == 1


async def test_a_key_that_cannot_be_fetched_is_asked_for_again(
    service: Service, clock: Clock
) -> None:
    ours = signer(service, clock, None, HTTPS)
    service.error = ServiceRequestError("no connection")
    outcomes = await asyncio.gather(
        *(ours.url(LOCATION, "registry.example.com") for _ in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    service.error = None
    assert "sig=" in await ours.url(LOCATION, "registry.example.com")


async def test_a_refused_key_is_no_matter_of_trying_again(service: Service, clock: Clock) -> None:
    service.error = HttpResponseError("not authorized")
    service.error.status_code = 403
    with pytest.raises(Refused):
        await signer(service, clock, None, HTTPS).url(LOCATION, "registry.example.com")


async def test_while_no_new_key_can_be_had_the_old_one_serves_as_long_as_it_outlives_an_address(
    service: Service, clock: Clock
) -> None:
    ours = signer(service, clock, None, HTTPS)
    await ours.url(LOCATION, "registry.example.com")
    service.error = ServiceRequestError("down")
    clock.now = NOW + KEY_LIFETIME - LIFETIME
    sent = query(await ours.url(LOCATION, "registry.example.com"))
    assert time(sent["se"]) <= time(sent["ske"])
    clock.now += KEPT
    with pytest.raises(Unavailable):
        await ours.url(LOCATION, "registry.example.com")
    service.error = None
    assert (
        time(query(await ours.url(LOCATION, "registry.example.com"))["ske"])
        == clock.now + KEY_LIFETIME
    )


# An address that is kept.


async def test_an_address_is_kept_for_a_minute_and_works_for_nineteen_more(
    either: SasSigner, clock: Clock
) -> None:
    first = await either.url(LOCATION, "registry.example.com")
    clock.now = NOW + KEPT - timedelta(seconds=1)
    assert await either.url(LOCATION, "registry.example.com") == first
    assert time(query(first)["se"]) - clock.now > timedelta(minutes=19)
    clock.now = NOW + KEPT
    second = await either.url(LOCATION, "registry.example.com")
    assert time(query(second)["se"]) == clock.now + LIFETIME


async def test_a_clock_that_was_set_back_makes_no_address_last_nor_begin_later(
    either: SasSigner, clock: Clock
) -> None:
    await either.url(LOCATION, "registry.example.com")
    clock.now = NOW - timedelta(hours=1)
    sent = query(await either.url(LOCATION, "registry.example.com"))
    assert (time(sent["st"]), time(sent["se"])) == (clock.now - CLOCK_SKEW, clock.now + LIFETIME)


async def test_what_is_kept_is_of_one_blob_and_one_host(service: Service, clock: Clock) -> None:
    ours = signer(service, clock, ACCOUNT_KEY, HTTP)
    other = replace(LOCATION, name=LOCATION.name[:-1] + "8")
    asked = [(where, host) for where in (LOCATION, other) for host in ("localhost", "127.0.0.1")]
    found = [await ours.url(*each) for each in asked]
    assert [await ours.url(*each) for each in asked] == found
    for (where, host), url in zip(asked, found, strict=True):
        assert urlsplit(url).hostname == host
        assert urlsplit(url).path == f"/acct/content/{where.name}"
    # The host is no part of what is signed.
    assert len({query(url)["sig"] for url in found}) == 2


# Against Azure's SDK, which knows nothing of how it is done here.

_characters = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="?#")
_segments = st.text(_characters, min_size=1, max_size=20).filter(
    lambda text: text not in (".", "..")
)
_keys = st.binary(min_size=16, max_size=64).map(lambda key: b64encode(key).decode())
_times = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds it
_words = st.text("abcdefghijklmnopqrstuvwxyz0123456789-+/= :", min_size=1, max_size=40)


@st.composite
def delegation_keys(draw: st.DrawFn) -> UserDelegationKey:
    key = UserDelegationKey()  # type: ignore[no-untyped-call]
    key.signed_oid, key.signed_tid = draw(_words), draw(_words)
    key.signed_start, key.signed_expiry = text(draw(_times)), text(draw(_times))
    key.signed_service, key.signed_version = draw(_words), draw(_words)
    key.signed_delegated_user_tid = draw(st.none() | _words)
    key.value = draw(_keys)
    return key


@given(
    base=st.sampled_from([HTTPS, HTTP, OWN_DOMAIN, "https://acct.z12.blob.storage.azure.net"]),
    account=st.sampled_from(["acct", "devstoreaccount1", "0123456789abcdef01234567"]),
    container=st.sampled_from(["content", "system", "a-b-c"]),
    name=st.lists(_segments, min_size=1, max_size=3).map("/".join),
    moment=_times,
    key=_keys | delegation_keys(),
)
def test_an_address_is_what_azures_sdk_makes(
    base: str,
    account: str,
    container: str,
    name: str,
    moment: datetime,
    key: str | UserDelegationKey,
) -> None:
    async def get_user_delegation_key(_start: datetime, _expiry: datetime) -> UserDelegationKey:
        assert isinstance(key, UserDelegationKey)
        return key

    account_key = key if isinstance(key, str) else None
    service = SimpleNamespace(url=f"{base}/", get_user_delegation_key=get_user_delegation_key)
    connection: Any = SimpleNamespace(
        blob_service=service, account=account, account_key=account_key
    )
    ours = SasSigner(cast("Connection", connection), lambda: moment)
    url = asyncio.run(ours.url(Location(account, container, name), ""))
    theirs = generate_blob_sas(
        account_name=account,
        container_name=container,
        blob_name=name,
        account_key=account_key,
        user_delegation_key=key if isinstance(key, UserDelegationKey) else None,
        permission=BlobSasPermissions(read=True),
        start=moment - CLOCK_SKEW,
        expiry=moment + LIFETIME,
        protocol="https" if base.startswith("https:") else "https,http",
        content_type="application/octet-stream",
    )
    where, _, sent = url.partition("?")
    assert where == BlobClient(base, container, name).url
    assert sorted(parse_qsl(sent, strict_parsing=True)) == sorted(parse_qsl(theirs))
