import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from registry_core.errors import Unavailable
from registry_core.http import health
from registry_core.registry import Registry
from registry_core.settings import TimeLimits
from registry_core.storage.faults import Ambiguous, Refused, UnexpectedRefusal
from registry_core.storage.room import Room
from registry_core.system import SchemaError
from tests.patience import PATIENCE


class Storage:
    """Says whether it holds a registry, or fails."""

    def __init__(self, answer: bool | Exception, *, never_answers: bool = False) -> None:
        self.answer = answer
        self.never_answers = never_answers
        self.asked = 0
        self.room = Room()

    async def is_there(self) -> bool:
        self.asked += 1
        if self.never_answers:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def open(self) -> SimpleNamespace:
        return SimpleNamespace(system=self)

    def registry(self) -> Registry:
        stand_in: Any = SimpleNamespace(
            open=self.open,
            room=self.room,
            settings=SimpleNamespace(limits=TimeLimits(health=0.01)),
        )
        return cast("Registry", stand_in)


async def test_an_instance_that_reaches_its_storage_is_healthy() -> None:
    response = await health.Health().get(Storage(True).registry())
    assert (response.status_code, bytes(response.body)) == (200, b"ok\n")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_storage_without_room_is_told_until_a_write_goes_through() -> None:
    storage, asked = Storage(True), health.Health()
    assert storage.room.ran_out()
    assert not storage.room.ran_out()
    response = await asked.get(storage.registry())
    assert (response.status_code, bytes(response.body)) == (503, b"storage full\n")
    storage.room.is_back()
    assert (await asked.get(storage.registry())).status_code == 200


@pytest.mark.parametrize(
    "answer",
    [
        False,
        Unavailable(),
        Ambiguous("no answer"),
        Refused("AuthorizationFailure", is_signed_in=True),
        UnexpectedRefusal("storage answered 400"),
    ],
    ids=str,
)
async def test_an_instance_that_does_not_is_not_and_tells_no_more(
    answer: Exception | bool,
) -> None:
    response = await health.Health().get(Storage(answer).registry())
    assert (response.status_code, bytes(response.body)) == (503, b"storage unreachable\n")
    assert int(response.headers["Retry-After"]) > 0


async def test_storage_of_another_schema_is_told_in_its_own_words() -> None:
    answer = SchemaError("storage has schema version 1")
    response = await health.Health().get(Storage(answer).registry())
    assert (response.status_code, bytes(response.body)) == (503, b"storage has schema version 1\n")
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("answer", [True, Unavailable()], ids=str)
async def test_storage_is_asked_seldom_however_often_probes_come(
    answer: bool | Exception, monkeypatch: pytest.MonkeyPatch
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


@pytest.mark.rule("T4")
async def test_storage_that_never_answers_is_unreachable_for_all_who_wait() -> None:
    ours, storage = health.Health(), Storage(True, never_answers=True)
    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(*(ours.get(storage.registry()) for _ in range(10)))
    assert {response.status_code for response in answers} == {503}
    assert storage.asked == 1
