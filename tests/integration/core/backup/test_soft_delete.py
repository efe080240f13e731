"""What was deleted softly goes into a backup, and can be restored where that was restored."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry_core.lifecycle.backup.backup import Backups
from registry_core.lifecycle.backup.shelves import Folder
from tests.integration.core.backup.support import delete_softly, picture, restore, unsound
from tests.integration.core.soft import purge
from tests.integration.core.support import Client, is_pullable

pytestmark = pytest.mark.rule("B2", "B3")


async def test_what_was_deleted_softly_before_a_backup_comes_back_after_its_restore(
    client: Client, target: Client, tmp_path: Path
) -> None:
    images = await delete_softly(client)
    before = await picture(client)
    assert set(before["deleted"]) == set(images)
    await Backups(client.services.connection, Folder(tmp_path)).run()
    await restore(target, Folder(tmp_path))
    assert await picture(target) == before
    for name, image in images.items():
        assert not await is_pullable(target, name, image)
        url = f"/acr/v1/_deleted/{name}/_manifests/{image.digest}"
        answer = await target.send("POST", url, json={})
        assert answer.status_code == 200, answer.text
        assert await is_pullable(target, name, image)
        answer = await target.send("GET", f"/v2/{name}/manifests/kept")
        assert answer.headers["docker-content-digest"] == image.digest
    assert not (await picture(target))["deleted"]
    assert not await unsound(target)


async def test_the_days_of_what_was_deleted_softly_count_from_the_deletion_in_a_restored_registry(
    client: Client, target: Client, tmp_path: Path
) -> None:
    images = await delete_softly(client)
    await Backups(client.services.connection, Folder(tmp_path)).run()
    await restore(target, Folder(tmp_path))
    assert (await purge(target, days=6)).manifests == 0
    assert (await purge(target, days=8)).manifests == len(images)
    assert not (await picture(target))["deleted"]
    assert not await unsound(target)
