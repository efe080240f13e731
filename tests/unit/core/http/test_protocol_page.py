"""`docs/protocol.md` tells of every route, its methods, the action each takes, and every error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from registry_core import errors
from registry_core.http import surfaces
from registry_core.http.surface import Surface
from registry_core.http.surfaces import ACR, OAUTH2, SURFACES, V2

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "protocol.md").read_text()
ACR_PAGE = (DOCS / "acr-compatibility.md").read_text()
TOKEN_ROW = re.compile(r"^\| `([A-Z]+) /oauth2(/\w+)`", re.MULTILINE)


@pytest.mark.parametrize(("surface", "page"), [(V2, PAGE), (ACR, ACR_PAGE)])
def test_every_endpoint_is_documented_with_its_action_and_no_other(
    surface: Surface, page: str
) -> None:
    row = rf"^\| `([A-Z]+)` `{surface.prefix}(/[^`]*)` \| (\w+) \|"
    documented = {
        (surface.find(path).route(method), action)
        for method, path, action in re.findall(row, page, re.MULTILINE)
    }
    assert documented == {(route, str(route.action)) for route in surface.routes}


def test_every_way_to_get_a_token_is_documented_and_no_other() -> None:
    documented = {OAUTH2.find(path).route(method) for method, path in TOKEN_ROW.findall(PAGE)}
    assert documented == set(OAUTH2.routes)


def test_every_path_of_the_page_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| `GET (/(?:ui/[^`]*)?)` \|", PAGE, re.MULTILINE)
    documented = {surfaces.PAGE.find(path).route("GET") for path in rows}
    assert documented == {route for route in surfaces.PAGE.routes if route.method == "GET"} - {
        surfaces.PAGE.find("/ui").route("GET")
    }


def _all_errors(base: type[errors.RegistryError]) -> set[type[errors.RegistryError]]:
    found = set(base.__subclasses__())
    return found.union(*map(_all_errors, found))


def test_every_error_code_is_documented_and_no_other() -> None:
    known = {error.code for error in _all_errors(errors.RegistryError)}
    spelt = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)*)`", PAGE + ACR_PAGE))
    assert known <= spelt
    methods = {route.method for surface in SURFACES for route in surface.routes}
    settings = set(re.findall(r"`(REGISTRY_\w+)`", (DOCS / "settings.md").read_text()))
    assert spelt - known - methods - settings == set()
