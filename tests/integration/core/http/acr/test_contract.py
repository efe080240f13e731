"""What all routes of `/acr/v1` have in common, as ACR's clients count on it."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import Any

import pytest

from registry_core.access.store import Access
from registry_core.http.acr.routes import SURFACE
from registry_core.http.surface import Route
from registry_core.storage.cache import Cache
from tests.integration.core.auth.test_sign_in import Guest, basic, make_token
from tests.integration.core.http.acr.support import ALL_FALSE, ALL_TRUE, error, get
from tests.integration.core.support import (
    OCI_INDEX,
    Client,
    digest_of,
    index_of,
)
from tests.routes import id_of, path_of

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PATTERNS = {route.pattern: route for route in SURFACE.routes}
SCOPES = {
    ("GET", "/_catalog"): "registry:catalog:*",
    ("GET", "/<name>"): "repository:{}:metadata_read",
    ("PATCH", "/<name>"): "repository:{}:metadata_write",
    ("DELETE", "/<name>"): "repository:{}:delete",
    ("GET", "/<name>/_tags"): "repository:{}:metadata_read",
    ("GET", "/<name>/_tags/<reference>"): "repository:{}:metadata_read",
    ("PATCH", "/<name>/_tags/<reference>"): "repository:{}:metadata_write",
    ("DELETE", "/<name>/_tags/<reference>"): "repository:{}:delete",
    ("GET", "/<name>/_manifests"): "repository:{}:metadata_read",
    ("GET", "/<name>/_manifests/<reference>"): "repository:{}:metadata_read",
    ("PATCH", "/<name>/_manifests/<reference>"): "repository:{}:metadata_write",
    ("GET", "/_deleted/_catalog"): "registry:deleted_catalog:*",
    ("GET", "/_deleted/<name>/_tags"): "repository:{}:deleted_read",
    ("GET", "/_deleted/<name>/_manifests"): "repository:{}:deleted_read",
    ("POST", "/_deleted/<name>/_manifests/<reference>"): (
        "repository:{}:deleted_read,deleted_restore"
    ),
}
"""What ACR's challenge asks for. Written by hand."""
OURS = {
    ("GET", "/_usage"): "registry:catalog:*",
    ("GET", "/<name>/_usage"): "repository:{}:metadata_read",
}
"""The same of what ACR does not have."""


def test_the_routes_are_those_that_acr_has_and_those_that_are_known_as_ours() -> None:
    found = {(route.method, route.pattern) for route in SURFACE.routes}
    assert found == SCOPES.keys() | OURS.keys()
    assert SCOPES.keys().isdisjoint(OURS)


@pytest.mark.parametrize("route", SURFACE.routes, ids=id_of)
async def test_a_challenge_asks_for_the_scope_that_acr_asks_for(
    client: Client, repository: str, route: Route
) -> None:
    path = path_of(route, name=repository)
    answer = await Guest(client).ask(route.method, f"/acr/v1{path}")
    scope = {**SCOPES, **OURS}[route.method, route.pattern].format(repository)
    challenge = answer.headers["www-authenticate"]
    assert (answer.status_code, challenge.startswith("Bearer ")) == (401, True)
    assert challenge.endswith(f',scope="{scope}"')
    kind, name, actions = scope.split(":")
    (told,) = answer.json()["errors"]
    assert told["code"] == "UNAUTHORIZED"
    assert told["detail"] == [
        {"Type": kind, "Name": name, "Action": action} for action in actions.split(",")
    ]
    assert answer.content.endswith(b"}\n")


