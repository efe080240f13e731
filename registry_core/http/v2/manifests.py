"""Manifests: HEAD, GET, PUT, DELETE by tag and digest.

See distribution-spec, "Pulling manifests", "Pushing Manifests", "Deleting tags" and "Deleting
Manifests".
"""

from __future__ import annotations

from starlette.responses import Response

from registry_core.errors import DigestInvalid, TooManyTags
from registry_core.http import bodies, fields
from registry_core.http.context import Context
from registry_core.http.negotiation import check_accepted
from registry_core.http.preconditions import (
    IMMUTABLE,
    REVALIDATE,
    entity_tag,
    not_modified,
    unchanged,
)
from registry_core.model.actions import Action
from registry_core.model.change import DeleteManifests, Push, Untag
from registry_core.model.digest import Digest
from registry_core.model.manifest import MAX_MANIFEST_BYTES, Manifest
from registry_core.model.names import Reference, Tag, parse_known_reference, parse_reference
from registry_core.model.threads import beside
from registry_core.repositories.plan import MAX_TAGS


async def head(context: Context) -> Response:
    """Digest, media type and size."""
    reference = parse_known_reference(context.params["reference"])
    relied_on = context.may(Action.PUSH, context.repository)
    found = await context.services.manifests.summary(
        context.repository, reference, relied_on=relied_on
    )
    request, headers = context.request, _headers(reference, found.digest)
    check_accepted(request, found.media_type)
    if not_modified(request, found.digest):
        return unchanged(headers)
    headers["Content-Length"] = str(found.size)
    return Response(headers=headers, media_type=found.media_type)


async def get(context: Context) -> Response:
    """The manifest, byte for byte as it was pushed; never converted to another type."""
    reference = parse_known_reference(context.params["reference"])
    request, manifests = context.request, context.services.manifests
    if fields.first(request, b"if-none-match") is not None:
        found = await manifests.summary(context.repository, reference, relied_on=False)
        if not_modified(request, found.digest):
            check_accepted(request, found.media_type)
            return unchanged(_headers(reference, found.digest))
    digest, media_type, content = await manifests.get(context.repository, reference)
    check_accepted(request, media_type)
    return Response(content, headers=_headers(reference, digest), media_type=media_type)


async def put(context: Context) -> Response:
    """Stores a manifest whose blobs are there, under a tag or its digest, and `tag=`s."""
    reference = parse_reference(context.params["reference"])
    tags = [Tag.parse(text) for text in context.query.all("tag")]
    algorithm = "sha256"
    if isinstance(reference, Tag):
        tags.insert(0, reference)
    else:
        algorithm = reference.algorithm
    tags = list(dict.fromkeys(tags))
    if len(tags) > MAX_TAGS:
        raise TooManyTags(f"at most {MAX_TAGS} tags are allowed in one push")
    content = await bodies.read_limited(context.request, MAX_MANIFEST_BYTES, "the manifest")
    content_type = context.request.headers.get("content-type")
    manifest = await beside(len(content), Manifest.parse, content, content_type, algorithm)
    if isinstance(reference, Digest) and reference != manifest.digest:
        raise DigestInvalid(
            "the manifest has another digest",
            detail={"digest": str(reference), "computed": str(manifest.digest)},
        )
    change = Push(manifest, tuple(tags), context.origin)
    await context.services.pushes.push(context.repository, change, context.record)
    response = Response(
        status_code=201,
        headers={
            "Location": f"/v2/{context.repository}/manifests/{manifest.digest}",
            "Docker-Content-Digest": str(manifest.digest),
        },
    )
    if manifest.subject:
        response.headers["OCI-Subject"] = str(manifest.subject.digest)
    for tag in dict.fromkeys(context.query.all("tag")):
        response.headers.append("OCI-Tag", tag)
    return response


async def delete(context: Context) -> Response:
    """By digest the manifest goes with its tags, by tag just the tag."""
    reference = parse_known_reference(context.params["reference"])
    deletions = context.services.deletions
    if isinstance(reference, Tag):
        untag = Untag(reference, context.origin)
        await deletions.untag(context.repository, untag, context.record)
    else:
        deletion = DeleteManifests((reference,), context.origin)
        await deletions.delete_manifest(context.repository, deletion, context.record)
    return Response(status_code=202)


def _headers(reference: Reference, digest: Digest) -> dict[str, str]:
    return {
        "Docker-Content-Digest": str(digest),
        "ETag": entity_tag(digest),
        "Cache-Control": IMMUTABLE if isinstance(reference, Digest) else REVALIDATE,
        "Vary": "Accept",
    }
