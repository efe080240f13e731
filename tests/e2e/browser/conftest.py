"""A registry with what real clients pushed, and a browser that looks at its page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from devhost.cert import CertificateDirectory
from tests.e2e.artefact_clients import Cosign, Helm, Oras
from tests.e2e.browser.contents import Contents, push_contents
from tests.e2e.browser.house import House
from tests.e2e.browser.visit import Visit, Watch
from tests.e2e.clients import Crane, Skopeo
from tests.e2e.registry import Registry
from tests.e2e.tool import Tool
from tests.entra_issuer import EntraIssuer

WAIT = 10_000
CLIENT_ID = "0f0e0d0c-0000-4000-8000-00000000c1e4"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pictures",
        type=Path,
        help="keep a picture of each view, in light and dark, in this folder",
    )


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


@pytest.fixture
def visits(chromium: Browser, house: House) -> Iterator[Callable[..., Visit]]:
    """Opens the page in a fresh browser; at the end nothing may have gone wrong in any of them."""
    watches: list[Watch] = []

    def open_(**options: object) -> Visit:
        context = chromium.new_context(
            ignore_https_errors=True,  # The issuer's authority is no one that a browser knows.
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
            **options,  # type: ignore[arg-type]
        )
        context.set_default_timeout(WAIT)
        watch = Watch(context, house.registry.address)
        watches.append(watch)
        return Visit(context.new_page(), house.registry, watch)

    yield open_
    for watch in watches:
        watch.context.close()
        assert watch.complaints() == []
        assert watch.elsewhere <= watch.expected_elsewhere


@pytest.fixture
def visit(visits: Callable[..., Visit]) -> Visit:
    return visits()


@pytest.fixture
def admin(visit: Visit, house: House) -> Visit:
    """Signed in as the administrator."""
    visit.open("/ui/")
    visit.begin_to_sign_in()
    visit.sign_in(house.registry.username, house.registry.password)
    return visit
