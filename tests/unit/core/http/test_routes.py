from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import UnknownRoute, Unsupported
from registry_core.http import base, blobs, listings, manifests, routes, uploads
from registry_core.model.actions import Action

DIGEST = "sha256:" + "0" * 64
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
NAME = "team/app"
PATHS = {
    "base": "/",
    "catalog": "/_catalog",
    "tags": f"/{NAME}/tags/list",
    "referrers": f"/{NAME}/referrers/{DIGEST}",
    "manifest": f"/{NAME}/manifests/latest",
    "upload": f"/{NAME}/blobs/uploads/",
    "upload-session": f"/{NAME}/blobs/uploads/0f0e0d0c",
    "blob": f"/{NAME}/blobs/{DIGEST}",
}
# distribution-spec, "API", and the action of each in the words of ACR's scopes.
ENDPOINTS = {
    ("base", "GET"): (Action.SIGN_IN, base.get),
    ("base", "HEAD"): (Action.SIGN_IN, base.get),
    ("catalog", "GET"): (Action.CATALOG, listings.catalog),
    ("tags", "GET"): (Action.PULL, listings.tags),
    ("referrers", "GET"): (Action.PULL, listings.referrers),
    ("manifest", "HEAD"): (Action.PULL, manifests.head),
    ("manifest", "GET"): (Action.PULL, manifests.get),
    ("manifest", "PUT"): (Action.PUSH, manifests.put),
    ("manifest", "DELETE"): (Action.DELETE, manifests.delete),
    ("upload", "POST"): (Action.PUSH, uploads.post),
    ("upload-session", "GET"): (Action.PUSH, uploads.get),
    ("upload-session", "PATCH"): (Action.PUSH, uploads.patch),
    ("upload-session", "PUT"): (Action.PUSH, uploads.put),
    ("upload-session", "DELETE"): (Action.PUSH, uploads.delete),
    ("blob", "HEAD"): (Action.PULL, blobs.head),
    ("blob", "GET"): (Action.PULL, blobs.get),
    ("blob", "DELETE"): (Action.DELETE, blobs.delete),
}


def found(path: str) -> tuple[str, dict[str, str]]:
    route, params = routes.find(path)
    return route.kind, params


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_each_method_of_each_path_is_its_handlers_or_405_with_what_is_allowed(
    kind: str, method: str
) -> None:
    route, _ = routes.find(PATHS[kind])
    assert route.kind == kind
    if (kind, method) in ENDPOINTS:
        endpoint = routes.endpoint(route, method)
        assert (endpoint.action, endpoint.handler) == ENDPOINTS[kind, method]
        return
    with pytest.raises(Unsupported) as raised:
        routes.endpoint(route, method)
    allowed = sorted(m for k, m in ENDPOINTS if k == kind)
    assert raised.value.headers == {"Allow": ", ".join(allowed)}


def test_every_route_is_tried_here() -> None:
    assert {route.kind for route in routes.ROUTES} == PATHS.keys()
    assert sum(len(route.endpoints) for route in routes.ROUTES) == len(ENDPOINTS)


