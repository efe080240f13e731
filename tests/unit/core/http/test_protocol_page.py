"""`docs/protocol.md` tells of every route, its methods, the action each takes, and every error."""

from __future__ import annotations

import re
from pathlib import Path

from registry_core import errors
from registry_core.http import routes

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "protocol.md").read_text()
ROW = re.compile(r"^\| `([A-Z]+)` `/v2(/[^`]*)` \| (\w+) \|", re.MULTILINE)


def test_every_endpoint_is_documented_with_its_action_and_no_other() -> None:
    documented = {
        (route.kind, method, action)
        for method, path, action in ROW.findall(PAGE)
        for route, _ in [routes.find(path)]
    }
    served = {
        (route.kind, method, str(endpoint.action))
        for route in routes.ROUTES
        for method, endpoint in route.endpoints.items()
    }
    assert documented == served


def _all_errors(base: type[errors.RegistryError]) -> set[type[errors.RegistryError]]:
    found = set(base.__subclasses__())
    return found.union(*map(_all_errors, found))


def test_every_error_code_is_documented_and_no_other() -> None:
    known = {error.code for error in _all_errors(errors.RegistryError)}
    spelt = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)*)`", PAGE))
    assert known <= spelt
    methods = {method for route in routes.ROUTES for method in route.endpoints}
    settings = set(re.findall(r"`(REGISTRY_\w+)`", (DOCS / "settings.md").read_text()))
    assert spelt - known - methods - settings == set()
