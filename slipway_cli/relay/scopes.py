"""What a request to a registry needs a token for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from slipway_cli.registry.client import CATALOG, DELETED_CATALOG, Scope, repository_scope

_CHALLENGED = re.compile(r'\bscope="([^"]{1,2000})"')
_V2 = re.compile(r"/v2/(?P<name>.+)/(?:blobs|manifests|tags|referrers)/.*")
_ACR = re.compile(r"/acr/v1/(?P<name>[^/]+(?:/.+?)??)(?:/_(?:tags|manifests)(?:/.*)?)?/?")


@dataclass(frozen=True)
class Scopes(Scope):
    """Several scopes, of which the first says what a request is about."""

    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Scopes:
        """Of scopes with spaces between them."""
        kind, _, rest = text.partition(" ")[0].partition(":")
        name, _, actions = rest.rpartition(":")
        return cls(kind, name, tuple(actions.split(",")), text)

    def __str__(self) -> str:
        return self.text


def pushing(repository: str, mounted_from: str = "") -> Scope:
    """For an upload, or for a mount from another repository."""
    own = repository_scope(repository, "pull", "push")
    if not mounted_from or mounted_from == repository:
        return own
    return Scopes.parse(f"{own} {repository_scope(mounted_from, 'pull')}")


def challenged(challenge: str) -> Scope | None:
    """What a registry asks for that refuses a token, if it says so."""
    found = _CHALLENGED.search(challenge)
    if found is None or "insufficient_scope" not in challenge:
        return None
    return Scopes.parse(found[1])


def needed(method: str, path: str) -> Scope | None:
    """For a request by its method and path; None where no token is needed."""
    is_read = method in ("GET", "HEAD")
    if found := _V2.fullmatch(path):
        actions = ("pull",) if is_read else ("delete",) if method == "DELETE" else ("pull", "push")
        return repository_scope(found["name"], *actions)
    if path.startswith(("/v2/_", "/acr/v1/_")):
        return DELETED_CATALOG if "_deleted" in path else CATALOG
    if found := _ACR.fullmatch(path):
        action = (
            "metadata_read" if is_read else "delete" if method == "DELETE" else "metadata_write"
        )
        return repository_scope(found["name"], action)
    return None
