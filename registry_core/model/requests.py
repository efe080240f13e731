"""The kinds of requests that are counted, each for itself (ACR's "API rate limits")."""

from __future__ import annotations

from enum import StrEnum


class RequestKind(StrEnum):
    """What a request counts as."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    REFERRERS = "referrers"
    """Listing referrers, which counts as a read as well."""
    SIGN_IN = "sign_in"
