"""Each invariant is broken once, and the check names it; it names nothing that is in order."""

import pytest

from registry_core.model.invariants import Invariant
from tests.integration.core.fsck.breakages import BREAKAGES, Breakage, Shelf


async def test_what_is_in_order_is_sound(shelf: Shelf) -> None:
    assert await shelf.check() == []


def test_each_invariant_of_rows_and_objects_is_broken_by_some_breakage() -> None:
    elsewhere = {Invariant.CONTENT, Invariant.DOCUMENTS}
    assert {each.invariant for each in BREAKAGES} == set(Invariant) - elsewhere


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda each: each.name)
async def test_what_is_broken_is_named(shelf: Shelf, breakage: Breakage) -> None:
    key = await breakage.break_(shelf)
    found = await shelf.check()
    named = {(fault.invariant, fault.key): fault for fault in found}
    fault = named.get((breakage.invariant, key))
    assert fault is not None, found
    if breakage.is_alone:
        assert len(named) == 1, found
    # What no repair can mend comes with what to do.
    assert fault.can_be_mended is not breakage.is_lost
    assert bool(fault.advice) is breakage.is_lost
