"""Uploads as clients send them: in one request, in two, as a stream or in chunks, or mounted.

A client's session has the address of the registry's own. So a client can go on with it after the
relay was started again, from where the registry stands.
"""

from __future__ import annotations

import asyncio
import re
import time
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from registry_core.errors import BlobUploadUnknown, DigestInvalid, RangeInvalid
from registry_core.model.digest import Digest
from registry_core.model.ranges import parse_chunk_range
from slipway_cli.command import CommandError
from slipway_cli.relay import answers
from slipway_cli.relay.scopes import pushing
from slipway_cli.relay.session import Session
from slipway_cli.relay.uploads import Upload
from slipway_cli.relay.upstream import Upstream
from slipway_cli.relay.watch import Line, Watch

IDLE_SECONDS = 3600
"""After which a session of a client that has gone is left to the registry."""
_SESSION = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<id>[^/]*)")


@dataclass
class Held:
    """A client's session."""

    address: str
    """Where its client finds it: path and query, as the registry has named it at first."""
    upload: Upload
    line: Line
    committed: str = ""
    """The digest that it was committed under."""
    used: float = field(default_factory=time.monotonic)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def path(self) -> str:
        """The part of the address that stays the same."""
        return self.address.partition("?")[0]

    @property
    def headers(self) -> dict[str, str]:
        """What its client is told of where it stands."""
        return {
            "Location": self.address,
            "Range": f"0-{max(self.upload.received - 1, 0)}",
            "Docker-Upload-UUID": self.path.rpartition("/")[2],
        }


