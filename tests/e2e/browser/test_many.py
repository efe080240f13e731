"""Ten thousand repositories and a hundred thousand tags: all of them are there, few are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser.conftest import opened
from tests.e2e.browser.crowd import MANY_TAGS, REPOSITORIES, TAGS, fill
from tests.e2e.browser.visit import Visit
from tests.e2e.registry import Registry

FEW = 1000
"""So many elements a page has at most, however long its lists are."""
PAGE = 1000


@pytest.fixture(scope="module")
def crowded(workspace: Path) -> Iterator[Registry]:
    folder = workspace / "crowded"
    folder.mkdir()
    registry = Registry(folder, settings={"REGISTRY_RATE_LIMITS": "off"})
    try:
        assert registry.request("GET", "/v2/").status == 200  # Which makes the tables.
        fill(registry.storage)
        yield registry
    finally:
        registry.stop()


@pytest.fixture(scope="module")
def visit(crowded: Registry, chromium: Browser) -> Iterator[Visit]:
    visit = opened(chromium, crowded)
    visit.open("/ui/")
    visit.sign_in(crowded.username, crowded.password)
    yield visit
    visit.watch.context.close()
    visit.watch.check()


def elements(visit: Visit) -> int:
    return int(visit.page.evaluate("document.querySelectorAll('*').length"))


def test_ten_thousand_repositories_are_listed_in_pages_and_few_are_drawn(visit: Visit) -> None:
    visit.shows("Repositories")
    count = visit.page.get_by_text(f"{len(REPOSITORIES) + 1:,} repositories")
    expect(count).to_be_visible()
    assert len(visit.watch.asked("/acr/v1/_catalog?")) == -(-len(REPOSITORIES) // PAGE)
    assert elements(visit) < FEW
    # All of them are there: a search finds the last, and one scrolls from end to end.
    visit.page.get_by_label("Filter repositories").fill("app-0")
    tree = visit.page.get_by_role("treegrid")
    for key, shown in (("End", "app-09998"), ("Home", "app-00000")):
        visit.page.get_by_label("Filter repositories").press("Tab")
        visit.page.keyboard.press(key)
        expect(tree.get_by_role("row").filter(has_text=shown)).to_be_visible()
        assert elements(visit) < FEW
    # Figures are asked for rows in view, all of them in one request for each screen.
    asked = visit.watch.asked("/acr/v1/_usage")
    assert 1 <= len(asked) < 20


def test_a_hundred_thousand_tags_are_shown_as_one_scrolls_and_searched_whole(visit: Visit) -> None:
    visit.open_within(f"/ui/{MANY_TAGS}")
    grid = visit.page.get_by_role("grid", name="Tags")
    rows = grid.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("v")
    expect(visit.page.locator("main .spinner")).to_have_count(0)
    # The first rows come with the first page; figures are asked for what is in view.
    assert len(visit.watch.asked(f"/{MANY_TAGS}/_tags?")) == 1
    assert len(visit.watch.asked(f"/{MANY_TAGS}/_manifests/")) < 60
    assert elements(visit) < FEW
    for pages in (2, 3):
        rows.last.focus()
        visit.page.keyboard.press("End")
        expect(grid).to_have_attribute("aria-rowcount", str(pages * PAGE + 1))
        assert len(visit.watch.asked(f"/{MANY_TAGS}/_tags?")) == pages
        assert elements(visit) < FEW
    # A search is over all of them, and so loads all pages, each once.
    visit.page.get_by_label("Filter tags").fill("v09999")
    expect(visit.page.get_by_text(f"10 tags found in {TAGS:,}")).to_be_visible()
    assert rows.count() == 1 + 10
    asked = [each.url for each in visit.watch.asked(f"/{MANY_TAGS}/_tags?")]
    assert len(asked) == len(set(asked)) == TAGS // PAGE
    visit.page.get_by_label("Filter tags").fill("")
    for key in ("End", "Home"):
        rows.last.focus()
        visit.page.keyboard.press(key)
        expect(grid.get_by_role("row").last).to_be_visible()
        assert elements(visit) < FEW
    assert int(grid.get_attribute("aria-rowcount") or 0) == TAGS + 1
