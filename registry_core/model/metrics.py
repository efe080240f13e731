"""The metrics that the registry tells of, by Azure Container Registry's names where it has one."""

from __future__ import annotations

from enum import StrEnum

NAMESPACE = "Slipway"
REGION = "Geolocation"
"""The dimension that every metric has, as Azure Container Registry's have it."""


class Metric(StrEnum):
    """A metric. Those of counts are summed up; `RequestLatency` has averages and the greatest."""

    TOTAL_PULLS = "TotalPullCount"
    """Manifests that were asked for to be pulled."""
    SUCCESSFUL_PULLS = "SuccessfulPullCount"
    TOTAL_PUSHES = "TotalPushCount"
    """Manifests that were sent."""
    SUCCESSFUL_PUSHES = "SuccessfulPushCount"
    STORAGE_USED = "StorageUsed"
    """Bytes that storage has, as the nightly count knows them."""
    DELETIONS = "DeletionCount"
    """Manifests, tags and blobs that were deleted."""
    ERRORS = "ErrorCount"
    """Answers that were errors, by `Class`, `4xx` or `5xx`."""
    LATENCY = "RequestLatency"
    """Milliseconds until the answer, by `Kind` of route."""
    STORED_BYTES = "StoredBytes"
    """Bytes that were sent to be stored."""
    FREED_BYTES = "FreedBytes"
    """Bytes that collection gave back."""