@pytest.mark.parametrize(
    ("path", "kind", "params"),
    [
        ("", "base", {}),
        ("/", "base", {}),
        ("/_catalog", "catalog", {}),
        ("/a/blobs/uploads", "upload", {"name": "a"}),
        ("/a/b/c/d/manifests/v1", "manifest", {"name": "a/b/c/d", "reference": "v1"}),
        # Repositories may be named like parts of paths.
        ("/blobs/blobs/x", "blob", {"name": "blobs", "digest": "x"}),
        ("/manifests/manifests/x", "manifest", {"name": "manifests", "reference": "x"}),
        ("/a/manifests/manifests/x", "manifest", {"name": "a/manifests", "reference": "x"}),
        ("/a/manifests/manifests", "manifest", {"name": "a", "reference": "manifests"}),
        ("/a/manifests/tags", "manifest", {"name": "a", "reference": "tags"}),
        ("/a/manifests/tags/list", "tags", {"name": "a/manifests"}),
        ("/tags/list/tags/list", "tags", {"name": "tags/list"}),
        ("/a/tags/list/manifests/x", "manifest", {"name": "a/tags/list", "reference": "x"}),
        ("/a/blobs/manifests/x", "manifest", {"name": "a/blobs", "reference": "x"}),
        ("/a/manifests/blobs/x", "blob", {"name": "a/manifests", "digest": "x"}),
        ("/a/blobs/uploads/x", "upload-session", {"name": "a", "upload": "x"}),
        ("/a/blobs/uploads/uploads", "upload-session", {"name": "a", "upload": "uploads"}),
        ("/a/blobs/uploads/blobs/x", "blob", {"name": "a/blobs/uploads", "digest": "x"}),
        ("/a/blobs/blobs/uploads/", "upload", {"name": "a/blobs"}),
        ("/blobs/uploads/blobs/uploads/", "upload", {"name": "blobs/uploads"}),
        ("/uploads/blobs/uploads/x", "upload-session", {"name": "uploads", "upload": "x"}),
        ("/a/referrers/referrers/x", "referrers", {"name": "a/referrers", "digest": "x"}),
        ("/_catalog/tags/list", "tags", {"name": "_catalog"}),
        ("/a\n/manifests/x", "manifest", {"name": "a\n", "reference": "x"}),
    ],
)
def test_what_follows_the_name_tells_paths_apart(
    path: str, kind: str, params: dict[str, str]
) -> None:
    assert found(path) == (kind, params)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/library%2Fapp/manifests/v1", {"name": "library/app", "reference": "v1"}),
        (
            f"/library%2fapp/manifests/{DIGEST.replace(':', '%3A')}",
            {"name": "library/app", "reference": DIGEST},
        ),
        ("/a%2Fmanifests%2Fv1/manifests/x", {"name": "a/manifests/v1", "reference": "x"}),
    ],
)
def test_slashes_and_colons_that_sdks_encode_count_as_such(
    path: str, params: dict[str, str]
) -> None:
    assert found(unquote(path)) == ("manifest", params)


@pytest.mark.parametrize(
    "path",
    [
        "//",
        "/x",
        "/_catalog/",
        "/_catalog/x",
        "/tags/list",
        "/manifests/x",
        "/blobs/x",
        "/blobs/uploads/",
        "/referrers/x",
        "/a/tags",
        "/a/tags/",
        "/a/tags/list/",
        "/a/tags/x",
        "/a/manifests",
        "/a/manifests/",
        "/a/manifests/x/",
        "/a/manifests/x/y",
        "/a/blobs",
        "/a/blobs/",
        "/a/blobs/x/y",
        "/a/blobs/uploads/x/y",
        "/a/blobs/uploads/x/",
        "/a/referrers/",
        "/a/signatures/x",
        "a/manifests/x",
        "/A/../manifests",
    ],
)
def test_any_other_path_is_unknown(path: str) -> None:
    with pytest.raises(UnknownRoute):
        routes.find(path)


words = st.sampled_from(
    ["a", "blobs", "uploads", "manifests", "tags", "list", "referrers", "_catalog", "", ".."]
)


@given(st.lists(words, max_size=8).map(lambda parts: "/" + "/".join(parts)))
def test_the_parts_of_a_path_that_were_found_make_the_path_again(path: str) -> None:
    try:
        kind, params = found(path)
    except UnknownRoute:
        return
    name = params.get("name", "")
    again = {
        "base": ["", "/"],
        "catalog": ["/_catalog"],
        "tags": [f"/{name}/tags/list"],
        "referrers": [f"/{name}/referrers/{params.get('digest')}"],
        "manifest": [f"/{name}/manifests/{params.get('reference')}"],
        "upload": [f"/{name}/blobs/uploads", f"/{name}/blobs/uploads/"],
        "upload-session": [f"/{name}/blobs/uploads/{params.get('upload')}"],
        "blob": [f"/{name}/blobs/{params.get('digest')}"],
    }
    assert path in again[kind]


def test_a_hostile_path_is_matched_in_time() -> None:
    with pytest.raises(UnknownRoute):
        routes.find("/" + "manifests/" * 5_000 + "/")
