"""The rows of a crowd are those that as many pushes leave."""

import pytest

from bench.listings.crowd import Crowd, batches, pushes
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.repositories.check import Snapshot, check
from registry_core.repositories.rows import is_live
from registry_core.storage.tables import MAX_TRANSACTION_ROWS
from tests.unit.core.repositories.memory import Partition

NAME = RepositoryName("team/crowd")


@pytest.mark.parametrize(
    ("manifests", "tags"), [(1, 0), (1, 1), (1, 15), (7, 7), (10, 47), (300, 1_000)]
)
def test_a_crowd_is_a_repository_in_order_with_so_many_manifests_and_tags(
    manifests: int, tags: int
) -> None:
    crowd, partition = Crowd(NAME, [], []), Partition()
    for part in batches(pushes(crowd, manifests, tags)):
        assert len(part) <= MAX_TRANSACTION_ROWS
        partition.transact(part)
    assert check(Snapshot(NAME, partition.rows, is_listed=True, blobs={}, contents={})) == []
    live = {key for key, row in partition.rows.items() if is_live(row)}
    listed = {rows.MANIFESTS: crowd.manifests, rows.TAGS: crowd.tags}
    for range_, entries in listed.items():
        assert {range_.rest(key) for key in live if key in range_} == {e.name for e in entries}
        times = [entry.updated for entry in entries]
        assert times == sorted(set(times))
    assert (len(crowd.manifests), len(crowd.tags)) == (manifests, tags)
    if tags == 1_000:
        # By name they come in another order than by time.
        names = [entry.name for entry in crowd.tags]
        assert names not in (sorted(names), sorted(names, reverse=True))
