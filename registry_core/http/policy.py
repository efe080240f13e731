"""What browsers are told of every answer: that it is no page, and nobody else's to show.

Repositories hold whatever people push, on the origin on which people sign in. So nothing of it may
run there, be framed, or be read by a page of elsewhere without the registry's leave (`cors`).
"""

from __future__ import annotations

from starlette.responses import Response

NOTHING_RUNS = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""The policy of all but the page itself, which has its own."""
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", NOTHING_RUNS.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_NAMES = frozenset([name for name, _ in HEADERS])


def apply(response: Response, *more: tuple[bytes, bytes]) -> None:
    """Adds these headers, unless the answer says otherwise, and `more`."""
    headers = response.raw_headers
    said = [name for name, _ in headers if name in _NAMES]
    headers += [header for header in HEADERS if header[0] not in said] if said else HEADERS
    headers += more
