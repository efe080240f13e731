"""What a registry does in a month, and what that takes of storage: measured, not guessed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from slipway_cli.billing.instance import Instance

BLOCK_MIB = 8
"""What one append to an upload holds."""


@dataclass(frozen=True)
class Workload:
    """A month. Numbers are for all regions together, but for `stored_gb`, which is each one's."""

    pushes: int = 0
    """Images pushed."""
    pulls: int = 0
    """Images pulled."""
    deletions: int = 0
    """Images deleted."""
    layers: int = 8
    """Layers of an image, without its config."""
    image_mb: float = 200
    """Compressed size of an image, in MB."""
    stored_gb: float = 0
    """What is kept, in GB, in each region."""
    new_layers: float = 0.5
    """The share of a pushed image's layers that the registry does not have."""
    pulled_layers: float = 0.5
    """The share of a pulled image's layers that the client does not have."""
    internet: float = 0.0
    """The share of pulled bytes that leave Azure's region; those are billed."""
    regions: int = 1
    private_endpoints: bool = False
    probes: bool = True
    """Whether Traffic Manager probes the regions, where there are several."""
    alerts: bool = False
    """Whether alerts go to an address; where there is none, none is made."""
    metrics: bool = True
    """Whether the registry sends metrics to Azure Monitor."""
    keep_warm: int = 0
    """How often `keepWarm` asks for `/healthz`, in each region."""
    memory_gb: float = Instance.memory_mb / 1024
    """Memory of an instance, in GB."""
    concurrency: int = Instance.concurrency
    """How many requests an instance serves at once (`perInstanceConcurrency`)."""
    always_ready: int = 0
    """Instances kept ready in each region."""
    request_seconds: float = 0.02
    """How long a request that moves no bytes takes. Those of a pull take some milliseconds on the
    production engine (docs/performance.md); the rest is for what the platform adds, which was not
    measured."""
    upload_mb_second: float = 30
    """How fast bytes of an upload arrive, in MB/s."""
    overlap: float = 1
    """How many pulls or pushes an instance has under way at once, on average."""


@dataclass(frozen=True)
class Calls:
    """Storage operations by what they are billed as."""

    blob_write: float = 0
    blob_read: float = 0
    blob_other: float = 0
    table: float = 0
    queue: float = 0

    def __add__(self, other: Calls) -> Calls:
        """Both."""
        return Calls(
            self.blob_write + other.blob_write,
            self.blob_read + other.blob_read,
            self.blob_other + other.blob_other,
            self.table + other.table,
            self.queue + other.queue,
        )

    def __mul__(self, times: float) -> Calls:
        """So many times."""
        return Calls(*(times * each for each in vars(self).values()))


# Measured on Azurite by tests/integration/core/test_cost_calls.py: one instance, which has just
# started, answers a whole push or pull. Where several share it, each reads a row more for a blob
# that is new to it, and the locks of the repository once.
HEAD_BLOB = Calls(table=1)
READ_BY_CLIENT = Calls(blob_read=1)
"""What the client that was redirected does at storage."""
CREATE_UPLOAD = Calls(blob_write=1)
APPEND_BLOCK = Calls(blob_write=1)
COMMIT = Calls(blob_write=1, table=1)
MANIFEST = Calls(blob_read=1, table=5)
"""Of a new image into a new repository; for each of its blobs there are `MANIFEST_BLOB` more."""
MANIFEST_BLOB = Calls(table=1)
HEAD_MANIFEST = Calls(table=1)
GET_MANIFEST = Calls(table=1)
LOCKS = Calls(table=1)
"""Whether anything may be pulled from a repository: once, then from memory."""
DELETE_MANIFEST = Calls(table=6, queue=1)
"""With a tag, beside other manifests; for each of its blobs there are `DELETE_BLOB` more."""
DELETE_BLOB = Calls(table=2)
MESSAGES = 2
"""Executions for what a deletion has freed: when the grace period is over, and a day later."""
MESSAGE = Calls(table=4, queue=2)
"""What each of them reads of the repository, and how the host takes and deletes it."""
FIRST_MESSAGE = Calls(table=1, queue=1)
"""More of the first: tombstones are deleted, and the second is sent."""
FREED_BLOB = Calls(table=4)
"""Of both; to delete an object costs nothing."""
SHARED_BLOB = Calls(table=3)
"""Of a blob that another manifest of the repository needs: it is looked at once."""
QUEUE_POLLS_A_DAY = 2 * 24 * 60 * 60 / 10
"""The platform looks whether messages wait: two operations each ten seconds (docs/cost.md)."""

