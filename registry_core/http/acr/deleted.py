"""What was deleted softly: listing it, and restoring it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response

from registry_core.errors import RequestInvalid, TagInvalid, TagUnknown
from registry_core.http import bodies, pagination
from registry_core.http.acr import answers, manifests
from registry_core.http.context import Context
from registry_core.http.json_response import JsonResponse
from registry_core.model.change import Event, Restore
from registry_core.model.names import Tag
from registry_core.repositories.listing import Page
from registry_core.repositories.rows import DeletedTag

if TYPE_CHECKING:
    from registry_core.repositories.deleted import DeletedManifest

_MAX_BYTES = 64 * 1024


async def catalog(context: Context) -> Response:
    """`GET /acr/v1/_deleted/_catalog`: the repositories in which something can be restored."""
    count = answers.page_size(context)
    last = pagination.cursor(context.query)
    listings = context.services.deleted
    page = await listings.repositories(last, count) if count else Page([], "")
    headers = answers.link(context, "_deleted/_catalog", page.next, count)
    return JsonResponse({"repositories": page.entries or None}, headers=headers)


async def tags(context: Context) -> Response:
    """Tags that were taken away, or went with their manifests, the earliest deletion first."""
    count, last = answers.page_size(context), pagination.cursor(context.query)
    page = await context.services.deleted.tags(context.repository, last, max(count, 1))
    return _listing(context, "tags", page, count, list(map(_tag, page.entries)))


async def listing(context: Context) -> Response:
    """Manifests that were deleted, the earliest deletion first."""
    count, last = answers.page_size(context), pagination.cursor(context.query)
    page = await context.services.deleted.manifests(context.repository, last, max(count, 1))
    return _listing(context, "manifests", page, count, list(map(_manifest, page.entries)))


def _listing(
    context: Context, field: str, page: Page, count: int, shown: list[dict[str, object]]
) -> Response:
    path = f"_deleted/{quote(context.repository.text, safe='')}/_{field}"
    headers = answers.link(context, path, page.next if count else "", count)
    entries = shown if count else []
    return JsonResponse({**answers.head(context), field: entries or None}, headers=headers)


def _tag(tag: DeletedTag) -> dict[str, object]:
    return {
        "tag": str(tag.tag),
        "digest": str(tag.digest),
        "deletedAt": answers.time(tag.deleted),
    }


def _manifest(found: DeletedManifest) -> dict[str, object]:
    return {**manifests.shown(found.manifest), "deletedAt": answers.time(found.deleted)}


async def restore(context: Context) -> Response:
    """Restores a manifest with what it needs, and the tag that the body names or those it had."""
    digest = manifests.digest_in(context)
    tag = _wanted_tag(await bodies.read_limited(context.request, _MAX_BYTES, "the body"))
    change = Restore(digest, tag, _is_forced(context), context.origin)
    restored: set[str] = set()

    def tell(events: Iterable[Event]) -> None:
        told = list(events)
        context.record(told)
        restored.update(tag for each in told if each.digest == str(digest) for tag in each.tags)

    await context.services.restorations.restore(context.repository, change, tell)
    told = {"digest": str(digest), "tags": sorted(restored)}
    return JsonResponse({**answers.head(context), **told})


def _is_forced(context: Context) -> bool:
    text = (context.query.get("force") or "false").lower()
    if text not in ("true", "false"):
        raise RequestInvalid("force is neither true nor false", detail={"force": text[:40]})
    return text == "true"


def _wanted_tag(body: bytes) -> Tag | None:
    """The tag that a body names; None if it names none. Raises `RequestInvalid`, `TagUnknown`."""
    if not body:
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestInvalid("the body is not JSON") from error
    text = document.get("tag") if isinstance(document, dict) else document
    if text in (None, ""):
        return None
    if not isinstance(text, str):
        raise RequestInvalid("tag is not a text", detail={"field": "tag"})
    try:
        return Tag.parse(text)
    except TagInvalid as error:
        raise TagUnknown from error
