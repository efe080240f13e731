"""Reading many rows by their keys: the same rows as one by one, in no more calls than that."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

import pytest

from registry_core.repositories import rows
from registry_core.storage import tables
from registry_core.storage.calls import traced
from registry_core.storage.lookup import FEW, look_up
from registry_core.storage.pacing import together
from registry_core.storage.tables import Table
from tests.integration.core.support import Client

PAGE = 100
"""Rows in a page of these tests, where a page of storage has 1,000."""


def evenly(count: int) -> list[str]:
    """Keys at distances that differ little, as those of digests."""
    return sorted(f"m:{hashlib.sha256(str(each).encode()).hexdigest()}" for each in range(count))


async def filled(client: Client, keys: Sequence[str]) -> tuple[Table, str]:
    """A partition of a test's own that has these rows."""
    table, partition = client.services.connection.table(rows.TABLE), secrets.token_hex(8)
    changes = [tables.insert(key, Size=number, Other="x") for number, key in enumerate(keys)]
    for first in range(0, len(changes), tables.MAX_TRANSACTION_ROWS):
        batch = changes[first : first + tables.MAX_TRANSACTION_ROWS]
        await table.transact(partition, batch)
    return table, partition


@pytest.mark.parametrize("rows_there", [0, 10, 99, 100, 101, 400, 1500])
@pytest.mark.parametrize("step", [1, 2, 7])
async def test_the_rows_are_those_that_one_read_each_finds(
    client: Client, monkeypatch: pytest.MonkeyPatch, rows_there: int, step: int
) -> None:
    """Every so many of the rows that are there, and as many that are not."""
    monkeypatch.setattr(tables, "MAX_PAGE", PAGE)
    there = evenly(rows_there)
    table, partition = await filled(client, there)
    wanted = [*there[::step], *(f"{key}0" for key in there[::step]), "m:", "m:g"]
    with traced() as trace:
        found = await look_up(table, partition, wanted, ("Size",))
    assert trace.count <= len(wanted) + 1
    one_by_one = await together(table.get(partition, key, ("Size",)) for key in wanted)
    assert found == dict(zip(wanted, one_by_one, strict=True))


@pytest.mark.parametrize(
    ("rows_there", "step", "calls", "rounds"),
    [
        pytest.param(FEW, 1, FEW, 1, id="few are read one by one"),
        pytest.param(PAGE - 1, 1, 1, 1, id="a page has them all"),
        pytest.param(
            1500, 1, 20, 2, id="a page each at once, once the first has told the distance"
        ),
    ],
)
async def test_rows_that_lie_close_together_take_a_call_a_page(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    rows_there: int,
    step: int,
    calls: int,
    rounds: int,
) -> None:
    monkeypatch.setattr(tables, "MAX_PAGE", PAGE)
    there = evenly(rows_there)
    table, partition = await filled(client, there)
    with traced() as trace:
        await look_up(table, partition, there[::step], ())
    assert trace.count <= calls
    assert trace.rounds == rounds


async def test_rows_that_lie_far_apart_take_a_call_each_and_one_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository of many manifests is not read through for an index of some."""
    monkeypatch.setattr(tables, "MAX_PAGE", PAGE)
    there = evenly(1500)
    table, partition = await filled(client, there)
    wanted = there[::30]
    with traced() as trace:
        await look_up(table, partition, wanted, ())
    assert len(wanted) > FEW
    # The first page has spared those that it passed.
    passed = len([key for key in wanted if key < there[PAGE]])
    assert trace.count == 1 + len(wanted) - passed
