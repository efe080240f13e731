"""The types by which the page reads the registry's answers, held against real answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from devhost.processes.node import find_node
from tests.e2e.browser.contents import APP, Contents
from tests.e2e.browser.house import House
from tests.e2e.clients import Crane
from tests.e2e.process import run
from tests.e2e.registry import ROOT

UI = ROOT / "ui"
SCRIPT = Path(__file__).parent / "answers.mjs"
GONE = "answers/gone"
LEFT_OUT = [
    f"{page}.manifests[].references: no answer has it"
    for page in ("manifestPage", "deletedManifestPage")
]
"""Of an index the registry tells its children where it is asked for alone, as ACR does."""


@pytest.fixture
def recorded(house: House, crane: Crane, contents: Contents) -> list[dict[str, Any]]:
    """An answer of the registry for each type, with the name that the page has for it."""
    address = house.registry.address
    for tag in ("v1", "v2"):
        crane.call("copy", f"{address}/{APP}:{tag}", f"{address}/{GONE}:{tag}")
    app, gone = APP.replace("/", "%2F"), GONE.replace("/", "%2F")
    found = []

    def record(
        shape: str, path: str, method: str = "GET", form: dict[str, str] | None = None
    ) -> None:
        body = urlencode(form).encode() if form else None
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        answer = house.registry.request(method, path, body, headers)
        assert answer.status in (200, 201, 202), (path, answer)
        found.append({"shape": shape, "answer": answer.json()})

    record("settings", "/ui/_settings.json")
    record("catalogPage", "/acr/v1/_catalog")
    record("repository", f"/acr/v1/{app}")
    record("tagPage", f"/acr/v1/{app}/_tags?orderby=timedesc")
    record("oneTag", f"/acr/v1/{app}/_tags/v1")
    record("namePage", f"/v2/{APP}/tags/list")
    record("manifestPage", f"/acr/v1/{app}/_manifests?orderby=timedesc")
    for digest in (contents.first.digest, contents.index):
        record("oneManifest", f"/acr/v1/{app}/_manifests/{digest}")
    record("usage", f"/acr/v1/{app}/_usage")
    house.slipway("usage")  # It counts the whole registry, which is told thereafter.
    record("usagePage", "/acr/v1/_usage")
    service = {"service": address}
    record(
        *("token", "/oauth2/token", "POST"),
        {
            **service,
            "grant_type": "password",
            "username": house.registry.username,
            "password": house.registry.password,
        },
    )
    entra = {"grant_type": "access_token", "access_token": house.issuer.token()}
    record("refreshToken", "/oauth2/exchange", "POST", {**service, **entra})
    answer = house.registry.request("DELETE", f"/acr/v1/{gone}/_tags/v2")
    assert answer.status == 202, answer
    record("deletedRepository", f"/acr/v1/{gone}", "DELETE")
    record("deletedTagPage", f"/acr/v1/_deleted/{gone}/_tags")
    record("deletedManifestPage", f"/acr/v1/_deleted/{gone}/_manifests")
    path = f"/acr/v1/_deleted/{gone}/_manifests/{contents.first.digest}"
    record("restored", path, "POST")
    return found


def test_every_type_of_the_page_is_that_of_a_real_answer(
    recorded: list[dict[str, Any]], scratch: Path
) -> None:
    node = find_node()
    for name in ("api/answers", "sign-in/settings"):
        vite = UI / "node_modules/vite/bin/vite.js"
        built = scratch / name.replace("/", "-")
        build = ("build", "--ssr", f"src/{name}.ts", "--outDir", built, "--emptyOutDir")
        run([node, vite, *build, "--logLevel", "error"], cwd=UI)
    (scratch / "recorded.json").write_text(json.dumps(recorded))
    files = ("api-answers/answers.js", "sign-in-settings/settings.js", "recorded.json")
    said = run([node, SCRIPT, *(scratch / file for file in files)]).text
    assert set(json.loads(said)) == set(LEFT_OUT)
