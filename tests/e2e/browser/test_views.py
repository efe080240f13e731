"""Each view in light and dark, on a desk and on a telephone: rules of accessibility, and pictures.

With `--pictures FOLDER` a picture of each view is kept there: docs/browse.md shows some of them.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.e2e.browser.conftest import opened
from tests.e2e.browser.contents import APP, Contents
from tests.e2e.browser.house import House
from tests.e2e.browser.visit import Visit
from tests.e2e.registry import ROOT

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text()
WIDTHS = {"desk": 1280, "narrow": 390}
THEMES = ("light", "dark")
WHOLE = "main .spinner"
"""What is there until a view has all that it shows."""


def repositories(visit: Visit, _: Contents) -> Locator:
    visit.open_within("/ui/")
    return visit.page.get_by_role("treegrid")


def tags(visit: Visit, _: Contents) -> Locator:
    visit.open_within(f"/ui/{APP}")
    return visit.row("v2-arm64")


def untagged(visit: Visit, _: Contents) -> Locator:
    visit.open_within(f"/ui/{APP}?show=untagged")
    return visit.row("SBOM")


def image(visit: Visit, _: Contents) -> Locator:
    visit.open_within(f"/ui/{APP}?tag=v2")
    return visit.page.get_by_role("heading", name="Environment")


def index(visit: Visit, _: Contents) -> Locator:
    visit.open_within(f"/ui/{APP}?tag=v2-all")
    return visit.page.get_by_role("heading", name="Platforms")


def chart(visit: Visit, _: Contents) -> Locator:
    visit.open_within("/ui/charts/web?tag=1.2.3")
    return visit.page.get_by_role("heading", name="Content")


def compare(visit: Visit, _: Contents) -> Locator:
    visit.open_within(f"/ui/{APP}?compare=v1&with=v2")
    return visit.page.get_by_role("heading", name="Layers")


def usage(visit: Visit, _: Contents) -> Locator:
    visit.open_within("/ui/_usage")
    return visit.row(APP)


def deleted(visit: Visit, _: Contents) -> Locator:
    visit.open_within("/ui/_deleted")
    return visit.heading("Deleted")


def question(visit: Visit, contents: Contents) -> Locator:
    visit.open_within(f"/ui/{APP}?tag=v1")
    visit.button("Delete image…").click()
    return visit.page.get_by_role("dialog").get_by_text(contents.first.digest)


def unknown(visit: Visit, _: Contents) -> Locator:
    visit.open_within("/ui/nobody/pushed/this")
    return visit.page.get_by_role("main").get_by_text("There is no repository")


VIEWS = (
    *(repositories, tags, untagged, image, index, chart, compare, usage, deleted, question),
    unknown,
)


@pytest.fixture(scope="module", params=[(t, w) for t in THEMES for w in WIDTHS], ids="-".join)
def look(
    request: pytest.FixtureRequest, chromium: Browser, house: House
) -> Iterator[tuple[str, Visit]]:
    """The administrator's page by a theme of the system and a width, and how the two are called."""
    theme, width = request.param
    size = {"width": WIDTHS[width], "height": 800}
    visit = opened(chromium, house.registry, color_scheme=theme, viewport=size)
    visit.open("/ui/")
    visit.begin_to_sign_in()
    visit.sign_in(house.registry.username, house.registry.password)
    visit.page.evaluate(AXE)
    yield f"{theme}-{width}", visit
    visit.watch.context.close()
    visit.watch.check()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_everybody_can_use_each_view_whatever_the_theme_and_the_width(
    look: tuple[str, Visit],
    view: Any,
    contents: Contents,
    pytestconfig: pytest.Config,
) -> None:
    name, visit = look
    expect(view(visit, contents)).to_be_visible()
    expect(visit.page.locator(WHOLE)).to_have_count(0)
    if name.endswith("desk"):
        keep(visit, pytestconfig, f"{view.__name__}-{name.removesuffix('-desk')}")
    found = found_by_rules(visit)
    # Nothing of the view lies beside the window: one scrolls down, never to the side.
    width = visit.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    visit.page.keyboard.press("Escape")
    assert found == []
    assert width[0] <= width[1]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_everybody_can_sign_in_whatever_the_theme_and_the_width(
    chromium: Browser, house: House, theme: str, width: str, pytestconfig: pytest.Config
) -> None:
    size = {"width": WIDTHS[width], "height": 800}
    visit = opened(chromium, house.registry, color_scheme=theme, viewport=size)
    visit.open("/ui/")
    visit.begin_to_sign_in()
    if width == "desk":
        keep(visit, pytestconfig, f"sign-in-{theme}")
    visit.page.evaluate(AXE)
    assert found_by_rules(visit) == []
    visit.watch.context.close()
    visit.watch.check()


def found_by_rules(visit: Visit) -> list[str]:
    """What axe finds that matters, each with where it is."""
    found = visit.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def keep(visit: Visit, config: pytest.Config, name: str) -> None:
    folder: Path | None = config.getoption("--pictures")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        browser = visit.watch.context.new_cdp_session(visit.page)
        taken = browser.send("Page.captureScreenshot", {"format": "webp", "quality": 60})
        (folder / f"{name}.webp").write_bytes(b64decode(taken["data"]))
