"""How much a pull and a push leave in the logs, the largest item of a busy registry's bill.

Lengths are computed as they were measured at Application Insights' door, on the Functions host: an
envelope around each record, and within it a line as a JSON string.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry_core.model.digest import Digest
from registry_core.model.messages import Kind, Message
from registry_core.model.names import RepositoryName
from registry_core.settings import Settings
from slipway_cli.billing import log_volume
from slipway_cli.billing.workload import (
    MESSAGES,
    Workload,
    requests_of_deletion,
    requests_of_pull,
    requests_of_push,
)
from tests.integration.core.auth.test_sign_in import Guest, basic
from tests.integration.core.collection.mailbox import collect
from tests.integration.core.support import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Client,
    connect,
    descriptor,
    digest_of,
)

ROOT = Path(__file__).resolve().parents[3]
HOST_TRACES_BYTES = 2_458
"""Of each request, where host.json lets the host's own two traces through."""
MOST_BYTES_OF_A_PULL = 30_000
"""Of sign-in and pull of an image with 8 layers; it was 69,000 before anybody looked."""
LOGIN_SERVER = "contoso-registry-westeurope.azurewebsites.net"
DOCKER = (
    "docker/28.2.2 go/go1.24.3 git-commit/45873be kernel/6.8.0-1021-azure os/linux arch/amd64 "
    "UpstreamClient(Docker-Client/28.2.2 \\(linux\\))"
)
LAYERS = 8
TOLERANCE = 0.03
"""By how much a length depends on durations, addresses and ids."""


def lets_host_traces_through() -> bool:
    levels = json.loads((ROOT / "host.json").read_text())["logging"]["logLevel"]
    functions = {name: level for name, level in levels.items() if name.startswith("Function.")}
    return levels["default"] != "Warning" or any(
        level == "Information" and not name.endswith(".User") for name, level in functions.items()
    )


class Docker:
    """A client of a registry with the names of one that is deployed, and what it leaves in logs."""

    def __init__(self, client: Client, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, logger="slipway")
        caplog.clear()
        self._client = client
        self._caplog = caplog
        self._token = ""
        self.requests = 0
        self.bytes = 0
        self.lines: dict[str, int] = {}
        """The longest line of each kind, in bytes as a JSON string."""

    async def ask(self, method: str, path: str, status: int, **more: Any) -> httpx.Response:
        """The answer to one request, which leaves at most one line."""
        sent = {
            "Host": LOGIN_SERVER,
            "User-Agent": DOCKER,
            "X-Forwarded-For": "203.0.113.117:50211",
            **more.pop("headers", {}),
        }
        answer = await Guest(self._client, self._token).ask(method, path, headers=sent, **more)
        assert answer.status_code == status, answer.text
        records = [each for each in self._caplog.records if each.name.startswith("slipway")]
        self._caplog.clear()
        assert len(records) <= 1
        self.requests += 1
        self.bytes += log_volume.REQUEST_BYTES + HOST_TRACES_BYTES * lets_host_traces_through()
        for record in records:
            text = record.getMessage()
            line, length = json.loads(text), len(json.dumps(text))
            assert line["LoginServer"] == LOGIN_SERVER
            kind = f"{line['OperationName']} {line.get('ArtifactType', '')}".strip()
            self.lines[kind] = max(length, self.lines.get(kind, 0))
            self.bytes += log_volume.ENVELOPE_BYTES + length
        return answer

    async def sign_in(self, repository: str, actions: str) -> None:
        admin = self._client.registry.settings.admin
        assert admin
        await self.ask("GET", "/v2/", 401)
        self._token = basic(admin.username, admin.passwords[0])
        query = {"service": LOGIN_SERVER, "scope": f"repository:{repository}:{actions}"}
        answer = await self.ask("GET", "/oauth2/token", 200, params=query)
        self._token = f"Bearer {answer.json()['access_token']}"

    async def push(self, repository: str, image: _Image) -> None:
        for blob in image.blobs:
            url = f"/v2/{repository}/blobs"
            await self.ask("HEAD", f"{url}/{digest_of(blob)}", 404)
            begun = await self.ask("POST", f"{url}/uploads/", 202)
            sent = await self.ask("PATCH", begun.headers["location"], 202, content=blob)
            query = {"digest": digest_of(blob)}
            location = f"{sent.headers['location']}&digest={query['digest']}"
            await self.ask("PUT", location, 201)
        url, headers = f"/v2/{repository}/manifests/2026.11.28-main", {"Content-Type": OCI_MANIFEST}
        await self.ask("PUT", url, 201, content=image.manifest, headers=headers)

    async def pull(self, repository: str, image: _Image) -> None:
        url, headers = f"/v2/{repository}", {"Accept": OCI_MANIFEST}
        await self.ask("HEAD", f"{url}/manifests/2026.11.28-main", 200, headers=headers)
        digest = digest_of(image.manifest)
        await self.ask("GET", f"{url}/manifests/{digest}", 200, headers=headers)
        for blob in image.blobs:
            await self.ask("GET", f"{url}/blobs/{digest_of(blob)}", 307)

    async def delete(self, repository: str, image: _Image) -> None:
        url = f"/v2/{repository}/manifests/{digest_of(image.manifest)}"
        await self.ask("DELETE", url, 202)


