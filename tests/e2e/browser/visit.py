"""A look at the page in a real browser, and what the browser had to say of it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, Request, expect

from tests.e2e.registry import Registry

_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", event =>
  console.error("Policy: " + event.violatedDirective + " " + event.blockedURI));
"""


class Watch:
    """What must not happen in a browser while the page is open, and every request that it makes."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.requests: list[Request] = []
        self.problems: list[str] = []
        self.expected_problem = ""
        """How the problems begin that a test makes on purpose."""
        self.elsewhere: set[str] = set()
        """Other hosts than the registry that were asked for something."""
        self.expected_elsewhere: set[str] = set()
        self._address = address
        context.add_init_script(_TELL_VIOLATIONS)
        context.on("request", self._take)
        context.on("weberror", lambda error: self.problems.append(str(error.error)))
        context.on("dialog", lambda dialog: self.problems.append(f"a dialog: {dialog.message}"))
        context.on("console", lambda message: self._hear(message.type, message.text))

    def asked(self, part: str, method: str = "GET") -> list[Request]:
        """The requests whose address has a text in it."""
        return [each for each in self.requests if part in each.url and each.method == method]

    def _take(self, request: Request) -> None:
        self.requests.append(request)
        host = urlsplit(request.url).netloc
        if host != self._address and not request.url.startswith(("blob:", "data:", "about:")):
            self.elsewhere.add(host)

    def _hear(self, kind: str, text: str) -> None:
        # That a request was refused is no fault of the page's.
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.problems.append(text)

    def check(self) -> None:
        """Nothing went wrong but what a test did on purpose, and nobody else was asked."""
        expected = self.expected_problem
        assert [each for each in self.problems if not (expected and expected in each)] == []
        assert self.elsewhere <= self.expected_elsewhere


class Visit:
    """One tab."""

    def __init__(self, page: Page, registry: Registry, watch: Watch) -> None:
        self.page = page
        self.registry = registry
        self.watch = watch

    def open(self, path: str) -> None:
        self.page.goto(f"http://{self.registry.address}{path}")

    def open_within(self, path: str) -> None:
        """Go to an address as a link in the page does, without loading the page anew."""
        self.page.evaluate(
            "path => { const link = document.createElement('a'); link.href = path;"
            " document.body.append(link); link.click(); link.remove(); }",
            path,
        )

    @property
    def path(self) -> str:
        found = urlsplit(self.page.url)
        return found.path + (f"?{found.query}" if found.query else "")

    def begin_to_sign_in(self) -> None:
        """Leave what anybody may see, for the fields that ask for a user name and a password."""
        self.button("Sign in").click()
        expect(self.page.get_by_label("Password")).to_be_visible()

    def sign_in(self, username: str, password: str) -> None:
        """Type both, and see that somebody is in."""
        self.try_to_sign_in(username, password)
        expect(self.button("Sign out")).to_be_visible()

    def try_to_sign_in(self, username: str, password: str) -> None:
        self.page.get_by_label("User name").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_label("Password").press("Enter")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name, exact=True)

    def row(self, text: str) -> Locator:
        """The row of a grid that has a text."""
        return self.page.get_by_role("row").filter(has_text=text)

    def heading(self, name: str) -> Locator:
        return self.page.get_by_role("heading", level=1).filter(has_text=name)

    def shows(self, name: str) -> None:
        """Wait for the view with that heading, whole."""
        expect(self.heading(name)).to_be_visible()

    def confirm(self, button: str, told: str) -> None:
        """Press the button of the open question, and see what the page says has happened.

        It goes on saying so for a while, so `told` is what nothing before has told.
        """
        self.page.get_by_role("dialog").get_by_role("button", name=button).click()
        expect(self.page.get_by_role("status").filter(has_text=told)).to_be_visible()


Opening = Callable[..., Visit]
