"""`GET /v2/`: whether this is a registry, and who is signed in ("Determining Support")."""

from __future__ import annotations

from starlette.responses import Response

from registry_core.http.context import Context


async def get(_: Context) -> Response:
    """Whoever gets here is signed in."""
    return Response(b"{}", media_type="application/json")
