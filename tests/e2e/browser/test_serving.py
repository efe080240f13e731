"""What a browser makes of the page, and of what somebody hostile has pushed beside it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser.house import House
from tests.e2e.browser.visit import Visit
from tests.e2e.images import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, descriptor, encode

SCRIPT = b"<!doctype html><script>document.title = 'ran'; alert('ran')</script>"
PICTURE = (
    b"<svg xmlns='http://www.w3.org/2000/svg'><script>document.title = 'ran'; alert('ran')</script>"
    b"</svg>"
)


def test_opening_the_page_asks_the_registry_alone_and_storage_nothing(
    visit: Visit, house: House
) -> None:
    position = house.registry.log_position()
    visit.open("/ui/team/app")
    visit.begin_to_sign_in()
    lines = [line for line in house.registry.lines_since(position) if "Kind" in line]
    kinds = {line["Kind"] for line in lines}
    assert {"page", "page-asset", "page-settings"} <= kinds
    for line in lines:
        if line["Kind"].startswith("page"):
            assert line.get("StorageCalls", 0) == 0


def test_the_policy_of_the_page_lets_no_text_become_a_script_or_markup(visit: Visit) -> None:
    visit.open("/ui/")
    visit.watch.expected_problem = "rusted"  # What was tried here is told in the console.
    for attempt in (
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
        "new DOMParser().parseFromString('<b>x</b>', 'text/html')",
        "document.createElement('script').text = 'document.title = 1'",
        "trustedTypes.createPolicy('mine', {})",
    ):
        code = f"() => {{ try {{ {attempt} }} catch (error) {{ return error.name; }} }}"
        refused = visit.page.evaluate(code)
        assert refused == "TypeError", attempt


@pytest.mark.parametrize("content", [SCRIPT, PICTURE], ids=["page", "picture"])
def test_nothing_that_was_pushed_runs_when_its_address_is_opened(
    chromium: Browser, house: House, content: bytes
) -> None:
    """As a blob, as the config of an image, and in the text of a manifest."""
    repository, registry = f"public/hostile-{len(content)}", house.registry
    manifest = encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, content + b" "),
            "layers": [descriptor(OCI_LAYER, content)],
            "annotations": {content.decode(): content.decode()},
        }
    )
    for blob in (content, content + b" "):
        registry.push_blob(repository, blob)
    registry.push_manifest(repository, "latest", manifest, OCI_MANIFEST)
    base = f"http://{registry.address}/v2/{repository}"
    blobs = [f"{base}/blobs/{descriptor('', each)['digest']}" for each in (content, content + b" ")]
    inline = {"Slipway-Inline": "1"}
    addresses = [(address, inline) for address in blobs]
    addresses += [(f"{base}/manifests/latest", {}), (f"{base}/manifests/{content.hex()}", {})]
    addresses += [(f"http://{registry.address}/{content.decode()}", {})]
    for address, headers in addresses:
        context = chromium.new_context(extra_http_headers=headers, accept_downloads=True)
        page = context.new_page()
        page.on("dialog", lambda dialog: pytest.fail(f"it ran: {dialog.message}"))
        if headers:
            with page.expect_download() as download:
                page.evaluate("address => { location = address; }", address)
            assert download.value.path().read_bytes() in (content, content + b" ")
        else:
            page.goto(address)
        assert page.title() != "ran"
        context.close()


def test_no_page_of_elsewhere_can_frame_the_registry(
    visits: Callable[..., Visit], house: House
) -> None:
    visit = visits()
    visit.watch.expected_problem = "frame-ancestors"
    visit.page.set_content(f'<iframe src="http://{house.registry.address}/ui/"></iframe>')
    frame = visit.page.frames[1]
    frame.wait_for_load_state()
    assert frame.url.startswith("chrome-error:") or frame.locator("#page").count() == 0
