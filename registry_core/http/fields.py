"""The header fields of a request, by name: a request is asked for many, and gone through once."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

_INDEX = "slipway.fields"
"""Where in its scope a request keeps them."""


def values(request: Request, name: bytes) -> Sequence[str]:
    """All values of a header, in order; `name` is in lower case, as ASGI has it."""
    return [value.decode("latin-1") for value in _index(request).get(name, ())]


def first(request: Request, name: bytes) -> str | None:
    """The first value of a header; None if it was not sent."""
    found = _index(request).get(name)
    return found[0].decode("latin-1") if found else None


def only(request: Request, name: bytes) -> str:
    """The value of a header; empty where there are several, as one of them is the client's."""
    found = _index(request).get(name, ())
    return found[0].decode("latin-1").strip(" \t") if len(found) == 1 else ""


def _index(request: Request) -> dict[bytes, list[bytes]]:
    known: dict[bytes, list[bytes]] | None = request.scope.get(_INDEX)
    if known is None:
        known = request.scope[_INDEX] = {}
        for name, value in request.scope["headers"]:
            known.setdefault(name, []).append(value)
    return known
