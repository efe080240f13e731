"""Usage of storage, which Azure Container Registry's own API does not tell by repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from registry_core.errors import NameUnknown, RequestInvalid
from registry_core.http import pagination
from registry_core.http.acr import answers
from registry_core.http.context import Context
from registry_core.http.json_response import JsonResponse
from registry_core.model.names import RepositoryName
from registry_core.storage.pacing import both, together

if TYPE_CHECKING:
    from registry_core.lifecycle.usage.total import Total
    from registry_core.repositories.usage import Usage

MOST_ENTRIES = 100
"""The most repositories that one answer tells of: each takes two storage calls, or is counted."""
_DEFAULT_ENTRIES = 30


async def listing(context: Context) -> Response:
    """The usage of the repositories, in lexical order; or of those alone that `name` names."""
    names, following, count = await _wanted(context)
    total, found = await both(
        context.services.totals.get(), together(_of(context, name) for name in names)
    )
    entries = [_shown(usage, total) for usage in found if usage is not None]
    headers = pagination.next_link("/acr/v1/_usage", following, n=str(count))
    server = answers.server(context)
    return JsonResponse(
        {"registry": server, "total": _total(total), "repositories": entries}, headers=headers
    )


async def get(context: Context) -> Response:
    """The usage of one repository."""
    total, usage = await both(
        context.services.totals.get(), context.services.usages.of(context.repository)
    )
    return JsonResponse({"registry": answers.server(context), **_shown(usage, total)})


async def _wanted(context: Context) -> tuple[list[RepositoryName], str, int]:
    """The repositories that are asked for, after which more follow, and how many are a page."""
    named = list(dict.fromkeys(context.query.all("name")))
    if len(named) > MOST_ENTRIES:
        raise RequestInvalid(
            f"name is there more than {MOST_ENTRIES} times", detail={"names": len(named)}
        )
    if named:
        return [RepositoryName.parse(name) for name in named], "", len(named)
    count = min(pagination.page_size(context.query, _DEFAULT_ENTRIES), MOST_ENTRIES)
    if not count:
        return [], "", 0
    page = await context.services.listings.repositories(pagination.cursor(context.query), count)
    return [RepositoryName(name) for name in page.entries], page.next, count


async def _of(context: Context, name: RepositoryName) -> Usage | None:
    """None of a repository that is not there, or not any more."""
    try:
        return await context.services.usages.of(name)
    except NameUnknown:
        return None


def _shown(usage: Usage, total: Total) -> dict[str, object]:
    counted = usage.counted
    return {
        "imageName": str(usage.repository),
        "lastUpdateTime": answers.time(usage.updated),
        "manifestCount": counted.manifests if counted else None,
        "tagCount": counted.tags if counted else None,
        "untaggedCount": counted.untagged if counted else None,
        "size": counted.size if counted else None,
        "sharedSize": total.shared(usage.shared),
        "restorableCount": counted.restorable if counted else None,
        "restorableSize": counted.restorable_size if counted else None,
        "isExact": counted.is_exact if counted else None,
        "isCurrent": usage.is_current,
        "asOf": answers.time(counted.as_of) if counted else None,
    }


def _total(total: Total) -> dict[str, object] | None:
    """What the nightly counts know; None before the first."""
    if total.as_of is None:
        return None
    oldest = total.oldest
    return {
        **total.counts,
        "isComplete": total.is_complete,
        "asOf": answers.time(total.as_of),
        "oldest": answers.time(oldest) if oldest else None,
    }
