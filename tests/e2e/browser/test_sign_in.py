"""Signing in to the page as everybody can: with a name and a password, with Entra ID, or not."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.browser.contents import APP, PUBLIC
from tests.e2e.browser.house import House
from tests.e2e.browser.visit import Opening, Visit

pytestmark = pytest.mark.usefixtures("contents")


def kept_by(visit: Visit) -> str:
    """All that the page has left in the browser, where a later reader could find it."""
    return str(
        visit.page.evaluate(
            "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie,"
            " location.href, history.state, Object.keys(window)])"
        )
    )


def sent_tokens(visit: Visit) -> set[str]:
    headers = [each.headers.get("authorization", "") for each in visit.watch.requests]
    return {each.removeprefix("Bearer ") for each in headers if each.startswith("Bearer ")}


def test_the_administrator_sees_everything_and_leaves_no_token_behind(
    visit: Visit, house: House
) -> None:
    visit.open("/ui/")
    visit.begin_to_sign_in()
    visit.sign_in(house.registry.username, house.registry.password)
    visit.shows("Repositories")
    expect(visit.row("public")).to_be_visible()
    expect(visit.row("team")).to_be_visible()
    visit.open(f"/ui/{APP}?tag=v1")
    # A reload forgets who is in, and keeps the address.
    visit.begin_to_sign_in()
    visit.sign_in(house.registry.username, house.registry.password)
    visit.shows(f"{APP}:v1")
    assert visit.path == f"/ui/{APP}?tag=v1"
    tokens, kept = sent_tokens(visit), kept_by(visit)
    assert tokens
    for secret in (*tokens, house.registry.password):
        assert secret not in kept
        assert all(secret not in each.url for each in visit.watch.requests)


def test_a_wrong_password_is_told_and_nobody_is_in(visit: Visit, house: House) -> None:
    visit.open("/ui/")
    visit.begin_to_sign_in()
    visit.try_to_sign_in(house.registry.username, "not-the-password")
    expect(visit.page.get_by_role("alert").filter(has_text="wrong")).to_be_visible()
    expect(visit.button("Sign out")).to_have_count(0)


def test_a_token_sees_the_repositories_that_it_names_and_a_field_for_others(
    visit: Visit, house: House
) -> None:
    name, password = house.token(
        (APP, "content/read", "metadata/read"),
        ("team/service-*".rstrip("-*"), "content/read"),
        ("charts/*", "content/read", "metadata/read"),
    )
    visit.open("/ui/")
    visit.begin_to_sign_in()
    visit.sign_in(name, password)
    visit.shows("Repositories")
    expect(visit.row("web")).to_be_visible()
    expect(visit.row("public")).to_have_count(0)
    expect(visit.page.get_by_text("charts/*")).to_be_visible()
    visit.page.get_by_label("Open a repository by its name").fill("charts/web")
    visit.button("Open").click()
    visit.shows("charts/web")
    expect(visit.row("1.2.3")).to_be_visible()
    # What it may not do is not offered.
    for refused in ("Delete…", "Locks…"):
        expect(visit.button(refused)).to_have_count(0)
    assert not [each for each in visit.watch.requests if "_catalog" in each.url]


def test_a_service_principal_signs_in_with_its_secret(visit: Visit, house: House) -> None:
    app_id, secret = str(uuid.uuid4()), "a-client-secret-QX7"
    object_id = house.assign("AcrPull", "team/*")
    house.issuer.secrets[app_id, secret] = house.issuer.claims(object_id, appid=app_id)
    visit.open(f"/ui/{APP}")
    visit.begin_to_sign_in()
    visit.sign_in(app_id, secret)
    visit.shows(APP)
    expect(visit.row("v2-arm64")).to_be_visible()
    expect(visit.button("Delete…")).to_have_count(0)


def begin_with_entra(visit: Visit, house: House, path: str) -> None:
    """Somebody with a role goes to the issuer's page, and comes back."""
    object_id = house.assign("Owner", "*")
    house.issuer.person = {"oid": object_id, "preferred_username": "ada@example.com"}
    visit.watch.expected_elsewhere = {urlsplit(house.issuer.url).netloc}
    visit.open(path)
    visit.begin_to_sign_in()
    visit.button("Sign in with Entra ID").click()
    visit.button("Sign in as ada@example.com").click()


def test_somebody_signs_in_with_entra_id_and_comes_back_to_where_they_were(
    visit: Visit, house: House
) -> None:
    begin_with_entra(visit, house, f"/ui/{APP}?tag=v1")
    expect(visit.page.get_by_text("ada@example.com")).to_be_visible()
    visit.shows(f"{APP}:v1")
    assert visit.path == f"/ui/{APP}?tag=v1"
    (authorized,) = visit.watch.asked("/oauth2/v2.0/authorize?")
    for part in ("code_challenge_method=S256", "response_type=code", "state=", "nonce="):
        assert part in authorized.url
    # The code goes to no server but the issuer's: the Functions host takes it for a key.
    assert not [
        e for e in visit.watch.requests if house.registry.address in e.url and "code=" in e.url
    ]
    tokens, kept = sent_tokens(visit), kept_by(visit)
    assert tokens
    for secret in (*tokens, "code_verifier"):
        assert secret not in kept
    # A reload signs in again without a word, because the issuer knows its visitor.
    visit.page.reload()
    expect(visit.page.get_by_text("ada@example.com")).to_be_visible()
    visit.shows(f"{APP}:v1")


