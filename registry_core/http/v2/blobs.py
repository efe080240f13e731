"""Blobs: HEAD, GET, DELETE (distribution-spec, "Pulling blobs", "Deleting Blobs")."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response, StreamingResponse

from registry_core.blobs.rows import Link
from registry_core.http import addresses, fields
from registry_core.http.context import Context
from registry_core.http.preconditions import IMMUTABLE, entity_tag, not_modified, unchanged
from registry_core.model.actions import Action
from registry_core.model.digest import Digest
from registry_core.model.ranges import ByteRange, parse_read_range

_CONTENT_TYPE = "application/octet-stream"
_INLINE, _INLINE_BYTES = b"slipway-inline", 4 * 1024 * 1024
"""By this header the page asks for a blob of so many bytes at most without a redirect.

Storage is another origin, and the page may reach none but the registry's.
"""


async def head(context: Context) -> Response:
    """Whether the repository has the blob, and its size. Never redirected."""
    digest = Digest.parse(context.params["digest"])
    relied_on = context.may(Action.PUSH, context.repository)
    link = await context.services.blobs.link(context.repository, digest, relied_on=relied_on)
    headers = _headers(digest)
    if not_modified(context.request, digest):
        return unchanged(headers)
    headers["Content-Length"] = str(link.size)
    return Response(headers=headers, media_type=_CONTENT_TYPE)


async def get(context: Context) -> Response:
    """The blob's bytes: a 307 to storage for a few minutes, or streamed through here.

    A small one is streamed to whoever asks for that (`Slipway-Inline: 1`). The last bytes
    (`Range: bytes=-5`) are streamed always: Blob Storage knows no such range.
    """
    digest = Digest.parse(context.params["digest"])
    services = context.services
    read = partial(services.blobs.link, context.repository, digest)
    link = await services.manifests.readable(context.repository, read)
    if not_modified(context.request, digest):
        return unchanged(_headers(digest))
    # 416 from here, whoever would send the bytes.
    asked = parse_read_range(context.request.headers.get("range"), link.size)
    is_streamed = (asked and asked.is_suffix) or _is_inline(context, link)
    if services.settings.blob_redirect and not is_streamed:
        called = addresses.called(context.request, services.settings.login_servers)
        headers = {
            "Location": await services.signer.url(link.location, called),
            "Docker-Content-Digest": str(digest),
            "Cache-Control": "no-store",
        }
        return Response(status_code=307, headers=headers)
    return await _stream(context, digest, link, asked)


async def _stream(
    context: Context, digest: Digest, link: Link, asked: ByteRange | None
) -> Response:
    # A blob may be a page or a picture with a script in it: browsers keep it, and never show it.
    headers = {**_headers(digest), "Content-Disposition": "attachment"}
    start, length, status = 0, link.size, 200
    if asked is not None:
        start, length, status = asked.start, asked.length, 206
        headers["Content-Range"] = f"bytes {asked.start}-{asked.end}/{link.size}"
    headers["Content-Length"] = str(length)
    # Storage that does not answer is told by the status, not by a body that breaks off.
    body = await context.services.content.open(link.location, start, length)
    return StreamingResponse(body, status, headers, media_type=_CONTENT_TYPE)


def _is_inline(context: Context, link: Link) -> bool:
    """Whether the client asks for the bytes themselves, and they are few."""
    return link.size <= _INLINE_BYTES and fields.first(context.request, _INLINE) == "1"


async def delete(context: Context) -> Response:
    """Takes the blob from the repository; 405 while a manifest needs it."""
    digest = Digest.parse(context.params["digest"])
    deletions = context.services.deletions
    await deletions.delete_blob(context.repository, digest, context.origin, context.record)
    return Response(status_code=202)


def _headers(digest: Digest) -> dict[str, str]:
    return {
        "Docker-Content-Digest": str(digest),
        "ETag": entity_tag(digest),
        "Accept-Ranges": "bytes",
        "Cache-Control": IMMUTABLE,
    }
