"""What a push, a pull and a deletion leave in the logs, which are paid for by the gigabyte."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from slipway_cli.billing.workload import (
    MESSAGES,
    Workload,
    requests_of_deletion,
    requests_of_pull,
    requests_of_push,
)

REQUEST_BYTES = 1_080
"""The host's own record of a request, with its envelope: measured on the Functions host."""
ENVELOPE_BYTES = 680
"""What is around a line that the registry writes: measured there, too."""
LINE_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "Login": 580,
        "Pull": 820,
        "Pull Blob": 700,
        "Push": 840,
        "Push Blob": 760,
        "Delete": 810,
    }
)
"""The registry's lines, by operation: measured by tests/integration/core/test_log_volume.py."""
COLLECTION_LINE_BYTES = 258
"""The line of collection, for each message."""
LONGEST_LINE_BYTES = 1_200
"""Of one request that changes one thing; that test holds it, too."""
HEALTH_CHECK_KB = REQUEST_BYTES / 1_000
"""What a health check leaves: the host's record alone."""
DEAREST_REQUEST_KB = (REQUEST_BYTES + ENVELOPE_BYTES + LONGEST_LINE_BYTES) / 1_000
"""The most that one request leaves, unless it changes many things."""


def records_of_push(work: Workload) -> float:
    """The audit records of one push: of the sign-in, the manifest, and each new blob."""
    return 2 + work.layers * work.new_layers + 1


def records_of_pull(work: Workload) -> float:
    """The audit records of one pull: of the sign-in, the manifest, and each blob pulled."""
    return 2 + work.layers * work.pulled_layers + 1


def of_push(work: Workload) -> float:
    """What one push leaves, in kB."""
    blobs = records_of_push(work) - 2
    lines = _line("Login") + _line("Push Blob") * blobs + _line("Push")
    return (requests_of_push(work) * REQUEST_BYTES + lines) / 1_000


def of_pull(work: Workload) -> float:
    """What one pull leaves, in kB."""
    blobs = records_of_pull(work) - 2
    lines = _line("Login") + _line("Pull") + _line("Pull Blob") * blobs
    return (requests_of_pull(work) * REQUEST_BYTES + lines) / 1_000


def of_deletion() -> float:
    """What the deletion of one image leaves, and collection after it, in kB."""
    lines = _line("Login") + _line("Delete")
    return (requests_of_deletion() * REQUEST_BYTES + lines + MESSAGES * collected()) / 1_000


def collected() -> int:
    """What one message leaves, in bytes: the host's record of it, and the line of collection."""
    return REQUEST_BYTES + ENVELOPE_BYTES + COLLECTION_LINE_BYTES


def _line(operation: str) -> int:
    return ENVELOPE_BYTES + LINE_BYTES[operation]
