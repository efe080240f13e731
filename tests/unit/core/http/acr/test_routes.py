"""The routes of `/acr/v1`: what a path leads to, and whoever may only read changes nothing."""

import pytest

from registry_core.errors import UnknownRoute
from registry_core.http.acr.routes import SURFACE
from registry_core.http.surface import Route
from registry_core.model.actions import Action
from tests.routes import DIGEST, id_of


@pytest.mark.parametrize("route", SURFACE.routes, ids=id_of)
def test_a_method_takes_the_action_that_acr_asks_for(route: Route) -> None:
    by_method = {
        "GET": Action.METADATA_READ,
        "PATCH": Action.METADATA_WRITE,
        "DELETE": Action.DELETE,
    }
    catalogs = {
        "/_catalog": Action.CATALOG,
        "/_usage": Action.CATALOG,
        "/_deleted/_catalog": Action.DELETED_CATALOG,
    }
    if route.pattern.startswith("/_deleted/"):
        by_method = {"GET": Action.DELETED_READ, "POST": Action.DELETED_RESTORE}
    assert route.action is catalogs.get(route.pattern, by_method.get(route.method))


@pytest.mark.parametrize(
    ("path", "kind", "params"),
    [
        ("/_catalog", "acr-catalog", {}),
        ("/a", "acr-repository", {"name": "a"}),
        ("/a/b/c", "acr-repository", {"name": "a/b/c"}),
        ("/a/b/_tags", "acr-tags", {"name": "a/b"}),
        ("/a/b/_tags/v1", "acr-tag", {"name": "a/b", "reference": "v1"}),
        ("/a/_tags/_tags", "acr-tag", {"name": "a", "reference": "_tags"}),
        ("/a/_tags/_manifests", "acr-tag", {"name": "a", "reference": "_manifests"}),
        ("/a/_manifests", "acr-manifests", {"name": "a"}),
        ("/_usage", "acr-usages", {}),
        ("/a/b/_usage", "acr-usage", {"name": "a/b"}),
        (f"/a/_manifests/{DIGEST}", "acr-manifest", {"name": "a", "reference": DIGEST}),
        ("/_deleted/_catalog", "acr-deleted-catalog", {}),
        ("/_deleted/a/b/_tags", "acr-deleted-tags", {"name": "a/b"}),
        ("/_deleted/a/_manifests", "acr-deleted-manifests", {"name": "a"}),
        (f"/_deleted/a/_manifests/{DIGEST}", "acr-restore", {"name": "a", "reference": DIGEST}),
        # These are names as far as paths tell; the grammar of names refuses them.
        ("/A", "acr-repository", {"name": "A"}),
        ("/a\n/_tags", "acr-tags", {"name": "a\n"}),
    ],
)
def test_what_follows_the_name_tells_paths_apart(
    path: str, kind: str, params: dict[str, str]
) -> None:
    match = SURFACE.find(path)
    assert (match.kind, match.params) == (kind, params)


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "//", "//a", "/a/", "/a//b", "/_tags", "/_tags/v1", "/_catalog/", "/_catalog/x"),
        *("/_usage/", "/_usage/a", "/a/_usage/", "/a/_usage/b"),
        *("/_deleted", "/_deleted/a", "/_deleted/a/_tags/v1", "/_deleted/_tags", "/a/_metadata"),
        *("/a/_tags/v1/_metadata", "/a/_tags/v1/_metadata/key", "/a/_streaming/x", "/_tags/_tags"),
        *("/a/_operations/x", "/a/_tags/", "/a/_tags/v1/", "/a/_manifests/", "/a/_manifests/x/y"),
    ],
)
def test_any_other_path_is_unknown_and_so_are_acrs_previews(path: str) -> None:
    with pytest.raises(UnknownRoute):
        SURFACE.find(path)
