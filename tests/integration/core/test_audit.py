"""Audit records: every sign-in, push, pull and deletion, with ACR's column names and no secret."""

from __future__ import annotations

import json
import logging
import secrets
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry_core.errors import Unavailable
from registry_core.http.surface import Route, Surface
from registry_core.http.surfaces import ACR, V2
from registry_core.model.change import Event, Operation
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories import plan as plan_rules
from registry_core.repositories import rows as repository_rows
from registry_core.settings import Settings
from registry_core.storage.budget import Budget, budgeted
from tests.integration.core.auth.test_sign_in import SERVICE, Guest, basic
from tests.integration.core.repositories.test_delete_many import (
    Filled,
    delete_manifests,
    is_change,
    stop_after,
)
from tests.integration.core.support import Client, Image, digest_of, push_blobs, rows
from tests.interference.kinds import Drop, Interference, Refuse, SeenCall
from tests.routes import DIGEST, id_of, path_of

LOGIN, REPOSITORY = "ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents"
COMMON = {
    *("Category", "OperationName", "Identity", "CallerIpAddress", "LoginServer", "UserAgent"),
    *("ResultType", "ResultDescription", "DurationMs", "CorrelationId", "Region"),
}
"""What every record has; columns that are empty are left out."""
FIGURES = {"Method", "Kind", "StorageCalls", "StorageRounds", "StorageMs", "BytesIn", "BytesOut"}
OF_REPOSITORIES = {
    *("Repository", "Tag", "Digest", "MediaType", "ArtifactType", "Size", "SignedInElsewhere"),
    *("UserTenantId", "SignIn"),
}


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Any:
    """Gives the records so far, of a category."""
    caplog.set_level(logging.INFO, logger="slipway.audit")

    def of(category: str) -> list[dict[str, Any]]:
        lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "slipway.audit"]
        return [defaultdict(str, line) for line in lines if line["Category"] == category]

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
    for line in found:
        assert COMMON <= line.keys() <= COMMON | OF_REPOSITORIES | FIGURES
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


async def test_a_record_names_the_header_of_an_address_that_is_not_the_usual_ones(
    client: Client, records: Any
) -> None:
    usual = {"X-Forwarded-For": "203.0.113.7:4711"}
    moved = {"X-Forwarded-For": "127.0.0.1", "CLIENT-IP": "203.0.113.7:4711"}
    for headers in (usual, moved, {**usual, "CLIENT-IP": "192.0.2.1"}):
        await client.send("GET", "/v2/", headers=headers)
    found = records(LOGIN)
    assert [line["CallerIpAddress"] for line in found] == ["203.0.113.7"] * 3
    assert [line.get("CallerIpAddressHeader") for line in found] == [None, "CLIENT-IP", None]


async def test_whatever_way_a_blob_comes_it_is_recorded_once_and_what_only_begins_is_not(
    client: Client, repository: str, records: Any
) -> None:
    content = secrets.token_bytes(64)
    digest, path = digest_of(content), f"/v2/{repository}/blobs/uploads/"
    mount = {"mount": digest, "from": repository}
    for query, status in ((mount, 202), ({"digest": digest}, 201), (mount, 201)):
        sent = content if "digest" in query else b""
        answer = await client.send("POST", path, params=query, content=sent)
        assert answer.status_code == status
    other = f"{repository}/other"
    answer = await client.send("POST", f"/v2/{other}/blobs/uploads/", params=mount)
    assert answer.status_code == 201
    await client.push_blob(other, content)
    refused = await client.commit(await client.begin(other), digest_of(b"other"), content)
    assert refused.status_code == 400
    await client.send("DELETE", f"/v2/{other}/blobs/{digest}")

    names = ("OperationName", "ArtifactType", "Repository", "Digest", "ResultType")
    assert [tuple(line[name] for name in names) for line in records(REPOSITORY)] == [
        ("Push", "Blob", repository, digest, "Succeeded"),
        ("Push", "Blob", repository, digest, "Succeeded"),
        ("Push", "Blob", other, digest, "Succeeded"),
        ("Push", "Blob", other, digest, "Succeeded"),
        ("Delete", "Blob", other, digest, "Succeeded"),
    ]


ROUTES = [(surface, route) for surface in (V2, ACR) for route in surface.routes]