COUNT = Calls(blob_write=3, blob_read=1, table=4)
"""Of a count of usage in a night, beside one table call for each 1,000 rows and manifests: the list
of days and that of a day, what was counted before and is counted now; ranges, and the catalog."""
PAGE_ROWS = 1_000
COUNT_PARTS = 7
"""Into so many parts the count is cut."""

WORKLOADS: Mapping[str, Workload] = MappingProxyType(
    {
        "idle": Workload(),
        "small": Workload(
            pushes=100, pulls=1_000, deletions=100, stored_gb=5, image_mb=100, layers=6
        ),
        "team": Workload(pushes=3_000, pulls=30_000, deletions=3_000, stored_gb=100, overlap=2),
        "busy": Workload(
            pushes=20_000,
            pulls=1_000_000,
            deletions=20_000,
            stored_gb=1_000,
            pulled_layers=0.3,
            overlap=4,
        ),
    }
)


def requests_of_push(work: Workload) -> float:
    """HTTP requests of one push: sign-in, and for each blob whether it is there, or all of it."""
    new = work.layers * work.new_layers + 1
    return 2 + (work.layers + 1) + 3 * new + 1


def requests_of_pull(work: Workload) -> float:
    """HTTP requests of one pull: sign-in, the tag, the manifest, and the blobs."""
    return 2 + 2 + work.layers * work.pulled_layers + 1


def requests_of_deletion() -> float:
    """HTTP requests of one deletion: sign-in, and the manifest."""
    return 2 + 1


def calls_of_push(work: Workload) -> Calls:
    """Storage operations of one push."""
    blobs = work.layers + 1
    new_layers = work.layers * work.new_layers
    blocks = max(1, math.ceil(work.image_mb / work.layers / 1.048576 / BLOCK_MIB))
    layer = CREATE_UPLOAD + APPEND_BLOCK * blocks + COMMIT
    config = CREATE_UPLOAD + APPEND_BLOCK + COMMIT
    manifest = MANIFEST + MANIFEST_BLOB * blobs
    return HEAD_BLOB * blobs + layer * new_layers + config + manifest


def calls_of_pull(work: Workload) -> Calls:
    """Storage operations of one pull, the client's own included."""
    blobs = work.layers * work.pulled_layers + 1
    return LOCKS + HEAD_MANIFEST + GET_MANIFEST + READ_BY_CLIENT * blobs


def calls_of_deletion(work: Workload) -> Calls:
    """Storage operations of one deletion, those of collection included.

    As many of its layers as were new when an image was pushed go with it.
    """
    blobs, freed = work.layers + 1, work.layers * work.new_layers + 1
    collected = FREED_BLOB * freed + SHARED_BLOB * (blobs - freed)
    return DELETE_MANIFEST + DELETE_BLOB * blobs + MESSAGE * MESSAGES + FIRST_MESSAGE + collected


def seconds_of_deletion(work: Workload) -> float:
    """How long instances are active for one deletion, and for collection after it.

    Messages have instances of their own, which have nothing else to do.
    """
    return _active(requests_of_deletion() * work.request_seconds, work) + MESSAGES


def calls_of_count(work: Workload) -> Calls:
    """Storage operations of the nightly count of usage, in each region.

    Each image stored has as many new layers as a push brings. Each of its blobs has three rows, and
    one for each image that needs it.
    """
    new = work.layers * work.new_layers + 1
    images = work.stored_gb * 1_000 / max(work.image_mb * work.new_layers, 1)
    rows = images * (3 * new + work.layers + 1) / COUNT_PARTS
    # Whether the manifests that need them are there is looked up as well: at worst all of them.
    return COUNT + Calls(table=math.ceil(rows / PAGE_ROWS) + math.ceil(images / PAGE_ROWS))


def seconds_of_push(work: Workload) -> float:
    """How long an instance is active for one push."""
    bytes_mb = work.image_mb * work.new_layers
    busy = requests_of_push(work) * work.request_seconds + bytes_mb / work.upload_mb_second
    return _active(busy, work)


def seconds_of_pull(work: Workload) -> float:
    """How long an instance is active for one pull: it redirects, and moves no bytes."""
    return _active(requests_of_pull(work) * work.request_seconds, work)


def _active(busy: float, work: Workload) -> float:
    """The instance's time for requests of `busy` seconds in all.

    Never less than the second that is billed, which it may share with others; but it serves no more
    requests at once than its concurrency.
    """
    return max(max(1.0, busy) / work.overlap, busy / work.concurrency)


def changed(work: Workload, changes: Mapping[str, Any]) -> Workload:
    """The workload with some of its numbers changed; None changes nothing."""
    return replace(work, **{name: value for name, value in changes.items() if value is not None})
