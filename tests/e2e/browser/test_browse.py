"""Looking around: what real clients pushed, as the page shows it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.contents import APP, CHART, Contents
from tests.e2e.browser.house import House
from tests.e2e.browser.visit import Visit
from tests.e2e.images import OCI_CONFIG, OCI_MANIFEST, descriptor, encode

pytestmark = pytest.mark.usefixtures("contents")

SCRIPT = "<img src=x onerror=\"alert('ran')\"><script>alert('ran')</script>"
HOSTILE = {
    "org.opencontainers.image.url": "javascript:alert('ran')",
    "org.opencontainers.image.source": "https://git.example.com/a?b=<script>",
    "org.opencontainers.image.documentation": "data:text/html,<script>alert('ran')</script>",
    "org.opencontainers.image.title": SCRIPT,
    SCRIPT: SCRIPT,
    "turned": "safe\u202egnp.exe",
    "controlled": "a\u0000b\u001b[31mred",
    "long": "x" * 100_000,
}


def test_repositories_are_a_tree_that_is_searched_as_one_types(admin: Visit) -> None:
    admin.shows("Repositories")
    expect(admin.page.get_by_role("treegrid", name="Repositories")).to_be_visible()
    admin.page.get_by_label("Filter repositories").fill("app/web")
    row = admin.row("web")
    expect(row).to_have_count(1)
    # Counts, size and time come for the rows in view.
    expect(row.get_by_role("gridcell").nth(1)).not_to_have_text("…")
    expect(row).to_contain_text("MB")
    row.get_by_role("link").click()
    admin.shows(APP)
    assert admin.path == f"/ui/{APP}"


def test_tags_come_newest_first_with_what_they_are(admin: Visit, contents: Contents) -> None:
    admin.open_within(f"/ui/{APP}")
    rows = admin.page.get_by_role("grid").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("v2-all")
    expect(admin.row("v2-all")).to_contain_text("linux/amd64")
    expect(admin.row("v2-all")).to_contain_text("linux/arm64")
    expect(admin.row("v1")).to_contain_text(contents.first.digest.removeprefix("sha256:")[:7])
    admin.page.get_by_label("Filter tags").fill("v1")
    expect(rows).to_have_count(2)


def test_an_image_tells_its_layers_config_history_and_raw_manifest(
    admin: Visit, contents: Contents
) -> None:
    admin.open_within(f"/ui/{APP}?tag=v2")
    admin.shows(f"{APP}:v2")
    main = admin.page.get_by_role("main")
    for text in ("linux/amd64", "WEB_VERSION", contents.second.digest, "layer 1"):
        expect(main).to_contain_text(text)
    for command in ("docker pull", "crane", "oras"):
        expect(admin.page.get_by_role("combobox", name="Tool")).to_contain_text(command.split()[0])
    # What is shared with another tag is told beside the layer.
    expect(main).to_contain_text("v1")
    admin.page.get_by_role("heading", name="Manifest").click()
    expect(main).to_contain_text('"schemaVersion": 2')
    # Its config is a blob, which came from the registry itself.
    config = [e for e in admin.watch.asked("/blobs/") if contents.second.config_digest in e.url]
    assert [each.headers["slipway-inline"] for each in config] == ["1"]
    assert config[0].redirected_to is None


def test_an_index_leads_to_its_platforms(admin: Visit, contents: Contents) -> None:
    admin.open_within(f"/ui/{APP}?tag=v2-all")
    admin.shows(f"{APP}:v2-all")
    admin.page.get_by_role("main").get_by_role("row").filter(has_text="arm64").get_by_role(
        "link"
    ).first.click()
    expect(admin.page.get_by_role("main")).to_contain_text("linux/arm64")
    assert "digest=sha256:" in admin.path


def test_signatures_and_sboms_are_told_of_what_they_refer_to(admin: Visit) -> None:
    admin.open_within(f"/ui/{APP}?tag=v2")
    section = admin.page.locator("section").filter(
        has=admin.page.get_by_role("heading", name="Refers to it")
    )
    expect(section).to_contain_text("SBOM")
    expect(section).to_contain_text("Sigstore bundle")


def test_a_chart_is_told_as_one_with_its_own_command(admin: Visit) -> None:
    admin.open_within(f"/ui/{CHART}?tag=1.2.3")
    main = admin.page.get_by_role("main")
    expect(main).to_contain_text("chart")
    expect(main).to_contain_text("helm pull oci://")


def test_two_tags_are_compared_by_layers_environment_and_labels(admin: Visit) -> None:
    admin.open_within(f"/ui/{APP}")
    for tag in ("v1", "v2"):
        admin.page.get_by_label(f"Choose {tag} for a comparison", exact=True).check()
    admin.page.get_by_role("link", name="Compare").click()
    main = admin.page.get_by_role("main")
    for text in ("WEB_VERSION", "org.opencontainers.image.version", "Layers"):
        expect(main).to_contain_text(text)
    assert "compare=" in admin.path


def test_usage_is_told_by_repository(admin: Visit) -> None:
    admin.link("Usage").click()
    admin.shows("Usage")
    expect(admin.row(APP)).to_contain_text("MB")


def test_whatever_is_pasted_leads_to_what_it_names(
    admin: Visit, house: House, contents: Contents
) -> None:
    box = admin.page.get_by_role("combobox", name="Go to a repository, tag or digest")
    for text, path in (
        (f"docker pull {house.registry.address}/{APP}:v1", f"/ui/{APP}?tag=v1"),
        (f"{APP}@{contents.second.digest}", f"/ui/{APP}?digest={contents.second.digest}"),
    ):
        box.fill(text)
        box.press("Enter")
        admin.page.wait_for_url(f"**{path}")


def test_every_view_has_an_address_that_can_be_shared_and_gone_back_from(admin: Visit) -> None:
    for path in (f"/ui/{APP}", f"/ui/{APP}?tag=v1", "/ui/_usage"):
        admin.open_within(path)
        assert admin.path == path
    admin.page.go_back()
    admin.shows(f"{APP}:v1")
    admin.page.go_back()
    expect(admin.row("v2-arm64")).to_be_visible()


def test_the_keyboard_is_enough(admin: Visit) -> None:
    admin.shows("Repositories")
    admin.page.keyboard.press("/")
    admin.page.keyboard.type("app/web")
    expect(admin.row("web")).to_have_count(1)
    admin.page.keyboard.press("Tab")
    admin.page.keyboard.press("j")
    for _ in range(3):
        admin.page.keyboard.press("j")
    admin.page.keyboard.press("Enter")
    admin.shows(APP)
    admin.page.keyboard.press("u")
    admin.shows("Repositories")


def test_what_does_not_exist_is_said_and_other_views_still_work(admin: Visit) -> None:
    admin.open_within("/ui/nobody/pushed/this")
    expect(admin.page.get_by_role("main")).to_contain_text("no")
    admin.open_within(f"/ui/{APP}?tag=nowhere")
    expect(admin.page.get_by_role("main")).to_contain_text("not")
    admin.open_within("/ui/..%2F..%2Fv2")
    admin.link("Repositories").first.click()
    admin.shows("Repositories")


def test_hostile_text_is_shown_as_text_and_leads_nowhere(admin: Visit, house: House) -> None:
    repository, registry = "hostile/text", house.registry
    config = encode(
        {
            "architecture": SCRIPT,
            "os": SCRIPT,
            "created": SCRIPT,
            "config": {"Env": [f"A={SCRIPT}"], "Labels": HOSTILE, "Cmd": [SCRIPT]},
            "rootfs": {"type": "layers", "diff_ids": []},
            "history": [{"created_by": SCRIPT, "comment": SCRIPT}],
        }
    )
    registry.push_blob(repository, config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "text/html",
        "config": descriptor(OCI_CONFIG, config),
        "layers": [],
        "annotations": HOSTILE,
    }
    registry.push_manifest(repository, "v1", encode(manifest), OCI_MANIFEST)
    admin.open_within(f"/ui/{repository}?tag=v1")
    main = admin.page.get_by_role("main")
    expect(main).to_contain_text("onerror=")
    expect(main).to_contain_text("controlled")
    assert admin.page.locator("main img, main script, main iframe, main svg script").count() == 0
    links = main.get_by_role("link").evaluate_all("all => all.map(each => each.href)")
    for address in links:
        assert address.startswith((f"http://{registry.address}/", "https://git.example.com/"))
    shown = main.inner_text()
    for control in ("\u202e", "\u0000", "\u001b"):
        assert control not in shown
    assert len(shown) < 50_000
