"""Retention in all repositories, each night, and by several at once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from devhost.processes.azurite import Azurite
from registry_core.lifecycle import nightly
from registry_core.lifecycle.retention.nightly import NIGHTS, SECONDS, Night
from registry_core.lifecycle.retention.policies import CONTAINER, Policies, PolicyChanged
from registry_core.lifecycle.retention.policy import Policy, Rule, Tags
from registry_core.lifecycle.retention.report import Visit
from registry_core.lifecycle.retention.retention import How
from registry_core.model.glob import Glob
from registry_core.model.names import RepositoryName
from registry_core.repositories import rows
from registry_core.storage.calls import traced
from registry_core.storage.documents import Documents
from tests.integration.core.collection.support import moment
from tests.integration.core.retention.support import AT_ONCE, retention_of
from tests.integration.core.support import Client
from tests.interference.kinds import Interference, Refuse, SeenCall

KEEP_ONE = Rule("keep-one", (Glob("team/**"),), Tags(keep_last=1), timedelta(0))


@pytest.fixture
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One for each test: a run meets nothing of others."""
    with Azurite(tmp_path_factory.mktemp("retention")) as running:
        yield running


async def fill(client: Client, *repositories: str) -> list[str]:
    """Has each hold an old and a new tag; answers the old digests."""
    old = []
    for each in repositories:
        old.append((await client.push_image(each, "old")).digest)
        await client.push_image(each, "new")
    return old


async def tags(client: Client, repository: str) -> list[str]:
    return list((await client.send("GET", f"/v2/{repository}/tags/list")).json()["tags"])


@pytest.mark.rule("K9")
async def test_a_run_visits_what_the_rules_are_about_and_nothing_else(client: Client) -> None:
    await fill(client, "team/a", "team/b", "other/c")
    how = How(await moment(client))
    visits = list[Visit]()
    run = await retention_of(client).run(Policy((KEEP_ONE,)), how, tell=visits.append)
    assert sorted(str(each.repository) for each in visits) == ["team/a", "team/b"]
    assert (run.manifests, run.tags) == ({"keep-one": 2}, {"keep-one": 2})
    assert (run.left, run.failed) == (0, 0)
    assert await tags(client, "team/a") == ["new"]
    assert sorted(await tags(client, "other/c")) == ["new", "old"]
    only = await retention_of(client).run(Policy((KEEP_ONE,)), how, only=Glob("team/b"))
    assert only.visits == 1


@pytest.mark.rule("K9")
async def test_two_runs_at_once_delete_each_thing_once(client: Client, other: Client) -> None:
    repositories = [f"team/{number}" for number in range(6)]
    await fill(client, *repositories)
    how = How(await moment(client))
    runs = await asyncio.gather(
        *(retention_of(each).run(Policy((KEEP_ONE,)), how) for each in (client, other))
    )
    assert [each.failed for each in runs] == [0, 0]
    assert sum(each.manifests.total() for each in runs) == len(repositories)
    for each in repositories:
        assert await tags(client, each) == ["new"]


@pytest.mark.rule("K9")
async def test_a_run_whose_time_is_over_says_so_and_the_nights_come_to_all(client: Client) -> None:
    repositories = [f"team/{number}" for number in range(3)]
    await fill(client, *repositories)
    how, policy = How(await moment(client), is_dry=True), Policy((KEEP_ONE,))
    run = await retention_of(client).run(policy, how, seconds=0)
    assert (run.visits, run.left) == (0, 3)
    first = set()
    for night in range(3):
        visits = list[Visit]()
        await retention_of(client).run(policy, how, share=(night, 3), tell=visits.append)
        assert len(visits) == 3
        first.add(str(visits[0].repository))
    assert first == set(repositories)
    assert SECONDS < 9 * 60  # `functionTimeout` in host.json is ten minutes.


@pytest.mark.rule("K9")
async def test_storage_that_fails_in_one_repository_does_not_keep_the_others(
    client: Client,
) -> None:
    await fill(client, "team/bad", "team/good")
    how = How(await moment(client))

    bad = rows.partition(RepositoryName("team/bad"))

    def refuse(call: SeenCall) -> Interference | None:
        is_bad = any(each.partition == bad for each in call.operations)
        return Refuse() if is_bad else None

    client.hook.plan = refuse
    run = await retention_of(client).run(Policy((KEEP_ONE,)), how)
    client.hook.plan = None
    assert (run.failed, run.visits) == (1, 2)
    assert await tags(client, "team/good") == ["new"]
    again = await retention_of(client).run(Policy((KEEP_ONE,)), How(await moment(client)))
    assert again.failed == 0
    assert await tags(client, "team/bad") == ["new"]


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, dict[str, object]]]:
    return [
        (record.levelno, json.loads(record.getMessage()))
        for record in caplog.records
        if record.name == "slipway.retention"
    ]


