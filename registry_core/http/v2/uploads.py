"""Uploads: POST, PATCH, PUT, GET, DELETE (distribution-spec, "Pushing blobs").

`Location` is relative and carries the session's state; the state in the newest one is the one to
use. A chunk that does not follow what was received is answered 416 with the true range.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from starlette.responses import Response

from registry_core.auth.identity import Means
from registry_core.blobs.upload_state import UploadState
from registry_core.blobs.uploads import UploadMoved
from registry_core.errors import (
    BlobUploadUnknown,
    DigestInvalid,
    DisallowedOperation,
    LengthInvalid,
    NameInvalid,
    RangeInvalid,
)
from registry_core.http import bodies
from registry_core.http.authentication import refusal
from registry_core.http.context import Context
from registry_core.http.query import Query
from registry_core.model.actions import Action
from registry_core.model.change import Event, Operation
from registry_core.model.digest import ALGORITHMS, Digest
from registry_core.model.names import RepositoryName
from registry_core.model.ranges import ByteRange, parse_chunk_range

CHUNK_MIN_LENGTH = 4 * 1024 * 1024
"""The chunks asked of clients that choose their length, in bytes; shorter ones are taken.

Each chunk is at least one append, and an append blob has room for 50,000: chunks of this length
make a blob of 195 GiB, those of 64 KiB one of 3 GiB. And each is a request that costs money.
"""
STATE = "_state"
"""The query parameter that carries the state, named as ACR does."""


async def post(context: Context) -> Response:
    """Begins a session, mounts a blob from another repository, or takes a whole blob at once."""
    repository, query = context.repository, context.query
    mounted = query.get("mount")
    if mounted is not None and await _mount(context, Digest.parse(mounted)):
        context.record([_pushed(context, Digest.parse(mounted))])
        return _created(repository, Digest.parse(mounted))
    digest = query.get("digest")
    if digest is not None and mounted is None:
        parsed = Digest.parse(digest)
        state = context.services.uploads.begin(parsed.algorithm)
        return await _commit(context, state, parsed)
    algorithm = query.get("digest-algorithm") or "sha256"
    if algorithm not in ALGORITHMS:
        raise DigestInvalid("digest-algorithm must be sha256 or sha512", detail=algorithm[:40])
    response = _accepted(context, context.services.uploads.begin(algorithm))
    most = context.services.settings.body_limit
    response.headers["OCI-Chunk-Min-Length"] = str(min(CHUNK_MIN_LENGTH, most))
    # Of an extension that is proposed (distribution-spec, pull request 485).
    response.headers["OCI-Chunk-Max-Length"] = str(most)
    return response


def source(query: Query) -> RepositoryName | None:
    """The repository that a blob is to be mounted from, where the request names one that can be."""
    name = query.get("from")
    if query.get("mount") is None or not name:
        return None
    try:
        return RepositoryName.parse(name)
    except NameInvalid:
        return None


async def _mount(context: Context, digest: Digest) -> bool:
    """Links a blob of another repository, which the sender may read there.

    Of the one that `from` names; without `from`, of any that has it, which the specification
    leaves to the registry ("Mounting a blob from another repository").
    """
    blobs, named = context.services.blobs, source(context.query)
    if named is None and context.query.get("from"):
        return False
    names = await blobs.holders(digest) if named is None else [named]
    readable = next((name for name in names if context.may(Action.PULL, name)), None)
    if readable is None:
        if named is not None:  # Which others have it, only those learn who may pull from them.
            _ask_for_another_token(context, named)
        return False
    check = partial(context.services.manifests.check_readable, readable)
    try:
        return await blobs.mount(readable, context.repository, digest, check)
    except DisallowedOperation:
        return False  # Nothing may be pulled from there: the blob has to be sent.


def _ask_for_another_token(context: Context, name: RepositoryName) -> None:
    """Tells a client whose token leaves out the source, and that could have one, which to get.

    Raises `Unauthorized`. Otherwise an upload begins: a new token would be of no use.
    """
    if context.could(Action.PULL, name) and context.caller.means is Means.BEARER:
        settings, request, scope = context.services.settings, context.request, context.scope
        raise refusal(settings, request, context.caller, scope, context.repository, also=name)


async def patch(context: Context) -> Response:
    """Appends the body, of any length, announced or not."""
    state, uploads = _state(context), context.services.uploads
    async with _in_order(context, state) as body:
        state = await uploads.append(state, body)
    return _accepted(context, state)


async def put(context: Context) -> Response:
    """Appends the last of the body, if any, and commits the blob under `digest`."""
    digest = context.query.get("digest")
    if digest is None:
        raise DigestInvalid("the query parameter digest is missing")
    parsed = Digest.parse(digest)
    return await _commit(context, _state(context), parsed)


async def _commit(context: Context, state: UploadState, digest: Digest) -> Response:
    async with _in_order(context, state) as body:
        await context.services.uploads.commit(state, body, digest, context.repository)
    context.record([_pushed(context, digest)])
    return _created(context.repository, digest)


async def get(context: Context) -> Response:
    """How much has been received."""
    state = await context.services.uploads.status(_state(context))
    return Response(status_code=204, headers=_progress(context, state))


async def delete(context: Context) -> Response:
    """Cancels the session for good."""
    await context.services.uploads.cancel(_state(context))
    return Response(status_code=204)


def _state(context: Context) -> UploadState:
    token = context.query.get(STATE)
    if token is None:
        raise BlobUploadUnknown
    sealer = context.services.uploads.sealer
    return sealer.open(token, context.params["upload"], context.repository)


@asynccontextmanager
async def _in_order(context: Context, state: UploadState) -> AsyncIterator[AsyncIterator[bytes]]:
    """Gives the body, to be appended to the upload.

    `Content-Range` is held against what was received, against `Content-Length`, and against how
    long the body is: whole blocks of one that is longer or shorter may have been appended by then.
    Raises `RangeInvalid` with where to go on from, for an upload that has moved as well.
    """
    try:
        chunk = await _chunk(context, state)
        try:
            yield bodies.flow(context.request, chunk.length if chunk else None)
        except LengthInvalid as error:
            if chunk is None:
                raise
            raise UploadMoved(await context.services.uploads.status(state)) from error
    except UploadMoved as moved:
        raise _out_of_order(context, moved.state) from moved


async def _chunk(context: Context, state: UploadState) -> ByteRange | None:
    """What `Content-Range` says; None without it. Raises `UploadMoved` if it can't be so."""
    header = context.request.headers.get("content-range")
    if header is None:
        return None
    length = bodies.content_length(context.request)
    with suppress(RangeInvalid):
        chunk = parse_chunk_range(header)
        if chunk.start == state.offset and length in (None, chunk.length):
            return chunk
    raise UploadMoved(await context.services.uploads.status(state))


