"""Listings: tags, repositories, referrers."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from registry_core.http import pagination
from registry_core.http.context import Context
from registry_core.http.json_response import JsonResponse
from registry_core.model import media_types
from registry_core.model.digest import Digest


async def tags(context: Context) -> Response:
    """`GET /v2/<name>/tags/list`: in lexical order (distribution-spec, "Listing Tags")."""
    count = pagination.page_size(context.query)
    last = pagination.cursor(context.query)
    page = await context.services.listings.tags(context.repository, last, max(count, 1))
    entries, following = (page.entries, page.next) if count else ([], "")
    return JsonResponse(
        {"name": str(context.repository), "tags": entries},
        headers=pagination.next_link(
            f"/v2/{context.repository}/tags/list", following, n=str(count)
        ),
    )


async def catalog(context: Context) -> Response:
    """`GET /v2/_catalog`: the repositories that hold a manifest, in lexical order."""
    count = pagination.page_size(context.query)
    if not count:
        return JsonResponse({"repositories": []})
    last = pagination.cursor(context.query)
    page = await context.services.listings.repositories(last, count)
    return JsonResponse(
        {"repositories": page.entries},
        headers=pagination.next_link("/v2/_catalog", page.next, n=str(count)),
    )


async def referrers(context: Context) -> Response:
    """`GET /v2/<name>/referrers/<digest>`: an index, empty if there are none.

    See distribution-spec, "Listing Referrers"; `n` as in the other listings. A filtered page may be
    short, or empty, and still have a `Link`.
    """
    subject = Digest.parse_foreign(context.params["digest"])
    artifact_type = context.query.get("artifactType") or ""
    count, last = pagination.page_size(context.query), pagination.cursor(context.query)
    entries, following = [], ""
    if count:
        page = await context.services.listings.referrers(
            context.repository, subject, artifact_type, last, count
        )
        entries, following = page.entries, page.next
    asked = {"artifactType": artifact_type} if artifact_type else {}
    if context.query.get("n") is not None:
        asked["n"] = str(count)
    headers = pagination.next_link(
        f"/v2/{context.repository}/referrers/{subject}", following, **asked
    )
    if artifact_type:
        headers["OCI-Filters-Applied"] = "artifactType"
    index = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": entries,
    }
    # Up to 3 MiB.
    return await asyncio.to_thread(
        JsonResponse, index, headers=headers, media_type=media_types.OCI_INDEX
    )