class ClientUploads:
    """All sessions of clients, and the answers to requests about them."""

    def __init__(self, upstream: Upstream, watch: Watch) -> None:
        self._upstream = upstream
        self._watch = watch
        self._held: dict[str, Held] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def unfinished(self) -> int:
        """How many were begun and neither committed nor cancelled."""
        return sum(not held.committed for held in self._held.values())

    async def close(self) -> None:
        """Gives up what is under way. What the registry has of it can be gone on with."""
        for task in self._tasks:
            task.cancel()
        for held in self._held.values():
            await held.upload.close()

    async def answer(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a request about an upload; None if it is about something else.

        Raises `RegistryError` and `CommandError`.
        """
        path, _, text = request.raw_path.partition("?")
        found = _SESSION.fullmatch(path)
        if found is None:
            return None
        name = urllib.parse.unquote(found["name"])
        query = dict(urllib.parse.parse_qsl(text))
        if not found["id"]:
            return await self._post(request, name, query) if request.method == "POST" else None
        handlers = {
            "PATCH": self._patch,
            "PUT": self._put,
            "GET": self._get,
            "DELETE": self._delete,
        }
        if request.method not in handlers:
            return None
        async with self._at(request.raw_path, name) as held:
            return await handlers[request.method](request, held, query)

    # Beginning.

    async def _post(
        self, request: web.BaseRequest, name: str, query: dict[str, str]
    ) -> web.Response:
        self._leave_idle()
        if "mount" in query:
            return await self._mount(request, name, query)
        digest = _digest_in(query) if "digest" in query else ""
        algorithm = digest.partition(":")[0] or query.get("digest-algorithm", "")
        announced = {"digest-algorithm": algorithm} if algorithm not in ("", "sha256") else None
        held = self._hold(await Upload.begin(self._upstream, name, announced), name)
        if not digest:
            return web.Response(status=202, headers=held.headers)
        async with self._at(held.address, name):
            return await self._put(request, held, query)

    async def _mount(
        self, request: web.BaseRequest, name: str, query: dict[str, str]
    ) -> web.Response:
        scope = pushing(name, query.get("from", ""))
        answer = await self._upstream.patiently("POST", request.raw_path, scope, body=b"")
        if answer.status != 202:
            if answer.status == 401:
                raise self._upstream.client.refused(answer, scope)
            return answers.whole(answer, self._upstream.server)
        held = self._hold(Upload(Session.of(self._upstream, name, answer)), name)
        return web.Response(status=202, headers=held.headers)

    def _hold(self, upload: Upload, name: str) -> Held:
        line = self._watch.begin(name)
        upload.session.report = line.sent
        held = Held(upload.session.location, upload, line)
        self._held[held.path] = held
        return held

    @asynccontextmanager
    async def _at(self, address: str, name: str) -> AsyncIterator[Held]:
        """A session, for one request at a time. Raises `CommandError`."""
        held = self._held.get(address.partition("?")[0])
        if held is None:
            session = await Session.resume(self._upstream, name, address)
            held = self._held.get(session.path) or self._hold(Upload(session), name)
        async with held.lock:
            try:
                yield held
            except CommandError:  # It is lost, and its client begins anew.
                await self._end(held)
                raise
            finally:
                held.used = time.monotonic()

    async def _end(self, held: Held) -> None:
        held.line.end()
        self._held.pop(held.path, None)
        await held.upload.close()

    def _leave_idle(self) -> None:
        """Leaves sessions whose clients have gone to the registry, with all that was taken in."""
        long_ago = time.monotonic() - IDLE_SECONDS
        for held in list(self._held.values()):
            if held.used < long_ago and not held.lock.locked():
                task = asyncio.create_task(self._leave(held))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _leave(self, held: Held) -> None:
        async with held.lock:
            with suppress(CommandError):
                if not held.committed:
                    await held.upload.flush()
            await self._end(held)

    # Going on.

    async def _patch(self, request: web.BaseRequest, held: Held, _: dict[str, str]) -> web.Response:
        await self._take(request, held)
        await held.upload.rest()
        return web.Response(status=202, headers=held.headers)

    async def _put(
        self, request: web.BaseRequest, held: Held, query: dict[str, str]
    ) -> web.Response:
        digest = _digest_in(query)
        if held.committed != digest:
            await self._take(request, held)
            answer = await held.upload.commit(digest)
            held.line.done(digest, held.upload)
            held.committed = digest
            await held.upload.close()
            kept = answers.headers_of(answer.headers, self._upstream.server)
        else:
            kept = {}
        location = kept.get("location", f"/v2/{held.upload.session.repository}/blobs/{digest}")
        headers = {"Location": location, "Docker-Content-Digest": digest}
        return web.Response(status=201, headers=headers)

    async def _take(self, request: web.BaseRequest, held: Held) -> None:
        """Takes in a body. Raises `RegistryError`, and `ClientGone` if it breaks off."""
        if held.committed:
            raise BlobUploadUnknown("the upload is already committed")
        chunk = _chunk(request, held)
        held.line.expect(held.upload.received, request.content_length)
        try:
            await held.upload.write(request.content.iter_any())
        except (ClientError, HttpProcessingError, OSError) as error:
            await held.upload.rest()
            raise ClientGone from error
        if chunk is not None and held.upload.received != chunk:
            raise _out_of_order(held)

    async def _get(self, _: web.BaseRequest, held: Held, __: dict[str, str]) -> web.Response:
        if held.committed:
            raise BlobUploadUnknown("the upload is already committed")
        return web.Response(status=204, headers=held.headers)

    async def _delete(self, _: web.BaseRequest, held: Held, __: dict[str, str]) -> web.Response:
        if held.committed:
            raise BlobUploadUnknown("the upload is already committed")
        await held.upload.cancel()
        await self._end(held)
        return web.Response(status=204)


class ClientGone(Exception):
    """A body broke off: there is nobody to answer. What came of it is kept."""


def _digest_in(query: dict[str, str]) -> str:
    """The digest that a blob is to have. Raises `RegistryError`."""
    if "digest" not in query:
        raise DigestInvalid("the query parameter digest is missing")
    return str(Digest.parse(query["digest"]))


def _chunk(request: web.BaseRequest, held: Held) -> int | None:
    """Where a chunk is to end that says where it lies; None if it says nothing.

    Raises `RangeInvalid` with where to go on.
    """
    header = request.headers.get("Content-Range")
    if header is None:
        return None
    with suppress(RangeInvalid):
        chunk = parse_chunk_range(header)
        length = request.content_length
        if chunk.start == held.upload.received and length in (None, chunk.length):
            return chunk.end + 1
    raise _out_of_order(held)


def _out_of_order(held: Held) -> RangeInvalid:
    return RangeInvalid(
        f"the upload has {held.upload.received} bytes: continue from there, at Location",
        headers=held.headers,
    )