def _out_of_order(context: Context, state: UploadState) -> RangeInvalid:
    return RangeInvalid(
        f"the upload has {state.offset} bytes: continue from there, at Location",
        headers=_progress(context, state),
    )


def _accepted(context: Context, state: UploadState) -> Response:
    return Response(status_code=202, headers=_progress(context, state))


def _progress(context: Context, state: UploadState) -> dict[str, str]:
    """Where to go on, and what was received (`Range`; of nothing it is 0-0, as clients know it)."""
    token = context.services.uploads.sealer.seal(state, context.repository)
    path = f"/v2/{context.repository}/blobs/uploads/{state.upload_id}"
    return {
        "Location": f"{path}?{STATE}={token}",
        "Range": f"0-{max(state.offset - 1, 0)}",
        "Docker-Upload-UUID": str(state.upload_id),
    }


def _pushed(context: Context, digest: Digest) -> Event:
    """What the commit or the mount did."""
    name = str(context.repository)
    return Event(Operation.PUSH, name, context.origin, str(digest), is_blob=True)


def _created(repository: RepositoryName, digest: Digest) -> Response:
    headers = {
        "Location": f"/v2/{repository}/blobs/{digest}",
        "Docker-Content-Digest": str(digest),
    }
    return Response(status_code=201, headers=headers)
