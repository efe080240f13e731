"""Storage fails at calls of every job, in every way it can; and the job is killed there.

Whatever becomes of the job: afterwards there is garbage at worst, and nothing else is wrong. The
same job once more comes to its end, and walks of much later leave nothing but what is needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from devhost.processes.azurite import Azurite
from registry_core.errors import Unavailable
from registry_core.settings import Settings
from registry_core.storage import wire
from registry_core.storage.calls import traced
from registry_core.storage.faults import StorageFault
from tests.integration.core.collection.support import moment
from tests.integration.core.jobs.stage import HOME, Stage
from tests.integration.core.jobs.table import JOBS, Done, Job
from tests.integration.core.support import Client, Image, connect
from tests.interference.kinds import Killed
from tests.interference.samples import samples
from tests.interference.ways import CLOSES_NOTHING, DEATHS, EACH_WAY, plan

pytestmark = [pytest.mark.rule("G9", "G10", "F1", "F2", "X5"), CLOSES_NOTHING]

_SAMPLES = 8
"""At so many calls of a job, spread over all, each way comes; with a large number, at every one."""


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One of these tests' own: what is in it is known to the last object."""
    with Azurite(tmp_path_factory.mktemp("jobs")) as running:
        yield running


@pytest.fixture
async def client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """An instance that waits no second before it reads again."""
    monkeypatch.setattr(wire, "READ_BACK_OFF_SECONDS", 0)
    async with connect(settings) as connected:
        yield connected


@pytest.fixture
async def kept(other: Client) -> AsyncIterator[Image]:
    """The image that stays during a test."""
    image = await other.push_image(HOME, "v1")
    yield image
    await other.send("DELETE", f"/v2/{HOME}/manifests/{image.digest}")


async def run(job: Job, client: Client, stage: Stage) -> tuple[Done, int]:
    """What a job did, and how many storage calls it made."""
    as_of = await moment(stage.client)
    with traced() as trace:
        try:
            done = await job.run(client, stage, as_of)
        except (StorageFault, Unavailable, Killed):
            done = Done(failed=1)
    return done, trace.count


async def calls_of(job: Job, client: Client, other: Client, kept: Image) -> int:
    """How many storage calls a job makes that nothing befalls."""
    stage = Stage(other, kept)
    await job.finds(stage)
    done, calls = await run(job, client, stage)
    assert done.things, "the job found nothing to do"
    assert not done.failed
    if not job.mends:
        await stage.is_clean_much_later()
    return calls


@pytest.mark.parametrize("way", EACH_WAY)
@pytest.mark.parametrize(
    "job",
    [pytest.param(job, id=job.name, marks=pytest.mark.long if job.is_long else ()) for job in JOBS],
)
async def test_a_job_that_storage_fails_leaves_garbage_at_worst_and_ends_when_repeated(
    client: Client, other: Client, kept: Image, job: Job, way: str
) -> None:
    count = await calls_of(job, client, other, kept)
    failed = 0
    for number in samples(count, _SAMPLES):
        stage = Stage(other, kept)
        await job.finds(stage)
        broken = await stage.broken() if job.mends else []
        plan(client.hook, way, number)
        done, _ = await run(job, client, stage)
        client.hook.plan = None
        failed += done.failed
        assert set(await stage.broken()) <= set(broken), number
        again, _ = await run(job, client, stage)
        assert not again.failed, number
        if job.mends:
            assert await stage.broken() == [], number
        else:
            await stage.is_clean_much_later()
    assert failed or way not in DEATHS
