"""The registry as it is deployed answers under the production engine as it does under devhost."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from registry_core.model.digest import Digest
from registry_core.model.messages import Kind, Message
from registry_core.model.names import RepositoryName
from registry_core.repositories.messages import QUEUE
from tests.engine.host import EngineHost
from tests.engine.process import ROOT, needs_proc
from tests.engine.protos import StatusResult
from tests.engine.test_triggers import METADATA

MIB = 1024 * 1024
UPLOAD_SIZE = 200 * MIB
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.empty.v1+json"
CONFIG = b"{}"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def repository() -> str:
    """A name that no other test uses: they share one storage account."""
    return f"team/{secrets.token_hex(4)}/web"


def push_blob(client: httpx.Client, repository: str, data: bytes) -> str:
    """Pushes `data` in a single PUT after the POST; gives its digest."""
    began = client.post(f"/v2/{repository}/blobs/uploads/")
    assert began.status_code == 202
    location = urljoin(str(client.base_url), began.headers["location"])
    answer = client.put(f"{location}&digest={digest_of(data)}", content=data)
    assert answer.status_code == 201, answer.text
    return digest_of(data)


def test_every_function_loads(registry: EngineHost) -> None:
    assert registry.engine.functions.keys() >= {"registry_v2", "healthz"}
    # One result for the app, and one for each function.
    assert len(registry.engine.load_results) == 1 + len(registry.engine.functions)
    assert {result["status"] for result in registry.engine.load_results} == {StatusResult.Success}


def test_the_function_that_keeps_an_instance_loads_only_where_a_schedule_says_when(
    registry: EngineHost, settings: dict[str, str], tmp_path: Path
) -> None:
    assert "keep_warm" not in registry.engine.functions
    kept = settings | {
        "REGISTRY_KEEP_WARM": "0 */4 6-17 * * 1-5",
        # Nobody listens there: what cannot be asked is told in the log, and is no failure.
        "WEBSITE_HOSTNAME": "localhost:9",
    }
    with EngineHost(ROOT, kept, tmp_path / "engine.log") as host:
        assert host.engine.functions.keys() == registry.engine.functions.keys() | {"keep_warm"}
        timer = host.engine.functions["keep_warm"]
        assert timer.trigger["schedule"] == "0 */4 6-17 * * 1-5"
        told = '{"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": false}'
        result = host.run(host.engine.invoke(timer, {"json": told}, None))
        assert result["status"] == StatusResult.Success


def test_a_message_is_taken_from_the_queue_and_one_that_cannot_be_read_fails(
    registry: EngineHost, client: httpx.Client, repository: str
) -> None:
    take = registry.engine.functions["take_message"]
    assert take.trigger["queueName"] == QUEUE
    assert take.trigger["connection"] == "RegistryStorage"
    digest = push_blob(client, repository, secrets.token_bytes(100))
    message = Message(
        Kind.FREED, RepositoryName(repository), (Digest.parse(digest),), datetime.now(UTC)
    )
    result = registry.run(registry.engine.invoke(take, {"string": str(message)}, METADATA))
    assert result["status"] == StatusResult.Success, result
    # It is needed by nothing, and young.
    assert client.head(f"/v2/{repository}/blobs/{digest}").status_code == 200
    result = registry.run(registry.engine.invoke(take, {"string": "{}"}, METADATA))
    assert result["status"] == StatusResult.Failure
    assert "KeyError" in result["exception"]["message"]


def test_host_json_has_a_level_for_the_lines_of_every_function_that_loads(
    registry: EngineHost,
) -> None:
    levels = json.loads((ROOT / "host.json").read_text())["logging"]["logLevel"]
    assert {f"Function.{name}.User" for name in registry.engine.functions} <= levels.keys()


def test_an_app_with_a_setting_missing_does_not_load(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="RegistryStorage__blobServiceUri: it is missing"):
        EngineHost(ROOT, {}, tmp_path / "engine.log")


def test_signed_in_the_registry_says_that_it_is_one(client: httpx.Client) -> None:
    answer = client.get("/v2/")
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


def test_not_signed_in_it_asks_for_that(client: httpx.Client) -> None:
    answer = client.get("/v2/", auth=("admin", "wrong"))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="')
    assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("registry.test", "registry.test"),
        ("we.registry.test", "we.registry.test"),
        ("evil.test", "registry.test"),
    ],
)
def test_it_is_called_by_the_name_that_the_client_used_though_host_is_the_workers(
    client: httpx.Client, name: str, told: str
) -> None:
    answer = client.get("/v2/", headers={"Host": name}, auth=None)
    assert f'realm="https://{told}/oauth2/token"' in answer.headers["www-authenticate"]


def test_it_is_called_from_the_address_that_the_front_end_tells(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """The worker's own server has put the platform's address in the place of its peer's."""
    counted = settings | {"REGISTRY_RATE_LIMIT_SIGN_IN": "1"}
    with EngineHost(ROOT, counted, tmp_path / "engine.log") as host:
        url = f"{host.base_url}/oauth2/token"
        seen = [
            httpx.get(url, headers={"CLIENT-IP": f"{address}:51234"}).status_code
            for address in ("203.0.113.7", "203.0.113.8", "203.0.113.7")
        ]
    assert seen == [401, 401, 429]


