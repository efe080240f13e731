"""Audit records: every sign-in, push, pull and deletion, with ACR's column names and no secret."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from registry_core.settings import Settings
from tests.integration.core.support import Client, digest_of
from tests.integration.core.test_sign_in import SERVICE, Guest, basic

LOGIN, REPOSITORY = "ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents"
COMMON = {
    *("Category", "OperationName", "Identity", "UserTenantId", "CallerIpAddress", "LoginServer"),
    *("UserAgent", "ResultType", "ResultDescription", "DurationMs", "CorrelationId", "Region"),
}
OF_REPOSITORIES = {
    *("Repository", "Tag", "Digest", "MediaType", "ArtifactType", "Size", "SignedInElsewhere"),
}


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Any:
    """Gives the records so far, of a category."""
    caplog.set_level(logging.INFO, logger="slipway.audit")

    def of(category: str) -> list[dict[str, Any]]:
        lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "slipway.audit"]
        return [line for line in lines if line["Category"] == category]

    return of


async def test_what_is_done_to_a_repository_is_recorded(
    client: Client, repository: str, records: Any
) -> None:
    image = await client.push_image(repository, "v1")
    headers = {"User-Agent": "docker/28.2", "X-Forwarded-For": "1.1.1.1, 203.0.113.7:4711"}
    path = f"/v2/{repository}/manifests"
    answer = await client.send("GET", f"{path}/v1", headers=headers)
    await client.send("GET", f"/v2/{repository}/blobs/{digest_of(image.layer)}")
    await client.send("GET", f"{path}/none")
    await client.send("DELETE", f"{path}/v1")
    await client.send("DELETE", f"{path}/{image.digest}")
    # What only asks is none of these.
    await client.send("HEAD", f"{path}/{image.digest}")
    await client.send("GET", f"/v2/{repository}/tags/list")

    found = records(REPOSITORY)
    done = [(line["OperationName"], line["ArtifactType"], line["ResultType"]) for line in found]
    assert done == [
        ("Push", "Blob", "Succeeded"),
        ("Push", "Blob", "Succeeded"),
        ("Push", "", "Succeeded"),
        ("Pull", "", "Succeeded"),
        ("Pull", "Blob", "Succeeded"),
        ("Pull", "", "Failed"),
        ("Untag", "", "Succeeded"),
        ("Delete", "", "Succeeded"),
    ]
    assert all(line.keys() == COMMON | OF_REPOSITORIES for line in found)
    pull = found[3]
    assert (pull["Repository"], pull["Tag"], pull["Digest"]) == (repository, "v1", image.digest)
    assert (pull["Identity"], pull["UserAgent"]) == ("admin", "docker/28.2")
    assert (pull["CallerIpAddress"], pull["LoginServer"]) == ("203.0.113.7", SERVICE)
    assert (pull["MediaType"], pull["Size"]) == (
        "application/vnd.oci.image.manifest.v1+json",
        len(image.manifest),
    )
    assert pull["CorrelationId"] == answer.headers["x-ms-correlation-request-id"]
    assert found[-1]["Digest"] == image.digest


async def test_every_sign_in_is_recorded_whether_it_succeeds_or_not(
    client: Client, settings: Settings, records: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert settings.admin
    password = settings.admin.passwords[0]
    right, wrong = basic("admin", password), basic("somebody", "a-wrong-secret-QX7")
    for authorization in (right, wrong):
        guest = Guest(client, authorization)
        await guest.token("repository:a:pull")
        await guest.ask("GET", "/v2/")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"grant_type=password&username=poster&password=a-wrong-secret-QX7&service={SERVICE}"
    await Guest(client).ask("POST", "/oauth2/token", content=body, headers=form)

    found = records(LOGIN)
    assert [(line["Identity"], line["ResultDescription"]) for line in found] == [
        ("admin", "200"),
        ("admin", "200"),
        ("somebody", "401"),
        ("somebody", "401"),
        ("poster", "401"),
    ]
    assert all(line.keys() == COMMON for line in found)
    for secret in (password, "a-wrong-secret-QX7", right, wrong):
        assert secret not in caplog.text


async def test_only_what_is_a_sign_in_is_recorded_as_one(client: Client, records: Any) -> None:
    for method, path in (
        ("GET", "/oauth2/garbage"),
        ("OPTIONS", "/oauth2/token"),
        ("GET", "/oauth2/exchange"),
        ("GET", "/oauth2/keys"),
    ):
        await Guest(client).ask(method, path)
    assert records(LOGIN) == []
    await Guest(client, basic("admin", "a guess of the password")).token()
    assert len(records(LOGIN)) == 1
