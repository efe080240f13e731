"""Blobs: HEAD, GET, DELETE (distribution-spec, "Pulling blobs", "Deleting Blobs")."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response, StreamingResponse

from registry_core.blobs.links import Link
from registry_core.errors import Unsupported
from registry_core.http import addresses
from registry_core.http.exchange import Exchange
from registry_core.http.preconditions import IMMUTABLE, entity_tag, not_modified, unchanged
from registry_core.model.actions import Action
from registry_core.model.digest import Digest
from registry_core.model.ranges import ByteRange, parse_read_range

_CONTENT_TYPE = "application/octet-stream"


async def head(exchange: Exchange) -> Response:
    """Whether the repository has the blob, and its size. Never redirected."""
    digest = Digest.parse(exchange.params["digest"])
    relied_on = exchange.may(Action.PUSH, exchange.repository)
    link = await exchange.registry.blobs.link(exchange.repository, digest, relied_on=relied_on)
    headers = _headers(digest)
    if not_modified(exchange.request, digest):
        return unchanged(headers)
    headers["Content-Length"] = str(link.size)
    return Response(headers=headers, media_type=_CONTENT_TYPE)


async def get(exchange: Exchange) -> Response:
    """The blob's bytes: a 307 to storage for a few minutes, or streamed through here.

    The last bytes (`Range: bytes=-5`) are streamed always: Blob Storage knows no such range.
    """
    digest = Digest.parse(exchange.params["digest"])
    registry = exchange.registry
    link = await registry.blobs.link(exchange.repository, digest)
    if not_modified(exchange.request, digest):
        return unchanged(_headers(digest))
    # 416 from here, whoever would send the bytes.
    asked = parse_read_range(exchange.request.headers.get("range"), link.size)
    if registry.settings.blob_redirect and not (asked and asked.is_suffix):
        headers = {"Docker-Content-Digest": str(digest), "Cache-Control": "no-store"}
        called = addresses.called(exchange.request, registry.settings.login_servers)
        address = await registry.signer.url(link.location, called)
        return RedirectResponse(address, 307, headers)
    return await _stream(exchange, digest, link, asked)


async def _stream(
    exchange: Exchange, digest: Digest, link: Link, asked: ByteRange | None
) -> Response:
    # Storage that does not answer is told by the status, not by a body that breaks off.
    headers = _headers(digest)
    start, length, status = 0, link.size, 200
    if asked is not None:
        start, length, status = asked.start, asked.length, 206
        headers["Content-Range"] = f"bytes {asked.start}-{asked.end}/{link.size}"
    headers["Content-Length"] = str(length)
    body = await exchange.registry.content.open(link.location, start, length)
    return StreamingResponse(body, status, headers, media_type=_CONTENT_TYPE)


async def delete(exchange: Exchange) -> Response:
    """Takes the blob from the repository; 405 while a manifest needs it."""
    if not exchange.registry.settings.delete_enabled:
        raise Unsupported("deletion is switched off (REGISTRY_DELETE_ENABLED)")
    digest = Digest.parse(exchange.params["digest"])
    repository, registry = exchange.repository, exchange.registry

    async def is_live(manifest: Digest) -> bool:
        return await registry.manifests.is_live(repository, manifest)

    await registry.blobs.unlink(repository, digest, is_live)
    return Response(status_code=202)


def _headers(digest: Digest) -> dict[str, str]:
    return {
        "Docker-Content-Digest": str(digest),
        "ETag": entity_tag(digest),
        "Accept-Ranges": "bytes",
        "Cache-Control": IMMUTABLE,
    }
