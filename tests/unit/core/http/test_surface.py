import re

import pytest
from starlette.responses import Response

from registry_core.errors import UnknownRoute, Unsupported
from registry_core.http.context import Context
from registry_core.http.surface import Route, Surface
from registry_core.http.surfaces import ACR, OAUTH2, PAGE, SURFACES, V2
from registry_core.model.actions import Action
from registry_core.model.requests import RequestKind
from tests.routes import EXAMPLES, id_of, paths_of

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ROUTES = [(surface, route) for surface in SURFACES for route in surface.routes]


@pytest.mark.parametrize(("surface", "route"), ROUTES, ids=id_of)
def test_every_path_of_a_route_leads_to_it_and_to_no_other_before_it(
    surface: Surface, route: Route
) -> None:
    for path in paths_of(route, EXAMPLES):
        found = surface.find(path)
        assert found.route(route.method) is route
        assert found.kind == route.kind
        names = re.findall(r"<(\w+)>", route.pattern)
        assert found.params == {name: EXAMPLES[name] for name in names}


@pytest.mark.parametrize(("surface", "route"), ROUTES, ids=id_of)
def test_any_other_method_is_405_with_those_that_the_path_has(
    surface: Surface, route: Route
) -> None:
    has = {each.method for each in surface.routes if each.pattern == route.pattern}
    found = surface.find(next(paths_of(route, EXAMPLES)))
    for method in set(METHODS) - has:
        with pytest.raises(Unsupported) as raised:
            found.route(method)
        assert raised.value.headers == {"Allow": ", ".join(sorted(has))}


@pytest.mark.parametrize("surface", SURFACES, ids=id_of)
def test_no_method_of_a_path_is_there_twice(surface: Surface) -> None:
    pairs = [(route.method, route.pattern) for route in surface.routes]
    assert len(set(pairs)) == len(pairs)
    kinds = {(route.pattern, route.kind) for route in surface.routes}
    assert len({pattern for pattern, _ in kinds}) == len(kinds)


@pytest.mark.parametrize(("surface", "route"), ROUTES, ids=id_of)
def test_a_route_is_open_to_all_only_where_one_signs_in_and_on_the_page(
    surface: Surface, route: Route
) -> None:
    assert (route.action is None) is (surface in (OAUTH2, PAGE))
    assert surface.is_private is (surface in (V2, ACR))


@pytest.mark.parametrize(("surface", "route"), ROUTES, ids=id_of)
def test_what_a_challenge_asks_for_allows_the_route(surface: Surface, route: Route) -> None:
    if surface.is_private:
        assert route.action in route.scope
    else:
        assert route.scope == ()


def test_whoever_pushes_is_told_to_ask_for_pull_as_well() -> None:
    async def handler(_: Context) -> Response:
        return Response()

    route = Route("PUT", "/<name>", "x", Action.PUSH, handler)
    assert route.scope == (Action.PULL, Action.PUSH)


@pytest.mark.parametrize(
    "path", ["//", "/v2/", "/oauth2/token", "/favicon.ico", "/uix", "/UI/", "/index.html", "ui/"]
)
def test_beside_the_page_every_path_is_unknown(path: str) -> None:
    with pytest.raises(UnknownRoute):
        PAGE.find(path)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "page"),
        ("/ui", "page"),
        ("/ui/", "page"),
        ("/ui/team/app/web", "page"),
        ("/ui/assets/web", "page"),
        ("/ui/settings.json", "page"),
        ("/ui/../function_app.py", "page"),
        ("/ui/a\nb", "page"),
        ("/ui/_assets/index-1a2b3c4d.js", "page-asset"),
        ("/ui/_assets/../index.html", "page-asset"),
        ("/ui/_assets/", "page-asset"),
        ("/ui/_settings.json", "page-settings"),
    ],
)
def test_no_name_of_a_repository_leads_to_a_file_of_the_page(path: str, kind: str) -> None:
    assert PAGE.find(path).kind == kind


def test_what_needs_no_storage_is_the_page_alone() -> None:
    without = {surface for surface, route in ROUTES if not route.needs_storage}
    assert without == {PAGE}


@pytest.mark.parametrize("path", ["", "/", "/tokens", "/token/x", "/x/token", "/keys/1", "token"])
def test_any_other_path_of_oauth2_is_unknown(path: str) -> None:
    with pytest.raises(UnknownRoute):
        OAUTH2.find(path)


@pytest.mark.parametrize(("surface", "route"), ROUTES, ids=id_of)
def test_every_route_counts_as_what_acr_counts_it_as(surface: Surface, route: Route) -> None:
    """By its method; a list of referrers as one besides; all of `/oauth2` as a sign-in.

    The page costs no storage, and uses up nobody's requests.
    """
    by_method = {"GET": "read", "HEAD": "read", "DELETE": "delete"}
    expected = {RequestKind(by_method.get(route.method, "write"))}
    if "referrers" in route.pattern:
        expected.add(RequestKind.REFERRERS)
    if surface is OAUTH2:
        expected = {RequestKind.SIGN_IN}
    if surface is PAGE:
        expected = set()
    assert set(route.counts_as) == expected
