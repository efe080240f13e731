"""The registry as `make run` serves it, asked over its socket."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from devhost.processes.process import HostProcess
from tests.integration.core.support import digest_of

ROOT = Path(__file__).parents[3]
PASSWORD = "vR7-kQ2_tW9-xZ4_bN6"
PAGE = "https://pages.example.com"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.fixture(scope="module")
def host() -> Iterator[HostProcess]:
    settings = {"REGISTRY_ADMIN_PASSWORD": PASSWORD, "REGISTRY_CORS_ORIGINS": PAGE}
    with HostProcess(ROOT, settings) as running:
        yield running


@pytest.fixture
def client(host: HostProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=host.base_url, auth=("admin", PASSWORD), timeout=60) as started:
        yield started


def push(client: httpx.Client, content: bytes) -> str:
    digest = digest_of(content)
    answer = client.post(f"/v2/a/blobs/uploads/?digest={digest}", content=content)
    assert answer.status_code == 201, answer.text
    return digest


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/foo", "/v1/_ping", "/acr/v2/x", "/favicon.ico", "/v2x"])
def test_whatever_does_not_exist_is_404_with_the_errors_body_and_the_headers_of_all_answers(
    client: httpx.Client, method: str, path: str
) -> None:
    answer = client.request(method, path, auth=None)
    assert answer.status_code == 404
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-ms-correlation-request-id"]
    assert answer.headers["content-type"].startswith("application/json")
    if method != "HEAD":
        assert answer.json()["errors"][0]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_client_is_redirected_under_the_name_that_it_used(
    client: httpx.Client, host: HostProcess, name: str
) -> None:
    digest = push(client, b"redirected")
    port = urlsplit(host.base_url).port
    answer = client.get(f"/v2/a/blobs/{digest}", headers={"Host": f"{name}:{port}"})
    assert answer.status_code == 307
    assert urlsplit(answer.headers["location"]).hostname == name
    assert httpx.get(answer.headers["location"]).content == b"redirected"


def test_a_client_that_waits_to_be_told_to_send_is_refused_without_being_told(
    host: HostProcess,
) -> None:
    where = urlsplit(host.base_url)
    head = (
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((where.hostname, where.port), timeout=60) as connection:
        connection.sendall(head.encode())
        received = b""
        while data := connection.recv(65536):  # Until the host closes the connection.
            received += data
    assert received.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in received
    assert b"connection: close" in received.lower()


def test_a_page_of_a_configured_origin_reads_manifests_and_blobs(client: httpx.Client) -> None:
    digest = push(client, b"for a page")
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    asks["Access-Control-Request-Headers"] = "authorization"
    for path, methods in (
        (f"/v2/a/blobs/{digest}", "GET, HEAD"),
        ("/oauth2/token", "GET, HEAD, POST"),
    ):
        allowed = client.request("OPTIONS", path, headers=asks, auth=None)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == PAGE
        assert allowed.headers["access-control-allow-methods"] == methods
        assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    refused = client.get("/v2/", headers={"Origin": PAGE}, auth=None)
    assert refused.headers["access-control-allow-origin"] == PAGE
    assert "www-authenticate" in refused.headers["access-control-expose-headers"].lower()
    redirected = client.get(f"/v2/a/blobs/{digest}", headers={"Origin": PAGE})
    assert redirected.headers["access-control-allow-origin"] == PAGE
    # A browser says so after a redirect to a third origin.
    content = httpx.get(redirected.headers["location"], headers={"Origin": "null"})
    assert (content.content, content.headers["access-control-allow-origin"]) == (b"for a page", "*")


def test_the_command_line_finds_the_storage_by_the_line_that_is_printed(host: HostProcess) -> None:
    (line,) = [line for line in host.output.splitlines() if line.startswith("Tokens and roles: ")]
    command = line.removeprefix("Tokens and roles: ").replace("--help", "token list")
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    file = Path(line.split()[4])
    assert file.stat().st_mode & 0o777 == 0o600
