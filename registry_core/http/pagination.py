"""Pages of a listing: `n`, `last` and `Link` (distribution-spec, "Listing Tags"; RFC 8288)."""

from __future__ import annotations

from urllib.parse import quote

from registry_core.errors import PaginationNumberInvalid
from registry_core.http.query import Query

MAX_ENTRIES = 1000
"""The largest page; a larger `n` is clamped to it (CVE-2023-2253)."""
_MAX_CURSOR = 1024


def page_size(query: Query, default: int = MAX_ENTRIES) -> int:
    """How many entries the client wants. Raises `PaginationNumberInvalid`."""
    text = query.get("n")
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise PaginationNumberInvalid(detail={"n": text[:40]})
    digits = text.lstrip("0") or "0"
    return MAX_ENTRIES if len(digits) > 6 else min(int(digits), MAX_ENTRIES)


def cursor(query: Query) -> str:
    """The entry after which the page begins; empty for the first page."""
    return (query.get("last") or "")[:_MAX_CURSOR]


def next_link(path: str, last: str, **parameters: str) -> dict[str, str]:
    """The `Link` header to the next page, relative; none if `last` is empty."""
    if not last:
        return {}
    fields = {"last": last, **parameters}
    query = "&".join(f"{name}={quote(fields[name], safe='')}" for name in sorted(fields))
    return {"Link": f'<{path}?{query}>; rel="next"'}
