"""Requests to the real registry, with bodies and answers that flow; signed in as it asks for it."""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from slipway_cli.command import CommandError, NotSignedIn, say
from slipway_cli.output.text import clean
from slipway_cli.registry.client import Client, Refused, Scope
from slipway_cli.registry.credentials import SignIn
from slipway_cli.registry.server import TIMEOUT_SECONDS, Answer, Server, proxy_of
from slipway_cli.relay import scopes
from slipway_cli.relay.chunks import Room
from slipway_cli.relay.patience import PASSING, Patience

SILENCE_SECONDS = 240
"""How long an answer may take: Azure's front end gives up before."""
TOTAL_SECONDS = 600
"""How long a request may take as a whole, so that a connection that is dead is noticed."""
MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""How much of an answer is read where it does not flow."""

Body = Callable[[], Iterable[memoryview]]
"""Gives the pieces of a body, anew for each try."""


class Broken(CommandError):
    """A request got no answer. Another try may get one."""


class Unreachable(CommandError):
    """Whatever was tried, the registry did not answer, or did not do it."""


@dataclass
class Upstream:
    """A registry, for whoever was found to sign in; and what all uploads to it share."""

    client: Client
    session: aiohttp.ClientSession
    tell: Callable[[str], None] = say
    chunk: int | None = None
    """How long chunks are to be, in bytes; None: a quarter of what the registry takes."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    patience: Callable[[], Patience] = Patience
    room: Room = field(default_factory=Room)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        server: Server,
        sign_in: SignIn,
        tell: Callable[[str], None] = say,
        chunk: int | None = None,
    ) -> AsyncIterator[Upstream]:
        """Connections to a registry, until the end of the block."""
        timeout = aiohttp.ClientTimeout(
            total=TOTAL_SECONDS, sock_connect=TIMEOUT_SECONDS, sock_read=SILENCE_SECONDS
        )
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            Client(server, sign_in, tell) as client,
            aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
        ):
            # It would send a commit twice without a word, and the second answer may be that the
            # session is gone. It has no public switch.
            session._retry_connection = False  # noqa: SLF001
            yield cls(client, session, tell, chunk)

    @property
    def server(self) -> Server:
        """Which registry it is."""
        return self.client.server

    # One try.

    @asynccontextmanager
    async def ask(
        self,
        method: str,
        path: str,
        scope: Scope | None,
        headers: Mapping[str, str] | None = None,
        body: Body | bytes | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request and its answer, whatever it says; redirects are not followed.

        A token that was not taken is renewed once, and one for other scopes is fetched if the
        registry names them. Raises `Broken`, and `CommandError` for a sign-in that is refused.
        """
        token = await self._token(scope)
        answer = await self._send(method, path, headers, body, token)
        try:
            if answer.status == 401 and token and scope:
                challenge = answer.headers.get("WWW-Authenticate", "")
                wider = scopes.challenged(challenge)
                if wider is None and "insufficient_scope" not in challenge:
                    token = await self._token(scope, token)
                elif wider is not None and str(wider) != str(scope):
                    token = await self._token(wider)
                else:
                    yield answer
                    return
                answer.release()
                answer = await self._send(method, path, headers, body, token)
            yield answer
        finally:
            answer.release()

    async def _token(self, scope: Scope | None, refused: str = "") -> str:
        if scope is None:
            return ""
        try:
            if refused:
                return await self.client.renew(scope, refused)
            return await self.client.token(scope)
        except NotSignedIn:
            raise
        except Refused as error:
            if error.answer.status in PASSING:
                raise Broken(str(error)) from error
            raise
        except CommandError as error:
            raise Broken(str(error)) from error

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        body: Body | bytes | None,
        token: str,
    ) -> aiohttp.ClientResponse:
        sent = {"User-Agent": "slipway", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        proxy = proxy_of(self.server.netloc) if self.server.scheme == "https" else None
        try:
            return await self.session.request(
                method,
                # As it is spelt: the state of an upload in it is not ours to read.
                URL(f"{self.server.url}{path}", encoded=True),
                headers=sent,
                data=body if isinstance(body, bytes | None) else _flow(body()),
                allow_redirects=False,
                skip_auto_headers=("Content-Type", "Accept-Encoding"),
                proxy=None if proxy is None else proxy.geturl(),
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> Broken:
        text = clean(str(error)) or type(error).__name__
        return Broken(f"the connection to {self.server.netloc} broke ({text})")

    async def once(
        self,
        method: str,
        path: str,
        scope: Scope | None,
        headers: Mapping[str, str] | None = None,
        body: Body | bytes | None = None,
    ) -> Answer:
        """One request and its whole answer. Raises `Broken` and `CommandError`."""
        async with self.ask(method, path, scope, headers, body) as answer:
            return await self.whole(answer)

    async def whole(self, answer: aiohttp.ClientResponse) -> Answer:
        """An answer, read to its end. Raises `Broken`."""
        try:
            content = await answer.content.read(MAX_ANSWER_BYTES)
            while not answer.content.at_eof() and len(content) < MAX_ANSWER_BYTES:
                content += await answer.content.read(MAX_ANSWER_BYTES - len(content))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._broken(error) from error
        kept = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, kept, content)

    # Many tries.

    async def patiently(
        self,
        method: str,
        path: str,
        scope: Scope | None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """A request that may be repeated without harm, until the registry answers it.

        Answers what it says in the end. Raises `Unreachable` and `CommandError`.
        """
        patience = self.patience()
        while True:
            try:
                answer = await self.once(method, path, scope, headers, body)
            except Broken as error:
                await self.wait(patience, error)
                continue
            if answer.status not in PASSING or not await self.may_wait(patience, answer):
                return answer

    async def wait(self, patience: Patience, trouble: Broken | Answer) -> None:
        """Waits before the next try. Raises `Unreachable` or `Refused` if there were enough."""
        if not await self.may_wait(patience, trouble):
            if isinstance(trouble, Answer):
                raise Refused(trouble)
            raise Unreachable(f"{trouble}: it was tried again and again") from trouble

    async def may_wait(self, patience: Patience, trouble: Broken | Answer) -> bool:
        """Waits before the next try, and says so; False if there were enough."""
        answer = trouble if isinstance(trouble, Answer) else None
        seconds = patience.pause(answer)
        if seconds is None:
            return False
        text = str(trouble) if answer is None else str(Refused(answer))
        self.tell(f"{text} - trying again in {seconds:.1f} s")
        await self.sleep(seconds)
        return True

    def local(self, location: str) -> str:
        """The path and query of an address on this registry. Raises `CommandError` of another."""
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(f"{self.server.url}/", location))
        # A registry behind a proxy may not know by which name it is asked: the path is what counts.
        if not parts.path.startswith("/v2/"):
            raise CommandError("the registry leads an upload to an address that is not its own")
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


async def _flow(pieces: Iterable[memoryview]) -> AsyncIterator[memoryview]:
    """As the HTTP library takes a body that is to go in chunks."""
    for piece in pieces:
        yield piece
