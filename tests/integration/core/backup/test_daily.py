"""A backup each day, by a timer that comes every hour and has some minutes each time."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry_core.lifecycle import nightly
from registry_core.lifecycle.backup.daily import Daily
from registry_core.lifecycle.backup.documents import time_of
from registry_core.lifecycle.backup.shelves import Folder
from registry_core.settings import BackupSettings
from registry_core.storage.calls import traced
from tests.integration.core.backup.support import fill, picture, restore
from tests.integration.core.support import Client


async def test_it_makes_one_a_day_and_goes_on_with_it_hour_by_hour(
    client: Client,
    target: Client,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("registry_core.lifecycle.backup.backup._PART_BYTES", 1)
    await fill(client)
    before = await picture(client)
    settings = client.registry.settings.storage
    clock = datetime.now(UTC)
    daily = Daily(
        client.services.connection,
        settings,
        BackupSettings(tmp_path.as_uri()),
        lambda: clock,
    )
    first = await daily.run(seconds=0)
    assert first is not None
    assert not first.is_complete
    runs = [first]
    while not runs[-1].is_complete:
        clock += timedelta(minutes=1)
        with caplog.at_level(logging.INFO, "slipway.backup"):
            run = await daily.run(seconds=0.05)
        assert run is not None
        runs.append(run)
        assert len(runs) < 500
    assert {run.backup.id for run in runs} == {first.backup.id}
    line = json.loads(caplog.records[-1].getMessage())
    assert (line["Category"], line["IsComplete"]) == ("Backup", True)
    with traced() as trace:
        assert await daily.run(seconds=60) is None
    assert trace.count == 0, "nothing is asked of storage when it is not time"
    clock = time_of(first.backup.id) + timedelta(hours=24)
    second = await daily.run(seconds=60)
    assert second is not None
    assert (second.is_complete, second.copied) == (True, 0)
    await restore(target, Folder(tmp_path), first.backup.id)
    assert await picture(target) == before


async def test_the_timer_makes_a_backup_in_a_container_of_the_same_account(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await client.push_image("team/web", "v1")
    connection = client.services.connection
    backup = BackupSettings(f"{connection.blobs.url}/backups/daily")
    with caplog.at_level(logging.INFO, "slipway.backup"):
        await nightly.back_up_today(connection, client.registry.settings.storage, backup)
        await nightly.back_up_today(connection, client.registry.settings.storage, backup)
    (record,) = caplog.records
    assert json.loads(record.getMessage())["CopiedObjects"] == 2
