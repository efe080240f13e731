"""A registry with what real clients pushed, and a browser that looks at its page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from devhost.cert import CertificateDirectory
from tests.e2e.artefact_clients import Cosign, Helm, Oras
from tests.e2e.browser.contents import Contents, push_contents
from tests.e2e.browser.house import House
from tests.e2e.browser.visit import Opening, Visit, Watch
from tests.e2e.clients import Crane, Skopeo
from tests.e2e.registry import Registry
from tests.e2e.tool import Tool
from tests.entra_issuer import EntraIssuer
from tests.patience import PATIENCE

WAIT = PATIENCE * 1000
CLIENT_ID = "0f0e0d0c-0000-4000-8000-00000000c1e4"


@pytest.fixture(scope="session")
def house(workspace: Path) -> Iterator[House]:
    """A registry of its own, by plain http as on a developer's machine; its issuer has TLS."""
    folder = workspace / "house"
    folder.mkdir()
    certificates = CertificateDirectory(folder / "certificates")
    certificates.ensure()
    with EntraIssuer(certificates.path) as issuer:
        settings = {
            "REGISTRY_ENTRA_TENANT_ID": issuer.tenant,
            "REGISTRY_ENTRA_AUTHORITY": issuer.url,
            "REGISTRY_UI_CLIENT_ID": CLIENT_ID,
            "REGISTRY_ANONYMOUS_PULL": "public/*",
            # What is taken away counts at once.
            "REGISTRY_CACHE_TTL": "0s",
            "SSL_CERT_FILE": str(issuer.ca_file),
        }
        registry = Registry(folder / "registry", settings=settings)
        try:
            issuer.applications[CLIENT_ID] = f"http://{registry.address}/ui/_signed-in"
            found = House(registry, issuer)
            found.slipway("soft-delete", "enable", "--days", "7")
            yield found
        finally:
            registry.stop()


@pytest.fixture(scope="session")
def crane(house: House, workspace: Path, environment: dict[str, str]) -> Crane:
    """Signed in to the house, not to the registry of the other tests."""
    folder = workspace / "house-crane"
    folder.mkdir()
    signed_in = Crane(house.registry, folder, environment)
    signed_in.sign_in(house.registry.password)
    return signed_in


@pytest.fixture(scope="session")
def contents(house: House, crane: Crane, workspace: Path, environment: dict[str, str]) -> Contents:
    """What clients of every kind pushed to the house. No test changes it."""
    tools: dict[str, Tool] = {}
    for tool in (Oras, Cosign, Helm, Skopeo):
        folder = workspace / f"house-{tool.name}"
        folder.mkdir()
        tools[tool.name] = tool(house.registry, folder, environment)
        tools[tool.name].sign_in(house.registry.password)
    return push_contents(house.registry, crane, tools)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. It ends with the module: tests that run loops of their own come after."""
    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        assert program, "chromium is missing; tests/e2e/setup.sh installs it"
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(chromium: Browser, registry: Registry, **options: Any) -> Visit:
    """A tab of a fresh browser."""
    context = chromium.new_context(
        ignore_https_errors=True,  # The issuer's authority is no one that a browser knows.
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
        **options,
    )
    context.set_default_timeout(WAIT)
    return Visit(context.new_page(), registry, Watch(context, registry.address))


@pytest.fixture
def visits(chromium: Browser, house: House) -> Iterator[Opening]:
    """Opens the page in a fresh browser; at the end nothing may have gone wrong in any of them."""
    made: list[Visit] = []

    def open_(**options: Any) -> Visit:
        made.append(opened(chromium, house.registry, **options))
        return made[-1]

    yield open_
    for visit in made:
        visit.watch.context.close()
        visit.watch.check()


@pytest.fixture
def visit(visits: Opening) -> Visit:
    return visits()


@pytest.fixture(scope="module")
def administrator(chromium: Browser, house: House) -> Iterator[Visit]:
    """Signed in as the administrator, once for all tests of a module."""
    visit = opened(chromium, house.registry)
    visit.open("/ui/")
    visit.begin_to_sign_in()
    visit.sign_in(house.registry.username, house.registry.password)
    yield visit
    visit.watch.context.close()


@pytest.fixture
def admin(administrator: Visit) -> Iterator[Visit]:
    """The administrator, at the list of repositories; nothing may go wrong meanwhile."""
    administrator.watch.requests.clear()
    administrator.open_within("/ui/")
    administrator.shows("Repositories")
    yield administrator
    administrator.watch.check()
