from collections.abc import Collection

import pytest

from devhost.errors import AppError
from devhost.host.routing import Route, RouteTable


def route(template: str, methods: Collection[str] | None = None, name: str = "f") -> Route:
    return Route.parse(name, template, methods)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/v2", {}),
        ("/v2/", {}),
        ("/V2/", {}),
        ("/v2/x", {"path": "x"}),
        ("/v2/x/y/", {"path": "x/y/"}),
        ("/v2/x//y", {"path": "x//y"}),
        ("/v2//x", None),
        ("/v2//", None),
        ("//v2/x", None),
        ("/v22/x", None),
        ("/", None),
    ],
)
def test_a_catch_all_takes_the_rest_of_the_path(
    path: str, parameters: dict[str, str] | None
) -> None:
    assert route("v2/{*path}").match("GET", path) == parameters


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/item/a", {"name": "a"}),
        ("/ITEM/A/", {"name": "A"}),
        ("/item/a%2Fb", {"name": "a%2Fb"}),
        ("/item/", None),
        ("/item/a/b", None),
    ],
)
def test_a_parameter_takes_exactly_one_segment(
    path: str, parameters: dict[str, str] | None
) -> None:
    assert route("item/{name}").match("GET", path) == parameters


def test_a_root_catch_all_takes_everything() -> None:
    assert route("{*path}").match("GET", "/") == {}
    assert route("{*path}").match("GET", "/a/b") == {"path": "a/b"}


def test_a_method_that_is_not_listed_does_not_match() -> None:
    assert route("x", ["GET", "post"]).match("GET", "/x") == {}
    assert route("x", ["GET", "post"]).match("POST", "/x") == {}
    assert route("x", ["GET", "post"]).match("HEAD", "/x") is None


def test_without_methods_every_method_matches() -> None:
    assert route("x").match("PROPFIND", "/x") == {}


def test_routes_are_tried_in_the_order_of_function_names_whatever_their_case() -> None:
    table = RouteTable([route("a", name="Zed"), route("{*path}", name="b"), route("a", name="C")])
    assert [each.function_name for each in table.routes] == ["b", "C", "Zed"]
    found = table.find("GET", "/a")
    assert found is not None
    assert found[0].function_name == "b"


def test_a_later_route_serves_the_method_that_an_earlier_one_does_not() -> None:
    table = RouteTable([route("{*path}", ["GET"], name="a"), route("x", ["POST"], name="b")])
    found = table.find("POST", "/x")
    assert found is not None
    assert found[0].function_name == "b"
    assert table.find("DELETE", "/x") is None


@pytest.mark.parametrize("template", ["admin/x", "Administer", "runtime/webhooks", "runtimes"])
def test_reserved_prefixes_are_refused(template: str) -> None:
    with pytest.raises(AppError, match="reserved"):
        route(template)


@pytest.mark.parametrize("template", ["a/{b?}", "{a:int}", "{a=1}", "x{a}", "{*a}/b", "a//b", "{}"])
def test_templates_that_are_not_imitated_are_refused(template: str) -> None:
    with pytest.raises(AppError):
        route(template)
