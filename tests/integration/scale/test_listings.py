"""A page of any listing costs as much in a large repository as in a small one.

`python -m bench listings` asks the same of 100,000 tags, 20,000 manifests and 10,000 repositories.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.listings.measure import CATALOG, LISTINGS, PAGE, Size, as_table, measure
from bench.stage import staged
from tests.integration.conftest import TALLY

SIZES = (Size(10, 10, 10), Size(1_000, 1_000, 200), Size(4_000, 10_000, 1_000))
COSTS = {
    "tags by name": (1, 1),
    "tags by timedesc": (1, 1),
    "tags by timeasc": (1, 1),
    "manifests by digest": (2, 2),
    # The tags of each manifest, all at once.
    "manifests by timedesc": (1 + PAGE, 2),
    "manifests by timeasc": (1 + PAGE, 2),
    "repositories by name": (1, 1),
}
"""Calls and rounds of each page."""
FEW_MORE = 2
"""The calls by which a page from the oldest on is found where more than 1,000 are later."""


@pytest.mark.long
@pytest.mark.rule("R5")
def test_the_first_a_middle_and_the_last_page_cost_the_same_at_10_1000_and_10000(
    record_property: Callable[[str, object], None],
) -> None:
    with staged() as stage:
        found = measure(stage, SIZES, lambda _: None)
    assert found.keys() == COSTS.keys() == {each.name for each in (*LISTINGS, CATALOG)}
    for name, sizes in found.items():
        assert sizes.keys() == set(SIZES)
        calls, rounds = COSTS[name]
        for size, pages in sizes.items():
            more = FEW_MORE if name.endswith("timeasc") and size.tags > 1_000 else 0
            for page in pages:
                assert calls <= page.calls <= calls + more, (name, size, page)
                assert rounds <= page.rounds <= rounds + more, (name, size, page)
                # No listing opens a blob; a manifest that is one would be such a blob.
                assert page.blob_bytes == 0, (name, size, page)
    for line in as_table(found).splitlines():
        record_property(TALLY, line)
