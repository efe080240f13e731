"""Deleting, locking and restoring in the page: asked once, told afterwards, and really done."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.house import House
from tests.e2e.browser.visit import Opening, Visit
from tests.e2e.clients import Crane
from tests.e2e.images import Image, Layer, incompressible, tar


@pytest.fixture
def pushed(house: House, crane: Crane, request: pytest.FixtureRequest) -> tuple[str, Image]:
    """A repository of the test's own with an image that has two tags, pushed by crane."""
    test = request.node.name.removeprefix("test_")[:40].strip("_")
    repository = f"changes/{test.replace('_', '-')}"
    image = Image((Layer(tar({"data": incompressible(1000, repository)})),))
    name = f"{house.registry.address}/{repository}"
    crane.load(image, f"{name}:v1")
    crane.push(f"{name}:v1")
    crane.call("tag", f"{name}:v1", "latest")
    return repository, image


def has(house: House, repository: str, reference: str) -> bool:
    return house.registry.has_manifest(repository, reference)


def test_a_tag_is_taken_away_and_the_image_stays(
    admin: Visit, house: House, pushed: tuple[str, Image]
) -> None:
    repository, image = pushed
    admin.open_within(f"/ui/{repository}?tag=latest")
    admin.button("Untag…").click()
    admin.confirm("Untag", "Took the tag latest away")
    expect(admin.row("v1")).to_be_visible()
    expect(admin.row("latest")).to_have_count(0)
    assert not has(house, repository, "latest")
    assert has(house, repository, image.digest)


def test_an_image_goes_with_its_tags_which_are_named_first_and_comes_back(
    admin: Visit, house: House, pushed: tuple[str, Image]
) -> None:
    repository, image = pushed
    admin.open_within(f"/ui/{repository}?tag=v1")
    admin.button("Delete image…").click()
    question = admin.page.get_by_role("dialog")
    for text in ("2 tags", "v1", "latest", image.digest):
        expect(question).to_contain_text(text)
    assert has(house, repository, "v1")
    admin.confirm("Delete", f"of {repository}")
    assert not has(house, repository, image.digest)
    admin.open_within("/ui/_deleted")
    admin.link(repository).click()
    admin.row(image.digest.removeprefix("sha256:")[:12]).get_by_role(
        "button", name="Restore…"
    ).click()
    admin.confirm("Restore", f"in {repository}")
    for reference in (image.digest, "v1", "latest"):
        assert has(house, repository, reference)


def test_a_repository_goes_as_a_whole_after_its_counts_were_told(
    admin: Visit, house: House, pushed: tuple[str, Image]
) -> None:
    repository, image = pushed
    admin.open_within(f"/ui/{repository}")
    admin.button("Delete…").click()
    admin.confirm("Delete 1 manifest and 2 tags", f"Deleted {repository}")
    admin.shows("Repositories")
    assert not has(house, repository, image.digest)


def test_a_question_that_is_left_changes_nothing(
    admin: Visit, house: House, pushed: tuple[str, Image]
) -> None:
    repository, _ = pushed
    admin.open_within(f"/ui/{repository}?tag=v1")
    admin.button("Delete image…").click()
    admin.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    admin.button("Untag…").click()
    expect(admin.page.get_by_role("dialog")).to_be_visible()
    admin.page.keyboard.press("Escape")
    expect(admin.page.get_by_role("dialog")).to_have_count(0)
    assert not [e for e in admin.watch.requests if e.method not in ("GET", "POST")]
    assert has(house, repository, "v1")


def test_what_is_locked_cannot_be_deleted_until_it_is_unlocked(
    admin: Visit, house: House, pushed: tuple[str, Image]
) -> None:
    repository, image = pushed
    admin.open_within(f"/ui/{repository}?tag=v1")
    admin.button("Image locks…").click()
    admin.page.get_by_role("dialog").get_by_role("button", name="Lock against changes").click()
    admin.confirm("Set", "Locked")
    answer = house.registry.request("DELETE", f"/v2/{repository}/manifests/{image.digest}")
    assert answer.status == 405
    admin.button("Delete image…").click()
    question = admin.page.get_by_role("dialog")
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(question.get_by_role("alert")).to_contain_text("lock")
    question.get_by_role("button", name="Cancel").click()
    admin.button("Image locks…").click()
    admin.page.get_by_role("dialog").get_by_role("button", name="Unlock all").click()
    admin.confirm("Set", "Unlocked")
    admin.button("Delete image…").click()
    admin.confirm("Delete", f"of {repository}")
    assert not has(house, repository, image.digest)


def test_a_right_that_is_taken_away_meanwhile_is_refused_by_the_registry_and_told(
    visits: Opening, house: House, pushed: tuple[str, Image]
) -> None:
    """The page only hides: it is the registry that refuses."""
    repository, image = pushed
    rights = (repository, "content/read", "content/delete", "metadata/read")
    name, password = house.token(rights)
    visit = visits()
    visit.open(f"/ui/{repository}?tag=v1")
    visit.begin_to_sign_in()
    visit.sign_in(name, password)
    visit.button("Delete image…").click()
    house.slipway(
        *("scope-map", "update", "--name", f"{name}-scope-map"),
        *("--remove-repository", repository, "content/delete"),
    )
    question = visit.page.get_by_role("dialog")
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(question.get_by_role("alert")).not_to_be_empty()
    assert has(house, repository, image.digest)
