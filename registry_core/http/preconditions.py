"""`If-None-Match`: an answer that the client has already is not sent again (RFC 9110, 13.1.2)."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from registry_core.model.digest import Digest

IMMUTABLE = "private, max-age=31536000, immutable"
"""What a digest names never changes; only who signed in may keep it."""
REVALIDATE = "private, no-cache"
"""What a tag names may have changed: it may be kept, and is asked for again each time."""

_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


def entity_tag(digest: Digest) -> str:
    """The strong entity tag of content: its digest."""
    return f'"{digest}"'


def not_modified(request: Request, digest: Digest) -> bool:
    """Whether the client says that it has the content of `digest`."""
    return has_tag(request, entity_tag(digest))


def has_tag(request: Request, tag: str) -> bool:
    """Whether the client says that it has what the entity tag names. The comparison is weak."""
    asked = ",".join(request.headers.getlist("if-none-match")).strip()
    return asked == "*" or tag in _ENTITY_TAG.findall(asked)


def unchanged(headers: dict[str, str]) -> Response:
    """304, with the headers that a 200 would have had, less those of the content."""
    return Response(status_code=304, headers=headers)
