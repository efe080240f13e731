"""Listings: tags, repositories, referrers."""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse, Response

from registry_core.http import pagination
from registry_core.http.exchange import Exchange
from registry_core.model import media_types
from registry_core.model.digest import Digest


async def tags(exchange: Exchange) -> Response:
    """`GET /v2/<name>/tags/list`: in lexical order (distribution-spec, "Listing Tags")."""
    count = pagination.page_size(exchange.query)
    last = pagination.cursor(exchange.query)
    page = await exchange.registry.manifests.tags(exchange.repository, last, max(count, 1))
    entries, following = (page.entries, page.next) if count else ([], "")
    return JSONResponse(
        {"name": str(exchange.repository), "tags": entries},
        headers=pagination.next_link(
            f"/v2/{exchange.repository}/tags/list", following, n=str(count)
        ),
    )


async def catalog(exchange: Exchange) -> Response:
    """`GET /v2/_catalog`: the repositories that hold a manifest, in lexical order."""
    count = pagination.page_size(exchange.query)
    if not count:
        return JSONResponse({"repositories": []})
    last = pagination.cursor(exchange.query)
    page = await exchange.registry.manifests.repositories(last, count)
    return JSONResponse(
        {"repositories": page.entries},
        headers=pagination.next_link("/v2/_catalog", page.next, n=str(count)),
    )


async def referrers(exchange: Exchange) -> Response:
    """`GET /v2/<name>/referrers/<digest>`: an index, empty if there are none.

    See distribution-spec, "Listing Referrers"; `n` as in the other listings. A filtered page may be
    short, or empty, and still have a `Link`.
    """
    subject = Digest.parse_foreign(exchange.params["digest"])
    artifact_type = exchange.query.get("artifactType") or ""
    count, last = pagination.page_size(exchange.query), pagination.cursor(exchange.query)
    entries, following = [], ""
    if count:
        page = await exchange.registry.manifests.referrers(
            exchange.repository, subject, artifact_type, last, count
        )
        entries, following = page.entries, page.next
    asked = {"artifactType": artifact_type} if artifact_type else {}
    if exchange.query.get("n") is not None:
        asked["n"] = str(count)
    headers = pagination.next_link(
        f"/v2/{exchange.repository}/referrers/{subject}", following, **asked
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
        JSONResponse, index, headers=headers, media_type=media_types.OCI_INDEX
    )
