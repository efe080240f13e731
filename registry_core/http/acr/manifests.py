"""Manifests, each with its types, platform, times, tags and attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from registry_core.errors import DigestInvalid, ManifestUnknown, NameUnknown
from registry_core.http import pagination
from registry_core.http.acr import answers, attributes
from registry_core.http.context import Context
from registry_core.http.json_response import JsonResponse
from registry_core.model.digest import Digest
from registry_core.repositories.facts import ManifestFacts


async def listing(context: Context) -> Response:
    """The manifests in the order of their digests, or that of time."""
    count, order = answers.page_size(context), answers.order(context)
    last = pagination.cursor(context.query)
    metadata = context.services.metadata
    page = await metadata.manifests(context.repository, order, last, max(count, 1))
    entries, following = (page.entries, page.next) if count else ([], "")
    path = f"{quote(context.repository.text, safe='')}/_manifests"
    headers = answers.link(context, path, following, count)
    manifests = [shown(manifest) for manifest in entries] or None
    return JsonResponse({**answers.head(context), "manifests": manifests}, headers=headers)


async def get(context: Context) -> Response:
    """One manifest; of an index, with the manifests that it names."""
    digest = digest_in(context)
    try:
        found = await context.services.metadata.manifest(context.repository, digest)
    except ManifestUnknown as error:
        raise _unknown(digest) from error
    told = shown(found)
    if found.children:
        told["references"] = [_reference(child) for child in found.children]
    return JsonResponse({**answers.head(context), "manifest": told})


async def patch(context: Context) -> Response:
    """Sets attributes of a manifest; its tags have their own."""
    digest = digest_in(context)
    try:
        await attributes.change(context, digest)
    except (NameUnknown, ManifestUnknown) as error:
        raise _unknown(digest) from error
    return await get(context)


def digest_in(context: Context) -> Digest:
    """The digest in the path. Raises `ManifestUnknown`."""
    text = context.params["reference"]
    try:
        return Digest.parse(text)
    except DigestInvalid as error:
        raise _unknown(text[:160]) from error


def _unknown(digest: object) -> ManifestUnknown:
    return ManifestUnknown(f"manifest {digest} is not found")


def shown(manifest: ManifestFacts) -> dict[str, object]:
    """What is not known or not there is left out, as ACR does."""
    optional = {
        "architecture": manifest.architecture,
        "os": manifest.os,
        "configMediaType": manifest.config_media_type,
        "tags": list(manifest.tags),
    }
    return {
        "digest": manifest.digest,
        "imageSize": manifest.image_size,
        "createdTime": answers.time(manifest.created),
        "lastUpdateTime": answers.time(manifest.updated),
        "mediaType": manifest.media_type,
        **{field: value for field, value in optional.items() if value},
        "changeableAttributes": attributes.shown(manifest.attributes),
    }


def _reference(descriptor: Mapping[str, Any]) -> dict[str, object]:
    platform = descriptor.get("platform") or {}
    known = {field: platform.get(field) for field in ("architecture", "os")}
    return {"digest": descriptor["digest"], **{f: value for f, value in known.items() if value}}