def test_a_token_is_had_and_signs_in(client: httpx.Client, registry: EngineHost) -> None:
    scope = "repository:team/app:pull"
    answer = client.get("/oauth2/token", params={"scope": scope})
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    url = f"{registry.base_url}/v2/team/app/tags/list"
    assert httpx.get(url, headers=headers).status_code == 404
    assert httpx.get(url.replace("app", "other"), headers=headers).status_code == 401


def test_the_health_of_the_storage_is_told_to_all(registry: EngineHost) -> None:
    answer = httpx.get(f"{registry.base_url}/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


class Body:
    """`UPLOAD_SIZE` bytes, no two MiB alike, never held as a whole; hashed as they are sent."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        block = secrets.token_bytes(MIB)
        for number in range(UPLOAD_SIZE // MIB):
            part = number.to_bytes(8) + block[8:]
            self.sha256.update(part)
            yield part


@needs_proc
def test_a_large_blob_streams_in_and_is_redirected_out(
    registry: EngineHost, client: httpx.Client, repository: str
) -> None:
    began = client.post(f"/v2/{repository}/blobs/uploads/")
    assert began.status_code == 202
    location = urljoin(registry.base_url, began.headers["location"])
    before = registry.engine.memory()

    body = Body()
    sent = client.patch(location, content=body)
    assert sent.request.headers["transfer-encoding"] == "chunked"
    assert (sent.status_code, sent.headers["range"]) == (202, f"0-{UPLOAD_SIZE - 1}")
    grown = registry.engine.memory("VmHWM") - before
    # The registry holds two blocks of 8 MiB, and the transports some more.
    assert grown < UPLOAD_SIZE / 2

    digest = "sha256:" + body.sha256.hexdigest()
    location = urljoin(registry.base_url, sent.headers["location"])
    wrong = client.put(f"{location}&digest={digest_of(b'else')}")
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    done = client.put(f"{location}&digest={digest}")
    assert (done.status_code, done.headers["docker-content-digest"]) == (201, digest)

    head = client.head(f"/v2/{repository}/blobs/{digest}")
    assert (head.status_code, head.headers["content-length"]) == (200, str(UPLOAD_SIZE))
    redirect = client.get(f"/v2/{repository}/blobs/{digest}")
    assert redirect.status_code == 307
    received = hashlib.sha256()
    with httpx.stream("GET", redirect.headers["location"]) as download:
        assert download.status_code == 200
        for part in download.iter_bytes():
            received.update(part)
    assert received.digest() == body.sha256.digest()


def test_the_state_of_an_upload_is_not_logged(
    registry: EngineHost, client: httpx.Client, repository: str
) -> None:
    push_blob(client, repository, b"logged")
    assert "Uvicorn running" in registry.engine.output  # Its log is on; only addresses are not.
    assert "/blobs/uploads/" not in registry.engine.output


def test_a_manifest_is_pulled_byte_for_byte(client: httpx.Client, repository: str) -> None:
    config = push_blob(client, repository, CONFIG)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": config, "size": len(CONFIG)},
            "layers": [],
            "annotations": {"org.opencontainers.image.title": "größe"},
        },
        # Unlike anything a serializer would write again.
        indent="\t ",
        ensure_ascii=False,
    ).encode()
    url = f"/v2/{repository}/manifests/v1"
    pushed = client.put(url, content=manifest, headers={"content-type": MANIFEST_TYPE})
    assert (pushed.status_code, pushed.headers["docker-content-digest"]) == (
        201,
        digest_of(manifest),
    )
    pulled = client.get(url, headers={"accept": MANIFEST_TYPE})
    assert (pulled.status_code, pulled.content) == (200, manifest)
    assert pulled.headers["content-type"] == MANIFEST_TYPE
    head = client.head(url, headers={"accept": MANIFEST_TYPE})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(manifest))
    assert head.headers["docker-content-digest"] == digest_of(manifest)
