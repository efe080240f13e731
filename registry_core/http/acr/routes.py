"""The routes of `/acr/v1`."""

from __future__ import annotations

from registry_core.http.acr import deleted, manifests, repositories, tags, usage
from registry_core.http.surface import Route, Surface
from registry_core.model.actions import Action
from registry_core.model.change import Operation

_READ, _WRITE, _DELETE = Action.METADATA_READ, Action.METADATA_WRITE, Action.DELETE
_TAGS, _TAG = "/<name>/_tags", "/<name>/_tags/<reference>"
_MANIFESTS, _MANIFEST = "/<name>/_manifests", "/<name>/_manifests/<reference>"
_DELETED = "/_deleted/<name>"
_DELETED_READ, _RESTORE = Action.DELETED_READ, Action.DELETED_RESTORE
_USAGE = "/<name>/_usage"
_REPOSITORY, _ONE = "/<name>", "acr-repository"
_NAME = "[^_/][^/]*(?:/[^_/][^/]*)*"
"""No part of a name begins with `_`: so ACR's other families of paths are unknown, not names."""

SURFACE = Surface(
    "/acr/v1",
    (
        Route("GET", "/_catalog", "acr-catalog", Action.CATALOG, repositories.catalog),
        Route("GET", "/_usage", "acr-usages", Action.CATALOG, usage.listing),
        Route("GET", _USAGE, "acr-usage", _READ, usage.get),
        Route("GET", _TAGS, "acr-tags", _READ, tags.listing),
        Route("GET", _TAG, "acr-tag", _READ, tags.get),
        Route("PATCH", _TAG, "acr-tag", _WRITE, tags.patch, Operation.UPDATE),
        Route("DELETE", _TAG, "acr-tag", _DELETE, tags.delete, Operation.UNTAG),
        Route("GET", _MANIFESTS, "acr-manifests", _READ, manifests.listing),
        Route("GET", _MANIFEST, "acr-manifest", _READ, manifests.get),
        Route("PATCH", _MANIFEST, "acr-manifest", _WRITE, manifests.patch, Operation.UPDATE),
        Route(
            "GET",
            "/_deleted/_catalog",
            "acr-deleted-catalog",
            Action.DELETED_CATALOG,
            deleted.catalog,
        ),
        Route("GET", f"{_DELETED}/_tags", "acr-deleted-tags", _DELETED_READ, deleted.tags),
        Route(
            "GET", f"{_DELETED}/_manifests", "acr-deleted-manifests", _DELETED_READ, deleted.listing
        ),
        Route(
            "POST",
            f"{_DELETED}/_manifests/<reference>",
            "acr-restore",
            _RESTORE,
            deleted.restore,
            Operation.RESTORE,
        ),
        # The last: a repository's name has slashes of its own.
        Route("GET", _REPOSITORY, _ONE, _READ, repositories.get),
        Route("PATCH", _REPOSITORY, _ONE, _WRITE, repositories.patch, Operation.UPDATE),
        Route("DELETE", _REPOSITORY, _ONE, _DELETE, repositories.delete, Operation.DELETE),
    ),
    is_private=True,
    name=_NAME,
)
