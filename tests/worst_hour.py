"""What the dearest requests of each kind take of storage, for the page on costs.

Bounds, not what is usual: `tests/integration/core/test_cost_calls.py` holds real requests to them.
"""

from __future__ import annotations

from registry_core.model.requests import RequestKind
from slipway_cli.billing.workload import APPEND_BLOCK, COMMIT, CREATE_UPLOAD, Calls

LONG_REFERRERS = 50
"""The most referrers of a page whose annotations are read from their manifests."""

DEAREST = {
    # Each on an instance that has nothing of the repository in memory, its lock neither.
    # A manifest by tag that is too large for its row.
    RequestKind.READ: Calls(blob_read=1, table=3),
    RequestKind.REFERRERS: Calls(table=2) + Calls(table=1, blob_read=1) * LONG_REFERRERS,
    # A small blob in three requests, POST, PATCH and PUT: a third of it each.
    RequestKind.WRITE: (CREATE_UPLOAD + APPEND_BLOCK + COMMIT) * (1 / 3),
    # A manifest with a tag and two blobs.
    RequestKind.DELETE: Calls(table=16, queue=1),
    # Of a token: its row, and that of its scope map.
    RequestKind.SIGN_IN: Calls(table=2),
}
