"""An upload session of a registry: what the registry has by now, and how it gets more.

Chunks have `Content-Range` and go with `Transfer-Encoding: chunked`, so that the Functions host
lets them through as they come. What the registry truly has is asked of it after each fault: by
`GET` of the session, and by `HEAD` of the blob once the session is gone.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeGuard

from slipway_cli.command import CommandError
from slipway_cli.registry.client import Missing, Scope
from slipway_cli.registry.server import Answer
from slipway_cli.relay.chunks import BLOCK, MIB, Chunk
from slipway_cli.relay.patience import PASSING, Patience
from slipway_cli.relay.scopes import pushing
from slipway_cli.relay.upstream import Body, Broken, Upstream

DEFAULT_MOST = 100 * MIB
"""What a registry takes at once that does not say it."""
DEFAULT_LEAST = 4 * MIB
PARTS = 4
"""A chunk is this part of what the registry takes: there is less to send again after a fault."""

_LAST = re.compile(r"(?:bytes=)?0-(\d{1,18})")
_OCTETS = "application/octet-stream"
_TAKEN = (200, 201, 202, 204)


@dataclass(frozen=True)
class Lengths:
    """How long the chunks of an upload are, in bytes."""

    wanted: int
    least: int

    @classmethod
    def of(cls, headers: Mapping[str, str], chosen: int | None) -> Lengths:
        """As the registry says on `POST`, and as the user has chosen."""
        most = _number(headers, "oci-chunk-max-length") or DEFAULT_MOST
        least = min(_number(headers, "oci-chunk-min-length") or DEFAULT_LEAST, most)
        wanted = min(max(chosen or most // PARTS, least), most)
        return cls(wanted - wanted % BLOCK if wanted > BLOCK else wanted, least)


@dataclass
class Session:
    """A session, and where it stands."""

    upstream: Upstream
    repository: str
    location: str
    """Its newest address: path and query."""
    lengths: Lengths
    has: int = 0
    """How many bytes the registry has, as far as it has said."""
    sent: int = 0
    """How many bytes went out, those that went twice included."""
    report: Callable[[int], None] = field(default=lambda _: None)
    """Is told how much of the blob has gone out; less than before, after a fault."""

    @classmethod
    async def begin(
        cls, upstream: Upstream, repository: str, query: Mapping[str, str] | None = None
    ) -> Session:
        """A new one; `query` may announce the algorithm of the digest. Raises `CommandError`."""
        path = f"/v2/{repository}/blobs/uploads/"
        if query:
            path += f"?{urllib.parse.urlencode(query)}"
        answer = await upstream.patiently("POST", path, pushing(repository), body=b"")
        if answer.status != 202:
            raise upstream.client.refused(answer, pushing(repository))
        return cls.of(upstream, repository, answer)

    @classmethod
    def of(cls, upstream: Upstream, repository: str, answer: Answer) -> Session:
        """The one that an answer with 202 begins. Raises `CommandError`."""
        location = upstream.local(answer.headers.get("location", ""))
        return cls(upstream, repository, location, Lengths.of(answer.headers, upstream.chunk))

    @classmethod
    async def resume(cls, upstream: Upstream, repository: str, location: str) -> Session:
        """One that was begun before, from where the registry stands. Raises `CommandError`."""
        answer = await upstream.patiently("GET", location, pushing(repository))
        if answer.status not in _TAKEN:
            raise upstream.client.refused(answer, pushing(repository))
        session = cls(upstream, repository, location, Lengths.of(answer.headers, upstream.chunk))
        session._move(answer)
        return session

    @property
    def path(self) -> str:
        """The part of its address that stays the same."""
        return self.location.partition("?")[0]

    @property
    def scope(self) -> Scope:
        """What its requests need a token for."""
        return pushing(self.repository)

    async def deliver(self, chunk: Chunk) -> None:
        """Returns when the registry has all of a chunk. Raises `CommandError`."""
        patience = self.upstream.patience()
        while self.has < chunk.end:
            before = self.has
            answer = await self._send("PATCH", self.location, chunk)
            if _is(answer, *_TAKEN):
                self._move(answer, chunk, chunk.end)
            else:
                await self._recover(patience, answer, chunk)
            if self.has > before:
                patience.renew()

    async def commit(self, digest: str, chunk: Chunk | None) -> Answer:
        """Makes the blob, of what the registry has and a last chunk; the answer to that.

        Where the answer was lost, it is found out whether the blob is there. Raises `CommandError`.
        """
        patience = self.upstream.patience()
        is_doubtful = False
        while True:
            before = self.has
            answer = await self._send("PUT", self._committing(digest), chunk)
            if _is(answer, *_TAKEN):
                return answer
            is_doubtful = is_doubtful or isinstance(answer, Broken) or _is(answer, *PASSING)
            try:
                await self._recover(patience, answer, chunk)
            except Missing:
                if is_doubtful and await self._is_there(digest):
                    return Answer(201, {"docker-content-digest": digest}, b"")
                raise
            if self.has > before:
                patience.renew()

    async def _is_there(self, digest: str) -> bool:
        """Whether the repository has the blob."""
        path = f"/v2/{self.repository}/blobs/{digest}"
        return (await self.upstream.patiently("HEAD", path, self.scope)).status in (200, 307)

    async def cancel(self) -> None:
        """Ends the session for good, as far as the registry can be asked to."""
        await self.upstream.once("DELETE", self.location, self.scope)

    def _committing(self, digest: str) -> str:
        mark = "&" if "?" in self.location else "?"
        return f"{self.location}{mark}{urllib.parse.urlencode({'digest': digest})}"

    async def _send(self, method: str, path: str, chunk: Chunk | None) -> Answer | Broken:
        """One request, with what is lacking of a chunk; its answer, or why there is none."""
        headers = {"Content-Type": _OCTETS}
        body: Body | bytes = b""
        if chunk is not None and chunk.end > self.has:
            headers["Content-Range"] = f"{self.has}-{chunk.end - 1}"
            body = partial(self._pieces, chunk, self.has)
        try:
            return await self.upstream.once(method, path, self.scope, headers, body)
        except Broken as broken:
            return broken

    def _pieces(self, chunk: Chunk, position: int) -> Iterator[memoryview]:
        for piece in chunk.pieces(position):
            yield piece
            position += len(piece)
            self.sent += len(piece)
            self.report(position)

    async def _recover(
        self, patience: Patience, trouble: Answer | Broken, chunk: Chunk | None
    ) -> None:
        """After a try that failed: finds out where the session stands, to go on from there.

        Raises `CommandError` if the registry will have no more of it.
        """
        if _is(trouble, 416):
            before = self.has
            self._move(trouble, chunk)
            if self.has == before:
                await self.upstream.wait(patience, trouble)
            return
        while isinstance(trouble, Broken) or _is(trouble, *PASSING):
            await self.upstream.wait(patience, trouble)
            try:
                trouble = await self.upstream.once("GET", self.location, self.scope)
            except Broken as broken:
                trouble = broken
        if not _is(trouble, *_TAKEN):
            raise self.upstream.client.refused(trouble, self.scope)
        self._move(trouble, chunk)

    def _move(self, answer: Answer, chunk: Chunk | None = None, expected: int = 0) -> None:
        """Takes over where the session stands. Raises `CommandError` if bytes were lost."""
        if location := answer.headers.get("location"):
            self.location = self.upstream.local(location)
        found = _LAST.fullmatch(answer.headers.get("range", ""))
        if found is None:
            has = expected or self.has
        elif found[1] != "0":
            has = int(found[1]) + 1
        else:  # It stands for no byte as well as for one: for the one that was not just refused.
            has = 1 - min(self.has, 1) if answer.status == 416 else min(expected or self.has, 1)
        first, last = (chunk.start, chunk.end) if chunk else (0, has)
        if not first <= has <= last:
            raise CommandError(f"the registry has {has} bytes of an upload, which were not sent")
        self.has = has
        self.report(has)


def _is(answer: Answer | Broken, *statuses: int) -> TypeGuard[Answer]:
    return isinstance(answer, Answer) and answer.status in statuses


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
