"""Repositories: the catalog, and one of them with its attributes."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import Response

from registry_core.http import pagination
from registry_core.http.acr import answers, attributes
from registry_core.http.context import Context
from registry_core.http.json_response import JsonResponse
from registry_core.model.change import DeleteRepository, Event, Operation


async def catalog(context: Context) -> Response:
    """`GET /acr/v1/_catalog`: the repositories that hold a manifest, in lexical order."""
    count = answers.page_size(context)
    answers.order(context)
    entries, following = [], ""
    if count:
        last = pagination.cursor(context.query)
        page = await context.services.listings.repositories(last, count)
        entries, following = page.entries, page.next
    headers = answers.link(context, "_catalog", following, count)
    return JsonResponse({"repositories": entries or None}, headers=headers)


async def get(context: Context) -> Response:
    """When it was made and updated, how much is in it, its attributes."""
    found = await context.services.metadata.repository(context.repository)
    return JsonResponse(
        {
            **answers.head(context),
            "createdTime": answers.time(found.created),
            "lastUpdateTime": answers.time(found.updated),
            "manifestCount": found.manifests,
            "tagCount": found.tags,
            "changeableAttributes": attributes.shown(found.attributes),
        }
    )


async def patch(context: Context) -> Response:
    """Sets attributes of the repository."""
    await attributes.change(context)
    return await get(context)


async def delete(context: Context) -> Response:
    """Deletes the repository with all that is in it, and tells what that was."""
    # An event whose answer was lost may be told twice.
    manifests: set[str] = set()
    tags: set[str] = set()

    def tell(events: Iterable[Event]) -> None:
        told = list(events)
        context.record(told)
        for event in told:
            tags.update(event.tags)
            if event.operation is Operation.UNTAG:
                tags.add(event.tag)
            else:
                manifests.add(event.digest)

    deletion = DeleteRepository(context.origin)
    await context.services.bulk_deletions.delete_repository(context.repository, deletion, tell)
    deleted = {"manifestsDeleted": sorted(manifests), "tagsDeleted": sorted(tags)}
    return JsonResponse(deleted, 202)
