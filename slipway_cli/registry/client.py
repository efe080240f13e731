"""Requests to a registry: signed in as it asks for it, tried again where it says so, in pages.

It speaks to `/v2`, `/acr/v1` and `/oauth2` like any other client, and needs no storage.
"""

from __future__ import annotations

import asyncio
import json
import re
import urllib.parse
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from registry_core.errors import reason_of
from slipway_cli.command import CommandError, NotSignedIn, say
from slipway_cli.output.text import clean
from slipway_cli.registry import azure
from slipway_cli.registry.credential_files import Credential, Found
from slipway_cli.registry.credentials import SignIn
from slipway_cli.registry.server import Answer, Server
from slipway_cli.registry.wire import Wire

MAX_TRIES = 5
MAX_WAIT_SECONDS = 30
"""The longest that a registry may ask to wait before the next try."""
PAGE = 1000
"""How many entries of a list are asked for at once; the registry may answer fewer."""

_MAX_WORDS = 500
"""How many characters of an error are repeated."""
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_BUSY = (429, 503)
_CHALLENGE = re.compile(r'^Bearer .*\bservice="([^"]*)"', re.IGNORECASE)
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')


class Refused(CommandError):
    """The registry answered with an error: its words, then what to do."""

    def __init__(self, answer: Answer, advice: str = "") -> None:
        self.answer = answer
        self.reason = refusal(answer)
        super().__init__(f"{self.reason}. {advice}" if advice else self.reason)


class Missing(Refused):
    """It is not there."""


class Locked(Refused):
    """It is not allowed now: a lock, or a setting of the registry."""


class Denied(Refused, NotSignedIn):
    """Who asks has not signed in, or may not do this."""


def refusal(answer: Answer) -> str:
    """What an answer says, in the registry's words."""
    words = clean(reason_of(answer.body)[:_MAX_WORDS])
    return words or f"the registry answered {answer.status}"


@dataclass(frozen=True)
class Scope:
    """What a token is asked for."""

    kind: str
    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}:{','.join(self.actions)}"


CATALOG = Scope("registry", "catalog", ("*",))
DELETED_CATALOG = Scope("registry", "deleted_catalog", ("*",))


def repository_scope(name: object, *actions: str) -> Scope:
    """Of the actions `pull`, `push`, `delete`, `metadata_read` and `metadata_write`."""
    return Scope("repository", str(name), actions)