@pytest.mark.parametrize(("surface", "route"), ROUTES, ids=id_of)
async def test_what_is_refused_is_recorded_as_its_row_in_the_table_says(
    client: Client, repository: str, records: Any, surface: Surface, route: Route
) -> None:
    """To somebody who has not signed in, and to the admin, where there is no repository."""
    path = surface.prefix + path_of(route, name=repository)
    media_type = "application/vnd.oci.image.manifest.v1+json"
    headers = {"Content-Type": media_type} if route.method == "PUT" else {}
    answer = await Guest(client).ask(route.method, path, headers=headers)
    assert answer.status_code == 401
    answers = [answer]
    if route.audit:
        answers.append(await client.send(route.method, path, headers=headers))
    found = records(REPOSITORY)
    if route.audit is None:
        assert found == []
        return
    assert [line["ResultDescription"] for line in found] == [str(a.status_code) for a in answers]
    assert [line["Identity"] for line in found] == ["anonymous", "admin"]
    is_tag = "<reference>" in route.pattern
    is_untag = is_tag and route.audit is Operation.DELETE
    for line, answer in zip(found, answers, strict=True):
        assert line["ResultType"] == "Failed"
        assert line["CorrelationId"] == answer.headers["x-ms-correlation-request-id"]
        assert line["OperationName"] == ("Untag" if is_untag else route.audit.value)
        assert (line["Repository"], line["Size"]) == (repository, "")
        is_blob = "<digest>" in route.pattern
        assert line["Tag"] == ("latest" if is_tag else "")
        assert line["Digest"] == (DIGEST if is_blob else "")
        assert line["ArtifactType"] == ("Blob" if is_blob else "")
        assert line["MediaType"] == headers.get("Content-Type", "")


async def test_what_acrs_own_api_changes_is_recorded(
    client: Client, repository: str, records: Any
) -> None:
    image = await client.push_image(repository, "v1")
    await client.put_manifest(repository, "v2", image.manifest)
    url, lock = f"/acr/v1/{repository}", {"readEnabled": False}
    for path in ("", "/_tags/v1", f"/_manifests/{image.digest}"):
        assert (await client.send("PATCH", f"{url}{path}", json=lock)).status_code == 200
    assert (await client.send("PATCH", url, json={})).status_code == 200
    assert (await client.send("PATCH", url, json={"readEnabled": 1})).status_code == 400
    assert (await client.send("DELETE", f"{url}/_tags/v2")).status_code == 202
    assert (await client.send("DELETE", url)).status_code == 202
    names = ("OperationName", "Tag", "Digest", "ResultType")
    # The first four are the blobs and the tags that were pushed.
    assert [tuple(line[name] for name in names) for line in records(REPOSITORY)[4:]] == [
        ("UpdateMetadata", "", "", "Succeeded"),
        ("UpdateMetadata", "v1", image.digest, "Succeeded"),
        ("UpdateMetadata", "", image.digest, "Succeeded"),
        ("UpdateMetadata", "", "", "Failed"),
        ("Untag", "v2", image.digest, "Succeeded"),
        ("Delete", "", image.digest, "Succeeded"),
    ]


async def test_a_push_that_its_content_refuses_is_recorded_as_failed(
    client: Client, repository: str, records: Any
) -> None:
    answer = await client.put_manifest(repository, digest_of(b"x"), b"{}")
    assert answer.status_code == 400
    (line,) = records(REPOSITORY)
    assert (line["OperationName"], line["ResultType"]) == ("Push", "Failed")
    assert (line["Digest"], line["Tag"]) == (digest_of(b"x"), "")


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
    for line in found:
        assert COMMON <= line.keys() <= COMMON | FIGURES
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


async def test_what_a_deletion_has_done_before_its_time_was_over_is_recorded(
    client: Client, repository: str, records: Any
) -> None:
    """It has more tags than one transaction takes away: those of the first are gone."""
    image = await client.push_image(repository, "keep")
    reference = f"{image.digest}?" + "&".join(f"tag=t{number}" for number in range(15))
    for part in range(3):
        tagged = reference.replace("=t", f"=t{part}-")
        assert (await client.put_manifest(repository, tagged, image.manifest)).is_success
    stop_after(client, 1)
    with budgeted(Budget(60)):
        answer = await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    client.hook.plan = None
    assert answer.status_code == 503
    left = (await client.send("GET", f"/v2/{repository}/tags/list")).json()["tags"]
    gone = {f"t{part}-{number}" for part in range(3) for number in range(15)} | {"keep"}
    gone -= set(left)
    *untagged, refused = records(REPOSITORY)[-len(gone) - 1 :]
    assert gone
    assert {line["Tag"] for line in untagged} == gone
    assert {(line["OperationName"], line["ResultType"]) for line in untagged} == {
        ("Untag", "Succeeded")
    }
    assert {line["Digest"] for line in untagged} == {image.digest}
    assert (refused["OperationName"], refused["ResultType"]) == ("Delete", "Failed")


