"""The routes of `/v2`."""

from __future__ import annotations

from registry_core.http.surface import Route, Surface
from registry_core.http.v2 import base, blobs, listings, manifests, uploads
from registry_core.model.actions import Action
from registry_core.model.change import Operation
from registry_core.model.requests import RequestKind

_SIGN_IN, _CATALOG = Action.SIGN_IN, Action.CATALOG
_PULL, _PUSH, _DELETE = Action.PULL, Action.PUSH, Action.DELETE
_TAGS, _REFERRERS = "/<name>/tags/list", "/<name>/referrers/<digest>"
_MANIFEST, _BLOB = "/<name>/manifests/<reference>", "/<name>/blobs/<digest>"
_READS_REFERRERS = (RequestKind.READ, RequestKind.REFERRERS)
_UPLOADS, _UPLOAD = "/<name>/blobs/uploads/?", "/<name>/blobs/uploads/<upload>"

SURFACE = Surface(
    "/v2",
    (
        Route("GET", "/?", "base", _SIGN_IN, base.get),
        Route("HEAD", "/?", "base", _SIGN_IN, base.get),
        Route("GET", "/_catalog", "catalog", _CATALOG, listings.catalog),
        Route("GET", _TAGS, "tags", _PULL, listings.tags),
        Route("GET", _REFERRERS, "referrers", _PULL, listings.referrers, counts=_READS_REFERRERS),
        Route("HEAD", _MANIFEST, "manifest", _PULL, manifests.head),
        Route("GET", _MANIFEST, "manifest", _PULL, manifests.get, Operation.PULL),
        Route("PUT", _MANIFEST, "manifest", _PUSH, manifests.put, Operation.PUSH),
        Route("DELETE", _MANIFEST, "manifest", _DELETE, manifests.delete, Operation.DELETE),
        # Before blobs: an upload's path looks like one of theirs.
        Route("POST", _UPLOADS, "upload", _PUSH, uploads.post, mounts_from=uploads.source),
        Route("GET", _UPLOAD, "upload-session", _PUSH, uploads.get),
        Route("PATCH", _UPLOAD, "upload-session", _PUSH, uploads.patch),
        Route("PUT", _UPLOAD, "upload-session", _PUSH, uploads.put),
        Route("DELETE", _UPLOAD, "upload-session", _PUSH, uploads.delete),
        Route("HEAD", _BLOB, "blob", _PULL, blobs.head),
        Route("GET", _BLOB, "blob", _PULL, blobs.get, Operation.PULL),
        Route("DELETE", _BLOB, "blob", _DELETE, blobs.delete, Operation.DELETE),
    ),
    is_private=True,
)
