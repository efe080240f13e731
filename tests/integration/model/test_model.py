"""The registry does what the model says, in thousands of random steps on two instances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from registry_core.repositories import listing
from registry_core.settings import Settings
from registry_core.storage import tables
from tests.integration.conftest import TALLY
from tests.integration.core.support import connect, digest_of
from tests.integration.model import model as spec
from tests.integration.model.machine import RegistryMachine, Tally
from tests.integration.model.model import Location, Model, Session, Told

STEPS_A_RUN = 60
FEW, MANY = 400, 2000
REPEATABLE = settings(
    stateful_step_count=STEPS_A_RUN,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few entries fill a page of the registry's own, so that links are followed."""
    monkeypatch.setattr(tables, "MAX_PAGE", 3)
    monkeypatch.setattr(listing, "_PAGE_BYTES", 700)


def run(
    registry: Settings,
    how: settings,
    model: Callable[..., Model] = Model,
    tally: Tally | None = None,
) -> None:
    counted = tally or Tally()
    make: Any = partial(RegistryMachine, registry, counted, model)  # Any: its type says a class.
    run_state_machine_as_test(make, settings=how)


@pytest.mark.parametrize("steps", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_the_registry_is_as_the_model_says(
    module_settings: Settings, record_property: Callable[[str, object], None], steps: int
) -> None:
    tally = Tally()
    # A few runs end early.
    how = settings(REPEATABLE, max_examples=steps * 12 // (STEPS_A_RUN * 10))
    run(module_settings, how, tally=tally)
    record_property(TALLY, f"{tally.steps:6} steps of the model, {tally.told.total()} requests")
    assert tally.steps >= steps


class TagsOutliveManifests(Model):
    def tags(self, name: str, last: str = "") -> list[str]:
        return sorted({*super().tags(name, last), *(t for t in self.once[name] if t > last)})

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.once: dict[str, set[str]] = {name: set() for name in self.repositories}

    def delete_manifest(self, name: str, reference: str, instance: int) -> None:
        tags = self.repositories[name].tags
        self.once[name] |= {tag for tag, digest in tags.items() if digest == reference}
        super().delete_manifest(name, reference, instance)


class LastIsListedAgain(Model):
    def tags(self, name: str, last: str = "") -> list[str]:
        return sorted(tag for tag in self.repositories[name].tags if tag >= last)


class ReferrersAreNotFiltered(Model):
    def referrers(self, name: str, subject: str, artifact_type: str = "") -> dict[str, Any]:
        return super().referrers(name, subject)


class AnyDigestWillDo(Model):
    def committing(
        self, session: Session, location: Location, digest: str, last: bytes
    ) -> set[Told]:
        allowed = super().committing(session, location, digest, last)
        return {spec.CREATED} if allowed == {spec.DIGEST_INVALID} else allowed


class BlobsInUseCanBeDeleted(Model):
    def deleting_blob(self, name: str, digest: str) -> set[Told]:
        return super().deleting_blob(name, digest) - {spec.UNSUPPORTED} or {spec.ACCEPTED}


LIES: Sequence[type[Model]] = (
    TagsOutliveManifests,
    LastIsListedAgain,
    ReferrersAreNotFiltered,
    AnyDigestWillDo,
    BlobsInUseCanBeDeleted,
)
UNTIL_FOUND = settings(REPEATABLE, max_examples=200, phases=[Phase.generate])


@pytest.mark.parametrize("lie", LIES)
def test_a_model_that_lies_is_found_out(module_settings: Settings, lie: type[Model]) -> None:
    with pytest.raises(AssertionError):
        run(module_settings, UNTIL_FOUND, lie)


@pytest.mark.parametrize("end", ["cancelled", "committed", "continued"])
async def test_a_chunk_without_bytes_is_refused_where_one_with_bytes_is(
    module_settings: Settings, end: str
) -> None:
    async with connect(module_settings) as client:
        first = await client.patch(await client.begin("empty/chunk"), b"abc")
        location = first.headers["location"]
        if end == "cancelled":
            await client.send("DELETE", location)
        elif end == "committed":
            await client.commit(location, digest_of(b"abc"))
        else:
            await client.patch(location, b"def")
        answer = await client.patch(location, b"")
        assert answer.status_code == (416 if end == "continued" else 404)
