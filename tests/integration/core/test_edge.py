"""What every request passes: sign-in, routing, errors, the log line."""

import json
import logging
from base64 import b64encode
from dataclasses import replace

import pytest

from registry_core.http import health
from registry_core.http.surfaces import SURFACES
from registry_core.registry import Registry
from registry_core.settings import Settings, StorageSettings
from tests.integration.core.support import Client, connect, pieces
from tests.interference.kinds import Interference, Refuse, SeenCall
from tests.routes import path_of

PRIVATE = [
    *dict.fromkeys(
        surface.prefix + path_of(route)
        for surface in SURFACES
        if surface.is_private
        for route in surface.routes
    ),
    "/v2/",
    "/v2/NOT A NAME/manifests/latest",
    "/v2/no/such/route",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.mark.parametrize("path", PRIVATE)
async def test_without_sign_in_every_path_answers_the_same_401(client: Client, path: str) -> None:
    for method in METHODS:
        for authorization in ("", "Basic !!!", "Bearer x", "Basic " + b64encode(b"a:b").decode()):
            headers = {"Authorization": authorization}
            request = client.http.build_request(method, path, headers=headers)
            answer = await client.http.send(request, auth=None)
            assert answer.status_code == 401
            realm = 'Bearer realm="http://localhost:7071/oauth2/token",service="localhost:7071"'
            assert answer.headers["www-authenticate"].startswith(realm)
            if method != "HEAD":
                (error,) = answer.json()["errors"]
                assert error["code"] == "UNAUTHORIZED"


async def test_a_host_that_is_not_ours_is_not_echoed(client: Client) -> None:
    request = client.http.build_request("GET", "/v2/", headers={"Host": "evil.example"})
    answer = await client.http.send(request, auth=None)
    assert "evil" not in str(answer.headers)
    request = client.http.build_request("GET", "/v2/", headers={"Host": "127.0.0.1:7071"})
    answer = await client.http.send(request, auth=None)
    assert 'realm="http://127.0.0.1:7071/oauth2/token"' in answer.headers["www-authenticate"]


async def test_v2_answers_who_is_signed_in(client: Client) -> None:
    answer = await client.send("GET", "/v2/")
    assert answer.status_code == 200
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


@pytest.mark.parametrize(
    "name",
    ["A", "a//b", "../x", "a/../b", "a" * 256, "%00", "-a", "a-", "a..b", "a/", "ü", "a b", "a:b"],
)
async def test_a_name_that_is_none_is_refused_and_storage_not_touched(
    client: Client, name: str
) -> None:
    answer = await client.send("GET", f"/v2/{name.replace('/', '%252F')}/tags/list")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "NAME_INVALID")
    assert client.cost == (0, 0)


@pytest.mark.parametrize("path", ["/v2/nothing", "/v2/a/b", "/v2/a/tags", "/v2/a/blobs"])
async def test_a_path_of_no_route_is_404(client: Client, path: str) -> None:
    answer = await client.send("GET", path)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NOT_FOUND")


async def test_a_method_that_a_route_does_not_have_is_405_and_names_those_it_has(
    client: Client,
) -> None:
    answer = await client.send("POST", "/v2/a/manifests/latest")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (405, "UNSUPPORTED")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PUT"


async def test_storage_out_of_reach_is_503_with_retry_after(
    client: Client, repository: str
) -> None:
    def plan(_: SeenCall) -> Interference:
        return Refuse()

    client.hook.plan = plan
    answer = await client.send("GET", f"/v2/{repository}/manifests/latest")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_fault_of_our_own_is_500_with_the_correlation_id_and_no_more(
    client: Client, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("inner secret")

    monkeypatch.setattr(client.services.listings, "tags", fail)
    headers = {"X-Ms-Correlation-Request-Id": "abc-123"}
    answer = await client.send("GET", f"/v2/{repository}/tags/list", headers=headers)
    assert answer.status_code == 500
    assert answer.json()["errors"][0]["detail"] == {"correlationId": "abc-123"}
    assert answer.headers["x-ms-correlation-request-id"] == "abc-123"
    assert "inner secret" not in answer.text


async def test_the_log_has_one_line_a_request_and_no_secret(
    settings: Settings, repository: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert settings.admin
    async with connect(replace(settings, blob_redirect=False)) as client:
        digest = await client.push_blob(repository, b"12345")
        location = await client.begin(repository)
        await client.patch(location, b"abc")
        caplog.clear()
        await client.send("GET", f"/v2/{repository}/blobs/{digest}")
        (text,) = [r.getMessage() for r in caplog.records if r.name.startswith("slipway")]
        entry = json.loads(text)
        assert (entry["OperationName"], entry["ArtifactType"]) == ("Pull", "Blob")
        assert (entry["Repository"], entry["Digest"]) == (repository, digest)
        assert (entry["ResultDescription"], entry["Size"]) == ("200", 5)
        # The locks of the repository, then the content; the link is in memory.
        assert (entry["StorageCalls"], entry["StorageRounds"]) == (2, 2)
        assert int(entry["DurationMs"]) >= 0
        assert entry["CorrelationId"]
        caplog.clear()
        await client.patch(location, pieces(b"abcdefg"))
        (text,) = [r.getMessage() for r in caplog.records if r.name.startswith("slipway")]
        assert json.loads(text)["BytesIn"] == 7
        await client.send("GET", location)
    ours = [record for record in caplog.records if record.name != "httpx"]
    text = "\n".join(record.getMessage() for record in ours)
    assert settings.admin.passwords[0] not in text
    assert "_state" not in text
    assert location.rpartition("=")[2] not in text
    assert b64encode(f"admin:{settings.admin.passwords[0]}".encode()).decode() not in text


async def test_healthz_is_200_while_storage_is_reachable_and_503_when_not(
    client: Client, settings: Settings
) -> None:
    assert (await health.Health().get(client.registry)).status_code == 200
    nowhere = StorageSettings(
        "AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;"
        "TableEndpoint=http://127.0.0.1:9/a"
    )
    registry = Registry(replace(settings, storage=nowhere))
    try:
        answer = await health.Health().get(registry)
        assert answer.status_code == 503
        assert b"127.0.0.1" not in answer.body
    finally:
        await registry.close()
