"""Tags, each with its digest, times and attributes."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from registry_core.errors import ManifestUnknown, NameUnknown, TagInvalid, TagUnknown
from registry_core.http import pagination
from registry_core.http.acr import answers, attributes
from registry_core.http.context import Context
from registry_core.http.json_response import JsonResponse
from registry_core.model.change import Event, Untag
from registry_core.model.digest import Digest
from registry_core.model.names import Tag
from registry_core.repositories.facts import TagFacts


async def listing(context: Context) -> Response:
    """The tags in lexical order or that of time, all or those of one manifest (`digest`)."""
    count, order = answers.page_size(context), answers.order(context)
    digest = context.query.get("digest") or ""
    page = await context.services.metadata.tags(
        context.repository,
        order,
        Digest.parse(digest) if digest else None,
        pagination.cursor(context.query),
        max(count, 1),
    )
    entries, following = (page.entries, page.next) if count else ([], "")
    path = f"{quote(context.repository.text, safe='')}/_tags"
    also = {"digest": digest} if digest else {}
    headers = answers.link(context, path, following, count, **also)
    tags = [_shown(tag) for tag in entries] or None
    return JsonResponse({**answers.head(context), "tags": tags}, headers=headers)


async def get(context: Context) -> Response:
    """One tag."""
    found = await context.services.metadata.tag(context.repository, _tag(context))
    return JsonResponse({**answers.head(context), "tag": _shown(found)})


async def patch(context: Context) -> Response:
    """Sets attributes of a tag; its manifest has its own."""
    try:
        await attributes.change(context, _tag(context))
    except (NameUnknown, ManifestUnknown) as error:
        raise TagUnknown from error
    return await get(context)


async def delete(context: Context) -> Response:
    """Takes a tag away; its manifest stays."""
    told: list[Event] = []
    untag = Untag(_tag(context), context.origin)
    try:
        await context.services.deletions.untag(context.repository, untag, told.extend)
    except (NameUnknown, ManifestUnknown) as error:
        raise TagUnknown from error
    context.record(told)
    headers = {"X-Ms-Int-Docker-Content-Digest": told[0].digest}
    return Response(status_code=202, headers=headers)


def _tag(context: Context) -> Tag:
    try:
        return Tag.parse(context.params["reference"])
    except TagInvalid as error:
        raise TagUnknown from error


def _shown(tag: TagFacts) -> dict[str, object]:
    return {
        "name": tag.name,
        "digest": tag.digest,
        "createdTime": answers.time(tag.created),
        "lastUpdateTime": answers.time(tag.updated),
        "signed": False,
        "changeableAttributes": attributes.shown(tag.attributes),
    }
