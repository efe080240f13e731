from types import SimpleNamespace
from typing import Any, cast

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from registry_core.errors import Unavailable
from registry_core.http import health
from registry_core.registry import Registry
from registry_core.storage.faults import Ambiguous
from registry_core.storage.room import Room
from registry_core.system import SchemaError


class Storage:
    """Answers with its schema's version, or fails."""

    def __init__(self, answer: int | Exception | None) -> None:
        self.answer = answer
        self.asked = 0
        self.room = Room()

    async def schema_version(self) -> int | None:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def open(self) -> SimpleNamespace:
        return SimpleNamespace(system=self)

    def registry(self) -> Registry:
        stand_in: Any = SimpleNamespace(open=self.open, room=self.room)
        return cast("Registry", stand_in)


async def test_an_instance_that_reaches_its_storage_is_healthy() -> None:
    response = await health.Health().get(Storage(1).registry())
    assert (response.status_code, bytes(response.body)) == (200, b"ok\n")


async def test_storage_without_room_is_told_until_a_write_goes_through() -> None:
    storage, asked = Storage(1), health.Health()
    assert storage.room.ran_out()
    assert not storage.room.ran_out()
    response = await asked.get(storage.registry())
    assert (response.status_code, bytes(response.body)) == (503, b"storage full\n")
    storage.room.is_back()
    assert (await asked.get(storage.registry())).status_code == 200


@pytest.mark.parametrize(
    "answer",
    [
        None,
        Unavailable(),
        Ambiguous("no answer"),
        SchemaError("written by a later version"),
        ServiceRequestError("no connection to acct.table.core.windows.net"),
        ClientAuthenticationError("not authorized"),
    ],
    ids=str,
)
async def test_an_instance_that_does_not_is_not_and_tells_no_more(
    answer: Exception | None,
) -> None:
    response = await health.Health().get(Storage(answer).registry())
    assert (response.status_code, bytes(response.body)) == (503, b"storage unreachable\n")
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("answer", [1, Unavailable()], ids=str)
async def test_storage_is_asked_seldom_however_often_probes_come(
    answer: int | Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: now[0]))
    ours, storage = health.Health(), Storage(answer)
    for _ in range(100):
        await ours.get(storage.registry())
    assert storage.asked == 1
    now[0] += 5
    await ours.get(storage.registry())
    assert storage.asked == 2