class _Image:
    """One with a config and eight layers."""

    def __init__(self) -> None:
        self.blobs = [secrets.token_bytes(64) for _ in range(LAYERS + 1)]
        config, *layers = self.blobs
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, config),
            "layers": [descriptor(OCI_LAYER, each) for each in layers],
        }
        self.manifest = json.dumps(document).encode()


@pytest.fixture
async def deployed(settings: Settings) -> AsyncIterator[Client]:
    named = replace(settings, login_servers=(LOGIN_SERVER,), region="westeurope")
    async with connect(named) as connected:
        yield connected


async def test_a_pull_leaves_no_more_than_it_may_and_the_bill_counts_what_is_left(
    deployed: Client, caplog: pytest.LogCaptureFixture
) -> None:
    repository, image = f"team-{secrets.token_hex(4)}/services/web-frontend", _Image()
    pushing, pulling = Docker(deployed, caplog), Docker(deployed, caplog)
    await pushing.sign_in(repository, "pull,push")
    await pushing.push(repository, image)
    await pulling.sign_in(repository, "pull")
    await pulling.pull(repository, image)

    assert pulling.bytes <= MOST_BYTES_OF_A_PULL
    work = Workload(layers=LAYERS, new_layers=1, pulled_layers=1)
    assert pulling.requests == requests_of_pull(work)
    assert pushing.requests == requests_of_push(work)
    assert pulling.bytes == pytest.approx(log_volume.of_pull(work) * 1000, rel=TOLERANCE)
    assert pushing.bytes == pytest.approx(log_volume.of_push(work) * 1000, rel=TOLERANCE)
    for kind, length in (pushing.lines | pulling.lines).items():
        assert log_volume.LINE_BYTES[kind] == pytest.approx(length, rel=TOLERANCE), kind


async def test_a_deletion_leaves_what_the_bill_counts_and_so_does_collection(
    deployed: Client, caplog: pytest.LogCaptureFixture
) -> None:
    repository, image = f"team-{secrets.token_hex(4)}/services/web-frontend", _Image()
    pushing, deleting = Docker(deployed, caplog), Docker(deployed, caplog)
    await pushing.sign_in(repository, "pull,push")
    await pushing.push(repository, image)
    await deleting.sign_in(repository, "delete")
    await deleting.delete(repository, image)
    digests = tuple(Digest.parse(digest_of(blob)) for blob in image.blobs)
    freed = Message(Kind.FREED, RepositoryName(repository), digests, datetime.now(UTC))
    await collect(deployed, freed)
    (record,) = [each for each in caplog.records if each.name == "slipway.collection"]

    assert deleting.requests == requests_of_deletion()
    collected = MESSAGES * log_volume.collected()
    assert deleting.bytes == pytest.approx(
        log_volume.of_deletion() * 1000 - collected, rel=TOLERANCE
    )
    for kind, length in deleting.lines.items():
        assert log_volume.LINE_BYTES[kind] == pytest.approx(length, rel=TOLERANCE), kind
    line = len(json.dumps(record.getMessage()))
    assert pytest.approx(line, rel=TOLERANCE) == log_volume.COLLECTION_LINE_BYTES, line


async def test_the_dearest_request_is_not_dearer_than_the_bill_knows(
    deployed: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """One that fails, for a long repository, with a tag and a user agent as long as they can be."""
    docker = Docker(deployed, caplog)
    await docker.sign_in("team", "pull,push")
    repository = "/".join(["a" * 50] * 5)
    url, headers = f"/v2/{repository}/manifests/{'t' * 128}", {"User-Agent": "u" * 2_000}
    await docker.ask("DELETE", url, 401, headers=headers)
    assert docker.requests == 3
    ((_, length),) = docker.lines.items() - {("Login", docker.lines["Login"])}
    assert 0.9 * log_volume.LONGEST_LINE_BYTES <= length <= log_volume.LONGEST_LINE_BYTES