@pytest.mark.rule("K6", "K9")
async def test_a_night_deletes_and_what_the_brake_stops_is_a_warning(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(client, "team/a")
    for number in range(13):
        await client.push_image("stopped", f"v{number}")
    stop = Rule("stop", (Glob("stopped"),), Tags(keep_last=1))
    policies = Policies(client.services.connection)
    await policies.write(Policy((KEEP_ONE, stop)), "")
    caplog.set_level(logging.INFO, logger="slipway.retention")
    as_of = await moment(client)
    await Night(policies, retention_of(client), lambda: as_of).retain()
    (warning, stopped), (level, line) = lines(caplog)
    assert (warning, level) == (logging.WARNING, logging.INFO)
    assert (stopped["Category"], stopped["Repository"]) == ("Retention", "stopped")
    assert "12 of 13 tags" in str(stopped["Stopped"])
    assert line["Manifests"] == {"keep-one": 1}
    assert (line["Repositories"], line["Stopped"], line["IsComplete"]) == (2, 1, True)
    assert await tags(client, "team/a") == ["new"]
    assert len(await tags(client, "stopped")) == 13


@pytest.mark.rule("K9")
async def test_without_a_policy_a_night_takes_one_call_and_logs_nothing(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(client, "team/a")
    caplog.set_level(logging.INFO, logger="slipway.retention")
    with traced() as trace:
        await nightly.retain_tonight(client.services.connection, client.registry.settings)
    assert (trace.count, lines(caplog)) == (1, [])


@pytest.mark.rule("K4", "K9")
async def test_what_the_timer_calls_goes_by_the_stored_policy_and_the_grace_period(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(client, "team/a")
    await Policies(client.services.connection).write(Policy((AT_ONCE,)), "")
    await client.push_image("team/a", "")
    caplog.set_level(logging.INFO, logger="slipway.retention")
    with traced() as trace:
        await nightly.retain_tonight(client.services.connection, client.registry.settings)
    ((_, line),) = lines(caplog)
    assert (line["Kept"], line["Manifests"]) == ({"tagged": 2, "touched lately": 1}, {})
    # The policy, the catalog, and one for the repository.
    assert trace.count == 3
    assert NIGHTS == 7


@pytest.mark.rule("K7")
async def test_a_policy_is_replaced_only_as_it_was_read(client: Client) -> None:
    policies = Policies(client.services.connection)
    assert await policies.read() == (Policy(), "")
    await policies.write(Policy((KEEP_ONE,)), "")
    with pytest.raises(PolicyChanged):
        await policies.write(Policy((AT_ONCE,)), "")
    policy, version = await policies.read()
    assert policy == Policy((KEEP_ONE,))
    await policies.write(Policy((AT_ONCE,)), version)
    with pytest.raises(PolicyChanged):
        await policies.write(Policy(), version)


@pytest.mark.rule("K7")
async def test_a_policy_that_cannot_be_read_deletes_nothing_and_is_a_warning(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(client, "team/a")
    documents = Documents(client.services.connection, CONTAINER)
    await documents.write("policies/retention.json", b'{"version": 2, "rules": []}')
    caplog.set_level(logging.INFO, logger="slipway.retention")
    policies = Policies(client.services.connection)
    assert await Night(policies, retention_of(client), lambda: datetime.now(UTC)).retain() is None
    ((level, line),) = lines(caplog)
    assert (level, line["Policy"]) == (logging.WARNING, "the policy is not of version 1")
    assert sorted(await tags(client, "team/a")) == ["new", "old"]


async def test_nothing_is_deleted_before_its_time(client: Client) -> None:
    how = How(datetime.now(UTC) + timedelta(hours=1))
    await fill(client, "team/a")
    with pytest.raises(ValueError, match="later time"):
        await retention_of(client).run(Policy((KEEP_ONE,)), how)