@pytest.mark.rule("F5")
@pytest.mark.parametrize("is_applied", [True, False])
@pytest.mark.parametrize("of_many", [True, False])
async def test_each_tag_that_goes_is_recorded_once_whose_transaction_had_no_answer(
    client: Client, repository: str, records: Any, *, of_many: bool, is_applied: bool
) -> None:
    """So many tags go in parts; the answer to the first is lost."""
    image = await client.push_image(repository, "")
    for part in range(5):
        tags = "&".join(f"tag=t{part}-{number}" for number in range(15))
        reference = f"{image.digest}?{tags}"
        assert (await client.put_manifest(repository, reference, image.manifest)).is_success
    lost: list[SeenCall] = []

    def plan(call: SeenCall) -> Interference | None:
        if is_change(call) and not lost:
            lost.append(call)
            return Drop() if is_applied else Refuse()
        return None

    client.hook.plan = plan
    if of_many:
        events: list[Event] = []
        name = RepositoryName(repository)
        await delete_manifests(client, name, [Digest.parse(image.digest)], events)
        untagged = [each.tag for each in events if each.operation is Operation.UNTAG]
    else:
        answer = await client.send("DELETE", f"/v2/{repository}/manifests/{image.digest}")
        assert answer.status_code == 202
        found = records(REPOSITORY)
        untagged = [line["Tag"] for line in found if line["OperationName"] == "Untag"]
    assert lost
    # Two parts, and the rest goes with the manifest.
    assert len(set(untagged)) == len(untagged) == 2 * plan_rules.TAGS_A_TRANSACTION


async def test_what_a_push_has_deleted_before_its_time_was_over_is_recorded(
    client: Client, repository: str, records: Any
) -> None:
    """It goes on with a deletion of the repository that has stopped, in nobody's name."""
    filled = await Filled.make(client, repository, 100)
    stop_after(client, 2)
    with budgeted(Budget(60)), pytest.raises(Unavailable):
        await filled.delete(client)
    client.hook.plan = None
    before = await _manifests(client, repository)
    new = Image.make()
    await push_blobs(client, repository, new)
    later = datetime.now(UTC) + timedelta(minutes=3)
    client.services.pushes.now = lambda: later
    stop_after(client, 1)
    answer = await client.put_manifest(repository, "new", new.manifest)
    client.hook.plan = None
    assert answer.status_code == 503
    gone = before - await _manifests(client, repository)
    *deleted, refused = records(REPOSITORY)[-len(gone) - 1 :]
    assert gone
    assert {line["Digest"] for line in deleted} == gone
    assert {(line["OperationName"], line["ResultType"]) for line in deleted} == {
        ("Delete", "Succeeded")
    }
    assert {line["Identity"] for line in deleted} == {""}
    assert (refused["OperationName"], refused["ResultType"]) == ("Push", "Failed")


async def _manifests(client: Client, repository: str) -> set[str]:
    found = await rows(client, repository)
    return {
        repository_rows.MANIFESTS.rest(key)
        for key, row in found.items()
        if key in repository_rows.MANIFESTS and repository_rows.is_live(row)
    }


async def test_a_sign_in_with_a_password_is_told_by_the_password_alone(
    client: Client, records: Any
) -> None:
    for path, status in (("/v2/", 200), ("/v2/team/absent/manifests/x", 404), ("/v2/nowhere", 404)):
        assert (await client.send("GET", path)).status_code == status
    assert (await client.http.get("/v2/", auth=("admin", "a wrong one"))).status_code == 401
    assert [line["ResultType"] for line in records(LOGIN)] == ["Succeeded"] * 2 + ["Failed"]
    (line,) = records(REPOSITORY)
    assert (line["ResultType"], line["SignIn"]) == ("Failed", "Succeeded")