class Client:
    """A registry, for whoever was found to sign in.

    async with Client(server, await credentials.find(arguments, server)) as client:
        document = await client.get("/acr/v1/team%2Fweb", repository_scope("team/web", …))

    `tell` is told what people should know meanwhile: that it has to wait, say.
    """

    def __init__(self, server: Server, sign_in: SignIn, tell: Callable[[str], None] = say) -> None:
        self.server = server
        self.sign_in = sign_in
        self._tell = tell
        self._wire = Wire(server, tell)
        self._signing_in = asyncio.Lock()
        self._service: str | None = None
        self._tokens: dict[Scope, str] = {}
        """By scope; empty where nobody signs in."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wire.close()

    # Requests.

    async def get(self, path: str, scope: Scope) -> dict[str, Any]:
        """The document at a path. Raises `Refused` and other errors of `CommandError`."""
        return document_of(await self.request("GET", path, scope))

    async def pages(self, path: str, scope: Scope, member: str) -> AsyncGenerator[list[Any], None]:
        """The pages of a list, by the member of the document that has the entries.

        All of them, or `CommandError`: a part is never taken for the whole.
        """
        seen = set[str]()
        while path:
            if path in seen:
                raise CommandError(
                    "the registry leads from page to page in a circle: the list is not complete"
                )
            seen.add(path)
            answer = await self.request("GET", path, scope)
            entries = document_of(answer).get(member)
            if not isinstance(entries, list | None):
                raise unreadable()
            yield entries or []
            path = self._next(answer)

    async def request(
        self,
        method: str,
        path: str,
        scope: Scope,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A request that succeeds. Raises `Refused`."""
        answer = await self.send(method, path, scope, body, headers)
        if answer.status >= 300:
            raise self.refused(answer, scope)
        return answer

    async def delete(self, path: str, scope: Scope) -> None:
        """Deletes something. It is also done if it went by a try whose answer was another.

        Raises `Refused`.
        """
        for number in range(1, MAX_TRIES + 1):
            answer = await self.send("DELETE", path, scope, tries=1)
            if answer.status < 300 or (answer.status == 404 and number > 1):
                return
            if answer.status not in _BUSY or number == MAX_TRIES:
                raise self.refused(answer, scope)
            await self.wait(answer)

    async def send(
        self,
        method: str,
        path: str,
        scope: Scope,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int = MAX_TRIES,
    ) -> Answer:
        """A request and its answer, whatever it says; tried again while the registry is busy.

        Every request that is sent here may be repeated without harm.
        """
        sent, content = dict(headers or {}), None
        if body is not None:
            content = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        for number in range(1, tries + 1):
            answer = await self._authorized(method, path, scope, sent, content)
            if answer.status not in _BUSY or number == tries:
                return answer
            await self.wait(answer)
        raise AssertionError("there is at least one try")

    async def wait(self, answer: Answer) -> None:
        """Waits for as long as an answer asks for, and says so."""
        text = answer.headers.get("retry-after", "")
        seconds = min(int(text), MAX_WAIT_SECONDS) if text.isascii() and text.isdigit() else 2
        self._tell(f"{refusal(answer)} - trying again in {seconds} s")
        await asyncio.sleep(seconds)

    # Signing in.

    async def _authorized(
        self, method: str, path: str, scope: Scope, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        token = await self.token(scope)
        answer = await self._wire.exchange(method, path, {**headers, **_bearer(token)}, body)
        challenge = answer.headers.get("www-authenticate", "")
        if answer.status == 401 and token and "insufficient_scope" not in challenge:
            token = await self.renew(scope, token)
            answer = await self._wire.exchange(method, path, {**headers, **_bearer(token)}, body)
        return answer

    async def token(self, scope: Scope) -> str:
        """A token for a scope; empty where nobody signs in. Raises `CommandError`."""
        async with self._signing_in:
            if scope not in self._tokens:
                if self._service is None:
                    self._service = await self._challenged()
                self._tokens[scope] = await self._fetch_token(scope)
            return self._tokens[scope]

    async def renew(self, scope: Scope, token: str) -> str:
        """Another token, where one was not taken: it has expired, or its keys were changed."""
        if self._tokens.get(scope) == token:
            del self._tokens[scope]
        return await self.token(scope)

    async def _challenged(self) -> str:
        """By which name the registry asks to sign in; empty if it asks for nothing."""
        answer = await self._wire.exchange("GET", "/v2/", {}, None)
        found = _CHALLENGE.search(answer.headers.get("www-authenticate", ""))
        if answer.status == 401 and found:
            return found[1]
        if answer.status != 200:
            words = reason_of(answer.body)
            raise CommandError(
                f"{self.server.url}/v2/ answered {answer.status}"
                + (f" ({clean(words)})" if words else "")
                + ": it is not the address of a registry, or the registry does not work"
            )
        return ""

    async def _fetch_token(self, scope: Scope) -> str:
        """A token, always from the registry itself: credentials go to no other server."""
        if self.sign_in.may_use_azure:
            self.sign_in.may_use_azure = False
            await self._sign_in_by_azure()
        self._tell_who()
        found = self.sign_in.found
        fields = [("scope", str(scope))]
        if self._service:
            fields.insert(0, ("service", self._service))
        answer = await self._ask_for_token(found.credential if found else None, fields)
        if answer.status in (401, 403) and found is None:
            return ""  # What is open to nobody is refused, with the advice to sign in.
        if answer.status == 401 and found is not None:
            raise NotSignedIn(
                f"{refusal(answer)}. The registry does not know {_who(found)}. Sign in again: "
                f"{self._how_to_sign_in()}"
            )
        if answer.status != 200:
            raise self.refused(answer, scope)
        token = document_of(answer).get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise unreadable()
        return token

    def _tell_who(self) -> None:
        if not self.sign_in.is_verbose:
            return
        self.sign_in.is_verbose = False
        for note in self.sign_in.notes:
            self._tell(f"slipway: {note}")
        found = self.sign_in.found
        who = f"signing in as {_who(found)}" if found else "not signing in: no credentials found"
        self._tell(f"slipway: {who}")

    async def _ask_for_token(
        self, credential: Credential | None, fields: list[tuple[str, str]]
    ) -> Answer:
        if credential and credential.is_refresh_token:
            form = [("grant_type", "refresh_token"), ("refresh_token", credential.secret), *fields]
            return await self._post("/oauth2/token", form)
        headers = {}
        if credential:
            pair = f"{credential.username}:{credential.secret}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        query = urllib.parse.urlencode(fields)
        return await self._until_not_busy("GET", f"/oauth2/token?{query}", headers, None)

    async def _sign_in_by_azure(self) -> None:
        try:
            token = await asyncio.to_thread(azure.access_token)
        except azure.NotSignedInToAzure as error:
            self.sign_in.notes.append(str(error))
            return
        form = [("grant_type", "access_token"), ("access_token", token)]
        answer = await self._post("/oauth2/exchange", [*form, ("service", self._service or "")])
        refresh_token = document_of(answer).get("refresh_token") if answer.status == 200 else None
        if isinstance(refresh_token, str):
            credential = Credential("", refresh_token, is_refresh_token=True)
            self.sign_in.found = Found(credential, "the sign-in of az")
        else:
            self.sign_in.notes.append(
                f"the registry did not take the sign-in of az ({refusal(answer)})"
            )

    async def _post(self, path: str, form: list[tuple[str, str]]) -> Answer:
        body = urllib.parse.urlencode(form).encode()
        return await self._until_not_busy("POST", path, _FORM, body)

    async def _until_not_busy(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        for _ in range(1, MAX_TRIES):
            answer = await self._wire.exchange(method, path, headers, body)
            if answer.status not in _BUSY:
                return answer
            await self.wait(answer)
        return await self._wire.exchange(method, path, headers, body)

    # Pages.

    def _next(self, answer: Answer) -> str:
        """The path of the next page, on this server: the token goes to no other."""
        found = _NEXT.search(answer.headers.get("link", ""))
        if found is None:
            return ""
        target = urllib.parse.urlsplit(urllib.parse.urljoin(f"{self.server.url}/", found[1]))
        # A registry behind a proxy may not know by which name it is asked: the path is what counts.
        return f"{target.path}?{target.query}" if target.query else target.path

    # Errors.

    def refused(self, answer: Answer, scope: Scope) -> Refused:
        """What to raise for an answer that is an error."""
        if answer.status in (401, 403):
            return Denied(answer, self._advice(scope))
        if answer.status == 404:
            return Missing(answer, self._where_to_look(answer, scope))
        if answer.status == 405:
            return Locked(answer, _how_to_unlock(answer, f"{self.server.netloc}/{scope.name}"))
        return Refused(answer)

    def _where_to_look(self, answer: Answer, scope: Scope) -> str:
        repository = f"{self.server.netloc}/{scope.name}"
        lists = {
            "NAME_UNKNOWN": f"repository list {self.server.netloc}",
            "TAG_UNKNOWN": f"tag list {repository} --all",
            "MANIFEST_UNKNOWN": f"manifest list {repository}",
        }
        command = lists.get(refusal(answer).partition(":")[0])
        return f"See `slipway {command}`" if command else ""

    def _advice(self, scope: Scope) -> str:
        needs = f"This needs {' and '.join(scope.actions)} in {scope.name}"
        if scope is CATALOG:
            needs = "This needs the right to list the registry's repositories, which a token for "
            needs += "some repositories does not have"
        elif scope is DELETED_CATALOG:
            needs = "This needs the role Owner on all repositories, or the admin account"
        found = self.sign_in.found
        if found is None:
            notes = "".join(f"; {each}" for each in self.sign_in.notes)
            return f"Nobody is signed in{notes}. {needs}: {self._how_to_sign_in()}"
        return f"{needs}. You are signed in as {_who(found)}"

    def _how_to_sign_in(self) -> str:
        return (
            f"run `docker login {self.server.netloc}`, or use --username and --password-stdin, or "
            "set SLIPWAY_USERNAME and SLIPWAY_PASSWORD"
        )


def document_of(answer: Answer) -> dict[str, Any]:
    """The object of JSON that an answer is. Raises `CommandError`."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise unreadable() from error
    if not isinstance(document, dict):
        raise unreadable()
    return document


def quoted(part: object) -> str:
    """A name, tag or digest as a part of a path: slashes too are spelt by number."""
    return urllib.parse.quote(str(part), safe="")


def _how_to_unlock(answer: Answer, repository: str) -> str:
    """The command that takes a lock away, as far as the registry names it."""
    try:
        detail = json.loads(answer.body)["errors"][0]["detail"]
        target, name, attribute = detail["target"], detail["name"], detail["attribute"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    marks = {"repository": "", "tag": f":{name}", "manifest": f"@{name}"}
    what = str(attribute).removesuffix("Enabled")
    if target not in marks or what not in ("write", "delete", "read", "list"):
        return ""
    # Without flags, what keeps it from being pushed and deleted is unlocked.
    flag = f" --{what}" if what in ("read", "list") else ""
    return f"To unlock it: `slipway {target} unlock {clean(repository + marks[target])}{flag}`"


def unreadable() -> CommandError:
    """What to raise where an answer is none of a registry."""
    return CommandError("the answer of the registry cannot be read: is it the address of one?")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _who(found: Found) -> str:
    name = clean(found.credential.username) or "the owner of a refresh token"
    return f"{name} (found by {found.source})"
