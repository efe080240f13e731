"""Storage by identity, without an account key: bearer tokens and user delegation SAS, over TLS.

Azurite takes bearer tokens, issues delegation keys and checks what is signed with them, so the
whole path is walked here; the unit tests of `sas` hold the string to sign against Microsoft's
documentation.
"""

import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from azure.core.credentials import AccessToken
from azure.storage.blob.aio import BlobServiceClient

from devhost.cert import CertificateDirectory
from devhost.processes.azurite import Azurite
from registry_core.settings import Settings, StorageSettings
from registry_core.storage import connection, sdk
from registry_core.storage.client import pool
from tests.integration.core.support import Client, connect, digest_of


class LocalCredential:
    """A token such as Entra ID issues, signed by nobody: Azurite checks all but the signature."""

    async def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        now = int(time.time())
        claims = {
            "aud": "https://storage.azure.com",
            "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000001/",
            "iat": now,
            "nbf": now - 60,
            "exp": now + 3600,
            "oid": "00000000-0000-0000-0000-000000000002",
            "tid": "00000000-0000-0000-0000-000000000001",
        }
        return AccessToken(jwt.encode(claims, "k" * 32, algorithm="HS256"), now + 3600)

    async def close(self) -> None:
        pass


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateDirectory:
    made = CertificateDirectory(tmp_path / "certificates")
    made.ensure()
    return made


@pytest.fixture
def trust(certificates: CertificateDirectory) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates.authority)


@pytest.fixture
async def by_identity(
    settings: Settings,
    certificates: CertificateDirectory,
    trust: ssl.SSLContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Client]:
    sdk_client = partial(BlobServiceClient, connection_verify=str(certificates.authority))
    monkeypatch.setattr(pool, "trust", lambda: trust)
    monkeypatch.setattr(sdk, "BlobServiceClient", sdk_client)
    monkeypatch.setattr(connection, "_identity", lambda _: LocalCredential())
    with Azurite(
        tmp_path / "azurite", certificate=certificates.certificate, key=certificates.key
    ) as azurite:
        storage = StorageSettings(
            blob_uri=f"https://127.0.0.1:{azurite.blob_port}/devstoreaccount1",
            table_uri=f"https://127.0.0.1:{azurite.table_port}/devstoreaccount1",
            queue_uri=f"https://127.0.0.1:{azurite.queue_port}/devstoreaccount1",
        )
        async with connect(replace(settings, storage=storage)) as client:
            yield client


async def test_an_image_goes_in_and_comes_out_without_an_account_key(
    by_identity: Client, repository: str
) -> None:
    image = await by_identity.push_image(repository)
    answer = await by_identity.send("GET", f"/v2/{repository}/manifests/latest")
    assert answer.content == image.manifest


async def test_blobs_are_redirected_with_a_delegation_key_that_is_fetched_once(
    by_identity: Client, trust: ssl.SSLContext, repository: str
) -> None:
    digests = [await by_identity.push_blob(repository, f"blob {n}".encode()) for n in range(3)]
    costs = []
    for digest in digests:
        answer = await by_identity.send("GET", f"/v2/{repository}/blobs/{digest}")
        assert answer.status_code == 307
        location = urlsplit(answer.headers["location"])
        query = parse_qs(location.query)
        assert location.scheme == "https"
        assert query["spr"] == ["https"]
        assert query["sp"] == ["r"]
        assert query["skoid"] == ["00000000-0000-0000-0000-000000000002"]
        costs.append(by_identity.trace.count)
        async with httpx.AsyncClient(verify=trust) as plain:
            stored = await plain.get(answer.headers["location"])
        assert digest_of(stored.content) == digest
    assert costs == [2, 0, 0]
