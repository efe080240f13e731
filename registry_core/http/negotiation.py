"""`Accept`: what a client says it can read (RFC 9110, 12.5.1; OCI "Content Negotiation").

A manifest is stored under one media type and never converted to another, because its digest names
its bytes. A client that lists manifest types and leaves this one out could not read the answer, and
is told which type it is, as CNCF distribution does, instead of being sent what it did not ask for.
"""

from __future__ import annotations

from functools import lru_cache

from starlette.requests import Request

from registry_core.errors import ManifestUnknown
from registry_core.http import fields
from registry_core.model import media_types

_ANY = frozenset({"*/*", "application/*", "*", "application/json"})
"""What covers every manifest: each is JSON."""


def check_accepted(request: Request, media_type: str) -> None:
    """Raises `ManifestUnknown` if the client can read other types of manifest and not this one.

    No `Accept`, a wildcard, and one that lists nothing of ours accept all: RFC 9110 lets a server
    disregard the header, and clients that send such were not thinking of manifests.
    """
    accepted, excluded = _media_ranges(",".join(fields.values(request, b"accept")))
    media_type = media_type.lower()
    if media_type in accepted or (accepted & _ANY and media_type not in excluded):
        return
    if accepted.isdisjoint(media_types.MANIFEST_LIKE) and media_type not in excluded:
        return
    raise ManifestUnknown(
        f"the manifest's media type is {media_type}, which Accept does not list; "
        "manifests are never converted",
        detail={"mediaType": media_type},
    )


@lru_cache(maxsize=64)  # Each client sends the same with each request.
def _media_ranges(accept: str) -> tuple[frozenset[str], frozenset[str]]:
    """The media ranges that are accepted, and those that are refused (``q=0``); in lower case."""
    found: tuple[set[str], set[str]] = (set(), set())
    for part in accept.split(","):
        name, *parameters = (text.strip().lower() for text in part.split(";"))
        if name:
            found[any(map(_is_zero, parameters))].add(name)
    return frozenset(found[False]), frozenset(found[True])


def _is_zero(parameter: str) -> bool:
    """Whether it is a quality value of nothing: ``q=0``, ``q=0.000``."""
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in ("", "0.", "0") and "0" in value
