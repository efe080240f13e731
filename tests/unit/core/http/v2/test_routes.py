from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import UnknownRoute
from registry_core.http.surface import Route
from registry_core.http.v2.routes import SURFACE
from registry_core.model.actions import Action
from tests.routes import DIGEST, id_of, paths_of


def found(path: str) -> tuple[str, dict[str, str]]:
    match = SURFACE.find(path)
    return match.kind, match.params


@pytest.mark.parametrize("route", SURFACE.routes, ids=id_of)
def test_whoever_may_only_pull_changes_nothing(route: Route) -> None:
    reads = {Action.SIGN_IN, Action.CATALOG, Action.PULL, Action.METADATA_READ}
    assert (route.action in reads) is (
        route.method in {"GET", "HEAD"} and route.kind != "upload-session"
    )


@pytest.mark.parametrize("route", SURFACE.routes, ids=id_of)
def test_whoever_may_only_push_deletes_nothing_but_an_upload(route: Route) -> None:
    """CVE-2026-61833: DELETE was allowed with push scope."""
    if route.method == "DELETE":
        assert (route.action is Action.DELETE) is (route.kind != "upload-session")


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
        SURFACE.find(path)


words = st.sampled_from(
    ["a", "blobs", "uploads", "manifests", "tags", "list", "referrers", "_catalog", "", ".."]
)


@given(st.lists(words, max_size=8).map(lambda parts: "/" + "/".join(parts)))
def test_the_parts_of_a_path_that_were_found_make_the_path_again(path: str) -> None:
    try:
        match = SURFACE.find(path)
    except UnknownRoute:
        return
    for route in match.routes.values():
        assert path in set(paths_of(route, match.params))


def test_a_hostile_path_is_matched_in_time() -> None:
    with pytest.raises(UnknownRoute):
        SURFACE.find("/" + "manifests/" * 5_000 + "/")