@pytest.mark.parametrize("route", PATTERNS.values(), ids=lambda route: route.pattern)
async def test_a_method_that_acr_does_not_have_is_405_with_those_that_it_has(
    client: Client, repository: str, route: Route
) -> None:
    image = await client.push_image(repository, "latest")
    params = {"name": repository}
    if "_manifests" in route.pattern:
        params["reference"] = image.digest
    has = {each.method for each in SURFACE.routes if each.pattern == route.pattern}
    for method in sorted(set(METHODS) - has):
        answer = await client.send(method, f"/acr/v1{path_of(route, **params)}")
        assert answer.headers["allow"] == ", ".join(sorted(has))
        assert answer.status_code == 405
        if method != "HEAD":
            assert error(answer)[1] == "UNSUPPORTED"
        assert client.trace.count == 0
    # Nothing was done by any of them.
    assert (await get(client, f"{repository}/_tags/latest"))["tag"]["digest"] == image.digest


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            "{}",
            {
                "code": "NAME_UNKNOWN",
                "message": "repository name not known to registry",
                "detail": {"name": "{}"},
            },
        ),
        ("{}/_tags/v1", {"code": "TAG_UNKNOWN", "message": "the specified tag does not exist"}),
        (
            f"{{}}/_manifests/{digest_of(b'none')}",
            {
                "code": "MANIFEST_UNKNOWN",
                "message": f"manifest {digest_of(b'none')} is not found",
            },
        ),
    ],
)
async def test_what_is_not_there_is_told_word_for_word_as_acr_tells_it(
    client: Client, repository: str, path: str, told: dict[str, Any]
) -> None:
    answer = await client.send("GET", f"/acr/v1/{path.format(repository)}")
    expected = json.loads(json.dumps(told).replace("{}", repository))
    assert (answer.status_code, answer.json()) == (404, {"errors": [expected]})


@pytest.mark.parametrize("times", [1, 2])
async def test_names_tags_and_digests_may_be_percent_encoded_in_every_route(
    client: Client, repository: str, times: int
) -> None:
    """Once, as a host hands them over decoded, and twice, as one that leaves them."""

    def encoded(text: str) -> str:
        signs = {"/": "%2F", ":": "%3A", ".": "%2E"}
        for sign, code in signs.items():
            text = text.replace(sign, code)
        return text if times == 1 else text.replace("%", "%25")

    image = await client.push_image(repository, "v1.0")
    name, digest, tag = encoded(repository), encoded(image.digest), encoded("v1.0")
    lock = {"json": {"listEnabled": True}}
    for method, path, options in (
        ("GET", f"/acr/v1/{name}", {}),
        ("PATCH", f"/acr/v1/{name}", lock),
        ("GET", f"/acr/v1/{name}/_tags", {}),
        ("GET", f"/acr/v1/{name}/_tags?digest={encoded(image.digest).replace('%25', '%')}", {}),
        ("GET", f"/acr/v1/{name}/_tags/{tag}", {}),
        ("PATCH", f"/acr/v1/{name}/_tags/{tag}", lock),
        ("GET", f"/acr/v1/{name}/_manifests", {}),
        ("GET", f"/acr/v1/{name}/_manifests/{digest}", {}),
        ("PATCH", f"/acr/v1/{name}/_manifests/{digest}", lock),
        ("DELETE", f"/acr/v1/{name}/_tags/{tag}", {}),
        ("DELETE", f"/v2/{name}/manifests/{digest}", {}),
    ):
        answer = await client.send(method, path, **options)
        assert answer.status_code == (202 if method == "DELETE" else 200), (path, answer.text)
        if method != "DELETE":
            assert answer.json()["imageName"] == repository
            assert "v1.0" in answer.text or path.endswith(name)
    assert (await client.send("DELETE", f"/acr/v1/{name}")).status_code == 404


@pytest.mark.parametrize("version", ["2021-07-01", "2019-08-15-preview", "x"])
async def test_the_version_of_the_api_is_ignored(
    client: Client, repository: str, version: str
) -> None:
    await client.push_image(repository)
    for path in (repository, f"{repository}/_tags", f"{repository}/_tags/latest"):
        plain = await get(client, path)
        assert await get(client, path, **{"api-version": version}) == plain