def test_the_authority_is_asked_only_during_its_sign_in(visit: Visit, house: House) -> None:
    begin_with_entra(visit, house, "/ui/")
    expect(visit.page.get_by_text("ada@example.com")).to_be_visible()
    visit.shows("Repositories")
    visit.watch.elsewhere.clear()
    visit.watch.expected_elsewhere = set()
    for path in ("Usage", "Deleted", "Repositories"):
        visit.link(path).click()
        visit.shows(path)


def test_whoever_comes_back_with_another_state_is_not_signed_in(visit: Visit, house: House) -> None:
    """Somebody else's code, which an address carries in, signs nobody in (RFC 6749, 10.12)."""
    visit.open("/ui/_signed-in#code=stolen&state=forged")
    expect(visit.button("Sign in").first).to_be_visible()
    expect(visit.button("Sign out")).to_have_count(0)
    assert not visit.watch.asked("/oauth2/exchange", "POST")


def test_anybody_reads_what_is_open_and_is_offered_to_sign_in(visit: Visit) -> None:
    visit.open(f"/ui/{PUBLIC}?tag=latest")
    visit.shows(f"{PUBLIC}:latest")
    expect(visit.button("Sign in")).to_be_visible()
    for refused in ("Untag…", "Delete image…", "Tag locks…"):
        expect(visit.button(refused)).to_have_count(0)


def test_an_address_that_leads_elsewhere_is_followed_by_no_sign_in(
    visits: Opening, house: House
) -> None:
    for hostile in ("//evil.example", "https://evil.example/", "/\\evil.example", "/v2/"):
        visit = visits()
        visit.watch.expected_elsewhere = {urlsplit(house.issuer.url).netloc}
        begun = f'{{"state":"s","nonce":"n","verifier":"v","returnTo":"{hostile}"}}'
        visit.open("/ui/")
        keys = visit.page.evaluate(
            "begun => { sessionStorage.setItem('slipway.sign-in', begun); }",
            begun.replace("\\", "\\\\"),
        )
        assert keys is None
        visit.open("/ui/_signed-in#error=login_required&state=s")
        expect(visit.button("Sign in").first).to_be_visible()
        assert urlsplit(visit.page.url).netloc == house.registry.address
        assert visit.path.startswith("/ui/")


# The end of a sign-in.


def test_a_token_that_is_over_is_renewed_without_a_word(visit: Visit, house: House) -> None:
    visit.open("/ui/")
    visit.begin_to_sign_in()
    visit.sign_in(house.registry.username, house.registry.password)
    visit.shows("Repositories")
    before = len(visit.watch.asked("/oauth2/token", "POST"))
    visit.page.clock.install()
    visit.page.clock.fast_forward("01:05:00")
    visit.open_within(f"/ui/{APP}")
    expect(visit.row("v2-arm64")).to_be_visible()
    assert len(visit.watch.asked("/oauth2/token", "POST")) > before
    expect(visit.page.get_by_text("Your sign-in has ended")).to_have_count(0)


def test_when_a_sign_in_ends_the_view_stays_and_one_signs_in_again_above_it(
    visit: Visit, house: House
) -> None:
    name, password = house.token(("team/*", "content/read", "metadata/read"))
    visit.open(f"/ui/{APP}")
    visit.begin_to_sign_in()
    visit.sign_in(name, password)
    expect(visit.row("v2-arm64")).to_be_visible()
    house.slipway("token", "update", "--name", name, "--status", "disabled")
    visit.open_within("/ui/team/service-1")
    expect(visit.page.get_by_text("Your sign-in has ended")).to_be_visible()
    assert visit.path == "/ui/team/service-1"
    assert visit.page.get_by_label("User name").input_value() == name
    house.slipway("token", "update", "--name", name, "--status", "enabled")
    visit.page.get_by_label("Password").fill(password)
    visit.page.get_by_label("Password").press("Enter")
    expect(visit.page.get_by_text("Your sign-in has ended")).to_have_count(0)
    visit.open_within(f"/ui/{APP}")
    expect(visit.row("v2-arm64")).to_be_visible()


def test_a_late_401_of_an_earlier_sign_in_signs_nobody_out(visit: Visit, house: House) -> None:
    name, password = house.token(("team/*", "content/read", "metadata/read"))
    visit.open("/ui/")
    visit.begin_to_sign_in()
    visit.sign_in(name, password)
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    visit.page.route("**/oauth2/token", hold_first)
    with visit.page.expect_request("**/oauth2/token"):
        visit.open_within(f"/ui/{APP}")
    house.slipway("token", "update", "--name", name, "--status", "disabled")
    visit.button("Sign out").click()
    visit.sign_in(house.registry.username, house.registry.password)
    with visit.page.expect_response(lambda answer: answer.status == 401):
        held[0].continue_()
    visit.open_within(f"/ui/{APP}")
    expect(visit.row("v2-arm64")).to_be_visible()
    expect(visit.page.get_by_text("Your sign-in has ended")).to_have_count(0)
    expect(visit.button("Sign out")).to_be_visible()
