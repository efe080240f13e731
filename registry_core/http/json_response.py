"""An answer in JSON."""

from __future__ import annotations

import json

from starlette.responses import Response

_ENCODE = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode
"""Made once: starlette's own answer makes one for each."""


class JsonResponse(Response):
    """Its content is a value of JSON."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """The value as it is sent."""
        return _ENCODE(content).encode()