@pytest.mark.parametrize("listing", ["_catalog", "{}/_tags", "{}/_manifests"])
async def test_every_listing_has_the_same_limits_on_n_and_the_same_orders(
    client: Client, repository: str, listing: str
) -> None:
    await client.push_image(repository)
    url = f"/acr/v1/{listing.format(repository)}"
    for number in ("-1", "x", "", "1.5", "0x1", " 1", "٣"):
        answer = await client.send("GET", url, params={"n": number})
        assert error(answer)[:2] == (400, "PAGINATION_NUMBER_INVALID"), number
    field = listing.rpartition("/")[2].removeprefix("_")
    field = "repositories" if field == "catalog" else field
    for number, is_empty in (("0", True), ("1", False), ("1001", False), ("9" * 30, False)):
        answer = await client.send("GET", url, params={"n": number})
        assert answer.status_code == 200
        assert (answer.json()[field] is None) is is_empty
        if is_empty:
            assert "link" not in answer.headers
    for order in ("timedesc", "timeasc", "none", ""):
        assert (await client.send("GET", url, params={"orderby": order})).status_code == 200
    answer = await client.send("GET", url, params={"orderby": "name"})
    assert error(answer)[:2] == (400, "REQUEST_INVALID")


async def test_a_token_that_may_only_read_metadata_lists_and_pulls_nothing(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    name = f"reader-{secrets.token_hex(6)}"
    access = Access(client.services.connection, Cache(timedelta(0)))
    password = await make_token(access, name, f"repositories/{repository}/metadata/read")
    guest = Guest(client, basic(name, password))
    bearer = await guest.with_token(f"repository:{repository}:*")
    for who, refused in ((guest, 403), (bearer, 401)):
        for path in ("", "/_tags", "/_tags/v1", "/_manifests", f"/_manifests/{image.digest}"):
            answer = await who.ask("GET", f"/acr/v1/{repository}{path}")
            assert answer.status_code == 200, path
            assert path in ("", "/_tags/v1") or image.digest in answer.text
        for path in (
            "manifests/v1",
            f"manifests/{image.digest}",
            f"blobs/{digest_of(image.layer)}",
        ):
            for method in ("GET", "HEAD"):
                answer = await who.ask(method, f"/v2/{repository}/{path}")
                assert answer.status_code == refused
        for method, path in (("PATCH", "/_tags/v1"), ("DELETE", "/_tags/v1"), ("DELETE", "")):
            answer = await who.ask(method, f"/acr/v1/{repository}{path}", content=b"{}")
            assert answer.status_code == refused


async def test_what_is_not_listed_is_in_no_listing_of_either_api_and_is_read_and_pulled(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "hidden")
    shown = await client.push_image(repository, "shown")
    url, manifests = f"/acr/v1/{repository}", f"/v2/{repository}/manifests"
    paths = ("", "/_tags/hidden", f"/_manifests/{image.digest}")
    for path in paths:
        before = await get(client, f"{repository}{path}")
        answer = await client.send("PATCH", f"{url}{path}", json={"listEnabled": False})
        assert answer.status_code == 200
        assert str(before).replace("'listEnabled': True", "'listEnabled': False") == str(
            await get(client, f"{repository}{path}")
        )
    for order in ("", "timedesc", "timeasc"):
        tags = (await get(client, f"{repository}/_tags", orderby=order))["tags"]
        assert [entry["name"] for entry in tags] == ["shown"]
        found = (await get(client, f"{repository}/_manifests", orderby=order))["manifests"]
        assert [entry["digest"] for entry in found] == [shown.digest]
    answer = await client.send("GET", f"/v2/{repository}/tags/list")
    assert answer.json()["tags"] == ["shown"]
    for catalog in ("/acr/v1/_catalog", "/v2/_catalog"):
        answer = await client.send("GET", catalog, params={"last": repository[:-1], "n": "5"})
        assert repository not in (answer.json()["repositories"] or [])
    for reference in ("hidden", image.digest):
        for method in ("GET", "HEAD"):
            answer = await client.send(method, f"{manifests}/{reference}")
            assert (answer.status_code, answer.headers["docker-content-digest"]) == (
                200,
                image.digest,
            )


@pytest.mark.parametrize("filler", [0, 600_000], ids=["in its row", "too large for its row"])
async def test_metadata_is_read_whatever_may_not_be_pulled(
    client: Client, repository: str, filler: int
) -> None:
    image = await client.push_image(repository, "")
    index = index_of([image.descriptor], annotations={"filler": "x" * filler})
    assert (await client.put_manifest(repository, "all", index, OCI_INDEX)).status_code == 201
    digest = digest_of(index)
    paths = (repository, f"{repository}/_tags/all", f"{repository}/_manifests/{digest}")
    before = [await get(client, path) for path in paths]
    for path in paths:
        answer = await client.send("PATCH", f"/acr/v1/{path}", json=ALL_FALSE)
        assert answer.status_code == 200
    client.forget()
    pulled = await client.send("GET", f"/v2/{repository}/manifests/{digest}")
    assert error(pulled)[:2] == (405, "REGISTRY_DISALLOWED_OPERATION")
    after = [await get(client, path) for path in paths]
    assert after[2]["manifest"]["references"] == [{"digest": image.digest}]
    for path in paths:
        answer = await client.send("PATCH", f"/acr/v1/{path}", json=ALL_TRUE)
        assert answer.status_code == 200
    assert [await get(client, path) for path in paths] == before
    assert str(after) == str(before).replace(str(ALL_TRUE), str(ALL_FALSE))


async def test_attributes_are_independent_of_each_other_and_of_what_is_around(
    client: Client, repository: str
) -> None:
    """Each of the twelve is set by itself, and changes one line of one answer."""
    image = await client.push_image(repository, "v1")
    paths = (repository, f"{repository}/_tags/v1", f"{repository}/_manifests/{image.digest}")
    for changed in paths:
        for attribute in ALL_TRUE:
            for value in (False, True):
                before = {path: str(await get(client, path)) for path in paths}
                answer = await client.send(
                    "PATCH", f"/acr/v1/{changed}", json={attribute: value, "unknown": [1]}
                )
                assert answer.status_code == 200
                expected = before[changed].replace(
                    f"'{attribute}': {not value}", f"'{attribute}': {value}"
                )
                assert expected != before[changed]
                assert str(answer.json()) == expected
                after = {path: str(await get(client, path)) for path in paths}
                assert after == {**before, changed: expected}


async def test_a_value_of_a_wrong_kind_is_refused_by_name_whatever_it_is_of(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    for path in (repository, f"{repository}/_tags/v1", f"{repository}/_manifests/{image.digest}"):
        before = await get(client, path)
        body = {"writeEnabled": "no", "deleteEnabled": False, "unknown": 1}
        answer = await client.send("PATCH", f"/acr/v1/{path}", json=body)
        assert error(answer)[:2] == (400, "REQUEST_INVALID")
        assert answer.json()["errors"][0]["detail"] == {"field": "writeEnabled"}
        assert "writeEnabled" in error(answer)[2]
        assert await get(client, path) == before


async def test_no_listing_opens_a_blob_or_a_manifest(client: Client, repository: str) -> None:
    """An index of any size lists from its row, and so does what is too large for it."""
    image = await client.push_image(repository, "v1")
    index = index_of([image.descriptor], annotations={"filler": "x" * 600_000})
    assert (await client.put_manifest(repository, "all", index, OCI_INDEX)).status_code == 201
    client.forget()
    for path in ("_catalog", f"{repository}/_tags", f"{repository}/_manifests"):
        for order in ("", "timedesc", "timeasc"):
            await get(client, path, orderby=order)
            assert client.trace.calls
            for call in client.trace.calls:
                # Nothing but rows, and of those that hold manifests only what is named.
                assert call.service == "table"
                if "m%3A" in call.query:
                    assert "$select=" in call.query
                    assert "Bytes" not in call.query
