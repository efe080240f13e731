"""`slipway check-health` on a storage account: as an identity, with and without its roles.

The identity is a managed one: its endpoint is a server of the test's, as App Service has one. What
it may do is said by Azurite, which lets every identity in, or by a server that refuses as Azure's.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from devhost.cert import CertificateDirectory
from devhost.processes.azurite import ACCOUNT_NAME, Azurite
from registry_core.settings import StorageSettings
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection
from registry_core.system import CONTAINERS, QUEUES, TABLES
from tests.integration.cli.servers import Server

ROOT = Path(__file__).parents[3]
NOWHERE = "localhost:1"
"""Where no registry listens, and nothing else."""
OF_STORAGE = [
    *("tables", "container-system", "container-content", "delegation-key"),
    *("queue", "poison-queue"),
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateDirectory:
    directory = CertificateDirectory(tmp_path_factory.mktemp("certificates"))
    directory.ensure()
    return directory


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Identity(Quiet):
    """The endpoint of a managed identity (App Service, version 2019-08-01)."""

    def do_GET(self) -> None:
        now = int(time.time())
        claims = {
            "aud": "https://storage.azure.com",
            "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000007/",
            "oid": "00000000-0000-0000-0000-000000000008",
            "tid": "00000000-0000-0000-0000-000000000007",
            "iat": now,
            "nbf": now - 60,
            "exp": now + 3600,
        }
        parts: tuple[dict[str, object], ...] = ({"alg": "none", "typ": "JWT"}, claims, {})
        token = ".".join(
            urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts
        )
        answer = {"access_token": token, "expires_on": str(now + 3600), "token_type": "Bearer"}
        answer["resource"] = "https://storage.azure.com"
        self.answer(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())


class Denying(Quiet):
    """Storage to which an identity has no role, except on the container `system`."""

    def refuse(self) -> None:
        if "/system/" in self.path:
            self.answer(404, {"x-ms-error-code": "BlobNotFound"})
        else:
            self.answer(403, {"x-ms-error-code": "AuthorizationPermissionMismatch"})

    do_GET = do_POST = do_DELETE = refuse  # noqa: N815 - as the library calls them


@contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler], certificates: CertificateDirectory | None = None
) -> Iterator[int]:
    """Serves on a port of this machine, by TLS where there are certificates."""
    server = Server(("127.0.0.1", 0), handler)
    if certificates:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates.certificate, certificates.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


Check = Callable[..., dict[str, Any]]


@pytest.fixture
def check(certificates: CertificateDirectory) -> Iterator[Check]:
    """Checks a storage account beside a registry that is not there; answers what storage said."""
    with serving(Identity) as identity:

        def call(whose: str, **settings: str) -> dict[str, Any]:
            kept = {n: v for n, v in os.environ.items() if not n.startswith(("AZURE_", "Registry"))}
            environment = {
                **kept,
                "SSL_CERT_FILE": str(certificates.authority),
                "IDENTITY_ENDPOINT": f"http://127.0.0.1:{identity}/token",
                "IDENTITY_HEADER": "any",
            }
            ended = subprocess.run(
                [ROOT / "slipway", "check-health", NOWHERE, "--storage", whose, "-o", "json"],
                env=environment | settings,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 1, ended.stderr
            assert ended.stdout, ended.stderr
            checks = {each["check"]: each for each in json.loads(ended.stdout)}
            assert checks["tcp"]["status"] == "failed"
            found = {name: checks[name] for name in OF_STORAGE if name in checks}
            return found | {"said": ended.stderr}

        yield call


def account(blob: int, queue: int, table: int) -> dict[str, str]:
    """The settings of an account that is used by the identity."""
    return {
        "RegistryStorage__accountName": ACCOUNT_NAME,
        "RegistryStorage__blobServiceUri": f"https://127.0.0.1:{blob}/{ACCOUNT_NAME}",
        "RegistryStorage__queueServiceUri": f"https://127.0.0.1:{queue}/{ACCOUNT_NAME}",
        "RegistryStorage__tableServiceUri": f"https://127.0.0.1:{table}/{ACCOUNT_NAME}",
        "RegistryStorage__credential": "managedidentity",
    }


def account_of(azurite: Azurite) -> dict[str, str]:
    return account(azurite.blob_port, azurite.queue_port, azurite.table_port)


def statuses(checks: dict[str, Any]) -> dict[str, str]:
    return {name: checks[name]["status"] for name in OF_STORAGE if name in checks}


def test_an_account_without_a_registry_is_told_apart_from_one_that_has_it(
    certificates: CertificateDirectory, check: Check, tmp_path: Path
) -> None:
    with secured(tmp_path, certificates) as azurite:
        found = check("app", **account_of(azurite))
    assert {found[name]["reason"] for name in OF_STORAGE[:3]} == {"no-registry"}
    assert found["delegation-key"]["status"] == "ok"
    assert found["queue"]["reason"] == "no-queue"

    with Azurite(tmp_path) as azurite:
        asyncio.run(make(azurite))
    with secured(tmp_path, certificates) as azurite:
        settings = account_of(azurite)
        assert set(statuses(check("app", **settings)).values()) == {"ok"}
        assert list(statuses(check("operator", **settings))) == OF_STORAGE[:2]


def secured(location: Path, certificates: CertificateDirectory) -> Azurite:
    return Azurite(location, certificate=certificates.certificate, key=certificates.key)


async def make(azurite: Azurite) -> None:
    """Makes what a registry has in its account."""
    connection = Connection(StorageSettings(azurite.connection_string), CallHook())
    await connection.make(TABLES, CONTAINERS, QUEUES)
    await connection.close()


def test_an_identity_without_roles_is_told_which_it_needs_and_where(
    certificates: CertificateDirectory, check: Check
) -> None:
    with serving(Denying, certificates) as port:
        found = check("app", **account(port, port, port))
    assert statuses(found) == {
        **dict.fromkeys(OF_STORAGE, "failed"),
        "container-system": "ok",
    }
    roles = {name: found[name]["facts"].get("role") for name in OF_STORAGE}
    assert roles == {
        "tables": "Storage Table Data Contributor",
        "container-system": None,
        "container-content": "Storage Blob Data Contributor",
        "delegation-key": "Storage Blob Delegator",
        "queue": "Storage Queue Data Contributor",
        "poison-queue": "Storage Queue Data Contributor",
    }
    assert "on the container content of devstoreaccount1" in found["said"]


def test_messages_that_were_given_up_are_told_of_and_what_to_do(
    check: Check, tmp_path: Path
) -> None:
    with Azurite(tmp_path) as azurite:
        asyncio.run(make(azurite))
        asyncio.run(send(azurite, "slipway-work", 2))
        found = check("app", RegistryStorage=azurite.connection_string)
        assert found["queue"]["facts"]["messages"] == 2
        assert found["poison-queue"]["status"] == "ok"
        asyncio.run(send(azurite, "slipway-work-poison", 3))
        found = check("app", RegistryStorage=azurite.connection_string)
    assert found["queue"]["status"] == "ok"
    assert found["poison-queue"]["reason"] == "failed-messages"
    assert found["poison-queue"]["facts"] == {"messages": 3}
    assert "slipway gc" in found["said"]
    assert "docs/runbook.md" in found["said"]


async def send(azurite: Azurite, queue: str, count: int) -> None:
    """Messages of any kind; the queue is made for the first."""
    connection = Connection(StorageSettings(azurite.connection_string), CallHook())
    for _ in range(count):
        await connection.queue(queue).send("any", timedelta(days=1))
    await connection.close()


def test_without_an_identity_it_is_said_how_to_sign_in(check: Check) -> None:
    settings = {
        "RegistryStorage__accountName": "slipwaytest",
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
    }
    found = check("operator", **settings)
    assert {found[name]["reason"] for name in OF_STORAGE[:2]} == {"not-signed-in"}
    assert "az login" in found["said"]


@pytest.mark.parametrize(
    ("connection_string", "reason"),
    [("AccountName=a;AccountKey=?", "settings"), ("AccountName=a", "settings")],
)
def test_settings_that_are_wrong_are_a_failure_and_tell_no_key(
    check: Check, connection_string: str, reason: str
) -> None:
    found = check("operator", RegistryStorage=connection_string)
    assert {found[name]["reason"] for name in OF_STORAGE[:2]} == {reason}


def test_a_wrong_key_is_told_apart_from_a_missing_role(check: Check, tmp_path: Path) -> None:
    with Azurite(tmp_path) as azurite:
        right = azurite.connection_string
        _, _, rest = right.partition("AccountKey=")
        wrong = right.replace(rest.partition(";")[0], "d3Jvbmc=")
        found = check("operator", RegistryStorage=wrong)
    assert {found[name]["reason"] for name in OF_STORAGE[:2]} == {"wrong-key"}
    assert "d3Jvbmc=" not in found["said"]
