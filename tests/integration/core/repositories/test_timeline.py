"""The order of time, the oldest first, however the times lie and however much storage tells."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.metadata import Order
from registry_core.repositories.timeline import place_of
from registry_core.storage import tables
from registry_core.storage.calls import traced
from tests.integration.core.support import Client

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DIGEST = str(Digest.of(b"whatever"))
COUNT = 60

SPREADS: dict[str, Callable[[int], timedelta]] = {
    "evenly": lambda n: n * timedelta(hours=1),
    "all within a moment": lambda n: n * MICROSECOND,
    "all at one time": lambda _: timedelta(0),
    "closer and closer": lambda n: timedelta(days=100) * (1 - 0.7**n),
    "further and further": lambda n: MICROSECOND * 2 ** min(n, 44) + n * MICROSECOND,
    "in two crowds": lambda n: n * MICROSECOND + (n // 30) * timedelta(days=365),
    "in crowds of seven": lambda n: n * MICROSECOND + (n // 7) * timedelta(days=1),
    "before the repository": lambda n: -n * timedelta(days=1),
}
HIDDEN: dict[str, Callable[[int], bool]] = {
    "nothing hidden": lambda _: False,
    "each third hidden": lambda n: n % 3 == 1,
    "most hidden": lambda n: n % 20 != 0,
    "the oldest hidden": lambda n: n < 50,
    "all hidden": lambda _: True,
}


async def fill(
    client: Client, name: RepositoryName, times: Sequence[timedelta], hidden: Callable[[int], bool]
) -> list[tuple[str, datetime]]:
    """Writes the rows that such tags have; answers those that are listed, the oldest first."""
    created = tables.time_value(CREATED)
    changes = [tables.insert(repository_rows.REPOSITORY, Live=True, Created=created)]
    shown = []
    for number, since in enumerate(times):
        tag, time = Tag(f"t{number * 37 % COUNT:03}"), CREATED + since
        key = repository_rows.tag_time(time, tag)
        lock = {"ListEnabled": False} if hidden(number) else {}
        changes.append(tables.insert(key, Digest=DIGEST, Created=created, **lock))
        if not lock:
            shown.append((key, str(tag), time))
    table = client.services.connection.table(repository_rows.TABLE)
    await table.transact(repository_rows.partition(name), changes)
    return [(tag, time) for _, tag, time in sorted(shown, reverse=True)]


@pytest.mark.rule("R7")
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("spread", SPREADS)
async def test_every_page_from_the_oldest_on_is_the_end_of_what_storage_has(
    client: Client,
    repository: str,
    monkeypatch: pytest.MonkeyPatch,
    spread: str,
    hidden: str,
) -> None:
    name = RepositoryName(repository)
    times = [SPREADS[spread](number) for number in range(COUNT)]
    expected = await fill(client, name, times, HIDDEN[hidden])
    monkeypatch.setattr(tables, "MAX_PAGE", 4)
    chosen = random.Random(spread + hidden)
    for count in (1, 3, 25):
        starts = {0, len(expected), *chosen.sample(range(len(expected) + 1), min(4, len(expected)))}
        for start in sorted(starts):
            last = place_of(*expected[start - 1]) if start else ""
            page = await client.services.metadata.tags(name, Order.OLDEST, None, last, count)
            told = [(entry.name, entry.updated) for entry in page.entries]
            assert told == expected[start : start + count]
            is_more = start + count < len(expected)
            assert page.next == (place_of(*told[-1]) if is_more else "")


UNLIKELY = {"all at one time", "further and further", "before the repository"}
"""Where no guess helps: as many calls as to read everything, and one for the repository's row."""


@pytest.mark.rule("R7")
@pytest.mark.parametrize("spread", SPREADS)
async def test_what_is_later_than_a_page_is_not_read_to_find_it(
    client: Client, repository: str, monkeypatch: pytest.MonkeyPatch, spread: str
) -> None:
    name = RepositoryName(repository)
    times = [SPREADS[spread](number) for number in range(COUNT)]
    expected = await fill(client, name, times, lambda _: False)
    monkeypatch.setattr(tables, "MAX_PAGE", 4)
    for start in (0, 8):
        last = place_of(*expected[start - 1]) if start else ""
        with traced() as trace:
            await client.services.metadata.tags(name, Order.OLDEST, None, last, 1)
        everything = (COUNT - start) // tables.MAX_PAGE
        assert trace.count <= (everything + 1 if spread in UNLIKELY else 6)
