"""Every error a client can see, one class for each error code.

The tree::

    RegistryError
    ├── BlobUnknown, BlobUploadUnknown, DigestInvalid, ManifestBlobUnknown,
    │   ManifestInvalid, ManifestUnknown, NameInvalid, NameUnknown, SizeInvalid, Unauthorized,
    │   Unsupported                                 OCI distribution-spec 1.1, "Error Codes"
    ├── TagInvalid, TooManyTags, RangeInvalid, PaginationNumberInvalid, RequestInvalid,
    │   UnknownRoute
    │                                               CNCF distribution's, which clients know
    ├── ScopeInvalid, GrantUnsupported              token requests
    ├── TooManyRequests                             rate limits, and wrong passwords
    ├── DisallowedOperation, TagUnknown             Azure Container Registry's
    └── Unavailable, InsufficientStorage, InternalError
                                                    storage or we ourselves failed

They are raised anywhere below the HTTP edge, which is the only place that catches them; `body()`
is the only place that builds an error body.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping


class RegistryError(Exception):
    """An answer other than the one asked for: HTTP status, OCI error code, message, detail."""

    status = 500
    code = "UNKNOWN"
    message = "unknown error"

    def __init__(
        self,
        message: str | None = None,
        *,
        detail: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or self.message)
        self.text = message or self.message
        self.detail = detail
        self.headers: dict[str, str] = dict(headers or {})

    def body(self) -> bytes:
        """The JSON error body, ending in a newline (OCI distribution-spec, "Error Codes")."""
        error: dict[str, object] = {"code": self.code, "message": self.text}
        if self.detail is not None:
            error["detail"] = self.detail
        return json.dumps({"errors": [error]}).encode() + b"\n"


class BlobUnknown(RegistryError):
    """The blob is not in this repository."""

    status, code, message = 404, "BLOB_UNKNOWN", "blob unknown to registry"


class BlobUploadUnknown(RegistryError):
    """The upload session never was, is over, or belongs to another repository."""

    status, code, message = 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"


class DigestInvalid(RegistryError):
    """A digest is malformed, of an unknown algorithm, or not that of the content."""

    status, code, message = 400, "DIGEST_INVALID", "provided digest did not match uploaded content"


class ManifestBlobUnknown(RegistryError):
    """A manifest refers to a blob that this repository does not have."""

    status, code = 400, "MANIFEST_BLOB_UNKNOWN"
    message = "manifest references a blob unknown to the repository"


class ManifestInvalid(RegistryError):
    """The manifest does not have the shape that its media type demands."""

    status, code, message = 400, "MANIFEST_INVALID", "manifest invalid"


class ManifestUnknown(RegistryError):
    """No such manifest or tag in this repository."""

    status, code, message = 404, "MANIFEST_UNKNOWN", "manifest unknown to registry"


class NameInvalid(RegistryError):
    """The repository name breaks the grammar."""

    status, code, message = 400, "NAME_INVALID", "invalid repository name"


class NameUnknown(RegistryError):
    """The repository has no manifest, so it does not exist."""

    status, code, message = 404, "NAME_UNKNOWN", "repository name not known to registry"


class SizeInvalid(RegistryError):
    """More bytes than the registry takes."""

    status, code, message = 413, "SIZE_INVALID", "the content is larger than the registry accepts"


class LengthInvalid(RegistryError):
    """The body is not as long as it says it is."""

    status, code, message = 400, "SIZE_INVALID", "provided length did not match content length"


class TagInvalid(RegistryError):
    """The tag breaks the grammar."""

    status, code, message = 400, "TAG_INVALID", "invalid tag"


class TagUnknown(RegistryError):
    """No such tag in this repository."""

    status, code, message = 404, "TAG_UNKNOWN", "the specified tag does not exist"


class TagExists(RegistryError):
    """A tag that is to be restored points at another manifest by now."""

    status, code = 409, "TAG_EXISTS"
    message = "the tag exists and points at another manifest; force overwrites it"


class TooManyTags(RegistryError):
    """More tags than one push can set."""

    status, code, message = 414, "TAG_INVALID", "too many tags"


class RangeInvalid(RegistryError):
    """A chunk does not follow the bytes received, or a range lies outside the blob."""

    status, code, message = 416, "RANGE_INVALID", "invalid content range"


class PaginationNumberInvalid(RegistryError):
    """`n` is not a number of entries."""

    status, code, message = 400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested"


class ScopeInvalid(RegistryError):
    """A scope of a token request is none, or there are too many."""

    status, code, message = 400, "SCOPE_INVALID", "invalid scope"


class GrantUnsupported(RegistryError):
    """A token request of a kind that is not known, or without what its kind needs."""

    status, code, message = 400, "UNSUPPORTED_GRANT", "the token request is not supported"


class TooManyRequests(RegistryError):
    """Too many requests, or wrong passwords; told with how long to wait, in seconds."""

    status, code, message = 429, "TOOMANYREQUESTS", "too many failed sign-ins; try again later"

    def __init__(
        self, message: str | None = None, *, detail: object = None, seconds: float = 1
    ) -> None:
        super().__init__(message, detail=detail, headers={"Retry-After": str(math.ceil(seconds))})


class Unauthorized(RegistryError):
    """Not signed in, or not as somebody who may do this."""

    status, code, message = 401, "UNAUTHORIZED", "authentication required"


class Denied(RegistryError):
    """Signed in, but not allowed to do this."""

    status, code, message = 403, "DENIED", "requested access to the resource is denied"


class Unsupported(RegistryError):
    """The operation is switched off, not known, or impossible in the present state."""

    status, code, message = 405, "UNSUPPORTED", "the operation is unsupported"


class DisallowedOperation(RegistryError):
    """A lock on the repository, manifest or tag forbids it (ACR's `changeableAttributes`)."""

    status, code = 405, "REGISTRY_DISALLOWED_OPERATION"
    message = "the operation is disallowed: the repository or image is locked"


class RequestInvalid(RegistryError):
    """The request's query or body cannot be read."""

    status, code, message = 400, "REQUEST_INVALID", "the query cannot be read"


class UnknownRoute(RegistryError):
    """No endpoint has this path."""

    status, code, message = 404, "NOT_FOUND", "no such endpoint"


class Unavailable(RegistryError):
    """Storage did not answer as it should; the same request may succeed a little later."""

    status, code, message = 503, "UNAVAILABLE", "storage is busy or unreachable; try again"

    def __init__(self, message: str | None = None, *, detail: object = None) -> None:
        super().__init__(message, detail=detail, headers={"Retry-After": "2"})


class InsufficientStorage(Unavailable):
    """Storage has no room: the same request succeeds once there is some (RFC 4918, 11.5)."""

    message = "storage is full: pushes fail until there is room; pulls still work"


class InternalError(RegistryError):
    """A fault of the registry's own; the correlation id leads to it in the logs."""

    status, code, message = 500, "UNKNOWN", "internal error"


def reason_of(body: bytes) -> str:
    """What an error body says, in one line: code and message; empty if it is none."""
    try:
        first = json.loads(body)["errors"][0]
        text = f"{first['code']}: {first['message']}"
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return "".join(character if character.isprintable() else " " for character in text)
