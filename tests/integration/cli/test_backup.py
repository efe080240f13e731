"""`slipway backup` and `slipway restore`, as a person types them, from one emulator to another."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from devhost.processes.azurite import ACCOUNT_NAME, Azurite
from devhost.processes.process import HostProcess
from registry_core.lifecycle.backup.restore import Restores
from registry_core.lifecycle.backup.shelves import Folder
from registry_core.repositories import catalog
from registry_core.settings import StorageSettings
from registry_core.storage.connection import Connection
from registry_core.system import System
from tests.integration.cli.conftest import ROOT, Run
from tests.integration.core.support import OCI_MANIFEST, Image, digest_of
from tests.interference.hook import InterferingHook
from tests.interference.kinds import Death, Interference, Killed, SeenCall

PASSWORD = secrets.token_urlsafe(32)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("source")) as running:
        yield running


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("target")) as running:
        yield running


@contextmanager
def host(azurite: Azurite) -> Iterator[httpx.Client]:
    settings = {
        "RegistryStorage": azurite.connection_string,
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
        "REGISTRY_ADMIN_PASSWORD": PASSWORD,
        "REGISTRY_BLOB_REDIRECT": "off",
    }
    with (
        HostProcess(ROOT, settings) as running,
        httpx.Client(base_url=running.base_url, auth=("admin", PASSWORD), timeout=60) as http,
    ):
        yield http


def push(http: httpx.Client, image: Image, tag: str) -> None:
    for blob in image.blobs:
        url = f"/v2/team/web/blobs/uploads/?digest={digest_of(blob)}"
        assert http.post(url, content=blob).status_code == 201
    headers = {"Content-Type": OCI_MANIFEST}
    answer = http.put(f"/v2/team/web/manifests/{tag}", content=image.manifest, headers=headers)
    assert answer.status_code == 201


@pytest.fixture(scope="module")
def image(source: Azurite) -> Image:
    """The one that the registry holds."""
    image = Image.make()
    with host(source) as http:
        push(http, image, "v1")
    return image


@pytest.fixture
def in_source(source: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RegistryStorage", source.connection_string)


def test_a_registry_is_backed_up_to_a_container_and_restored_in_another_account(
    source: Azurite,
    target: Azurite,
    image: Image,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = f"http://127.0.0.1:{target.blob_port}/{ACCOUNT_NAME}/backups/one"
    monkeypatch.setenv("RegistryStorage", source.connection_string)
    status, _, err = run("backup", place)
    assert status == 2
    assert "set BackupStorage" in err
    monkeypatch.setenv("BackupStorage", target.connection_string)
    status, out, err = run("backup", place, "-o", "json")
    made = json.loads(out)
    assert (status, made["repositories"], made["tags"], made["objects"]) == (0, 1, 1, 2)
    assert (made["copiedObjects"], made["isComplete"], made["rowsOnly"]) == (2, True, False)
    assert "2 objects copied" in err
    status, out, err = run("backup", place)
    assert status == 0
    assert "0 objects copied, 0 B; 2 objects had been there" in err
    status, out, _ = run("backup", "list", place, "-o", "json")
    listed = json.loads(out)
    assert (status, listed[0]["backup"], len(listed)) == (0, made["backup"], 2)
    assert {each["state"] for each in (made, *listed)} == {"complete"}
    status, out, _ = run("backup", "prune", place, "--keep", "1", "-o", "json")
    assert (status, json.loads(out)["backups"]) == (0, [made["backup"]])

    status, _, err = run("restore", place)
    assert status == 1
    assert "is not empty: table catalog has team/web" in err
    monkeypatch.setenv("RegistryStorage", target.connection_string)
    status, out, err = run("restore", place, "--dry-run", "-o", "json")
    assert (status, json.loads(out)["dryRun"]) == (0, True)
    assert "Nothing was written" in err
    status, out, err = run("restore", place)
    assert status == 0
    assert "The registry is restored" in err
    with host(target) as http:
        answer = http.get("/v2/team/web/manifests/v1")
        assert (answer.status_code, answer.content) == (200, image.manifest)
        for blob in image.blobs:
            answer = http.get(f"/v2/team/web/blobs/{digest_of(blob)}")
            assert (answer.status_code, answer.content) == (200, blob)
        push(http, Image.make(), "v2")


@pytest.mark.usefixtures("in_source", "image")
def test_a_restore_that_was_cut_is_told_of_by_the_check_and_ended_by_the_same_command(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backups"
    status, out, _ = run("backup", str(folder), "-o", "json")
    made = json.loads(out)["backup"]
    with Azurite(tmp_path / "third") as third:
        monkeypatch.setenv("RegistryStorage", third.connection_string)
        asyncio.run(cut(third, folder))
        status, out, err = run("fsck", "-o", "json")
        found = json.loads(out)
        assert (status, found["restoreUnderWay"], found["broken"]) == (1, made, {"I4": 1})
        assert f"slipway restore, with --backup {made}" in err
        # It would show a part of the registry as if that were all of it.
        status, _, err = run("fsck", "--repair")
        assert (status, "has not come to its end" in err) == (1, True)
        assert run("restore", str(folder))[0] == 0
        status, out, err = run("fsck", "-o", "json")
        assert (status, json.loads(out)["restoreUnderWay"]) == (0, None), err


async def cut(target: Azurite, folder: Path) -> None:
    """A restore that is killed when all is there but the entries of the catalog."""
    hook = InterferingHook()
    connection = Connection(StorageSettings(target.connection_string), hook)

    def plan(call: SeenCall) -> Interference | None:
        is_entry = any(each.partition == catalog.PARTITION for each in call.operations)
        return Death(1, is_answered=False) if is_entry and call.method == "POST" else None

    restores = Restores(connection, Folder(folder))
    ready = await restores.check()
    hook.plan = plan
    with pytest.raises(Killed):
        await restores.run(ready, System(connection).open)
    await connection.close()


@pytest.mark.usefixtures("in_source", "image")
def test_a_backup_in_a_folder_that_was_cut_is_listed_and_refused(run: Run, tmp_path: Path) -> None:
    status, _, _ = run("backup", str(tmp_path))
    assert status == 0
    (last,) = tmp_path.rglob("backup.json")
    last.rename(last.with_name("unfinished.json"))
    status, out, _ = run("backup", "list", tmp_path.as_uri())
    assert "not complete" in out
    damaged = tmp_path / "backups" / "2020-01-01T000000Z" / "backup.json"
    damaged.parent.mkdir()
    damaged.write_text("{")
    status, out, _ = run("backup", "list", str(tmp_path), "-o", "json")
    states = [(each["state"], each["isComplete"]) for each in json.loads(out)]
    assert (status, states) == (0, [("damaged", False), ("not complete", False)])
    damaged.unlink()
    status, _, err = run("restore", str(tmp_path))
    assert status == 1
    assert f"there is no complete backup in {tmp_path}" in err
    status, _, err = run("restore", str(tmp_path), "--backup", last.parent.name)
    assert (status, "is not complete: it was not run to its end" in err) == (1, True)


@pytest.mark.usefixtures("in_source", "image")
def test_the_backups_in_a_folder_need_no_registry(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after the account was lost."""
    for _ in range(2):
        assert run("backup", str(tmp_path))[0] == 0
    monkeypatch.delenv("RegistryStorage")
    status, out, _ = run("backup", "list", str(tmp_path), "-o", "json")
    assert (status, len(json.loads(out))) == (0, 2)
    status, out, _ = run("backup", "prune", str(tmp_path), "--keep", "1", "-o", "json")
    assert (status, len(json.loads(out)["backups"])) == (0, 1)


@pytest.mark.usefixtures("in_source")
@pytest.mark.parametrize(
    "command",
    [
        "backup list {}",
        "backup prune {} --keep 1",
        "backup prune {} --keep 1 --dry-run",
        "restore {}",
        "restore {} --dry-run",
    ],
)
def test_a_folder_that_is_not_there_is_named_and_not_made(
    run: Run, tmp_path: Path, command: str
) -> None:
    mistyped = tmp_path / "mistyped"
    status, out, err = run(*command.format(mistyped).split())
    assert (status, out) == (1, "")
    assert f"there is no folder {mistyped}" in err
    assert not mistyped.exists()


@pytest.mark.usefixtures("in_source")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "list"), "name the destination"),
        (("backup", "prune", "/nowhere"), "--keep N or --older-than"),
        (("backup", "prune", "/nowhere", "--keep", "0"), "use a number from 1"),
        (("backup", "/nowhere", "--keep", "2"), "are for slipway backup prune"),
        (("backup", "/nowhere", "--rows-only"), "go together"),
        (("backup", "/nowhere", "--rows-only", "--keep-for", "0"), "from 1 to"),
        (("backup", "https://a.blob.core.windows.net/c?sig=hush"), "no signature"),
        (("backup", "https://account.blob.core.windows.net"), "name a container as"),
        (("backup", "ftp://account/c"), "name a container as"),
        (("restore", "file://host/path"), "file:///path"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert "hush" not in err


def test_storage_without_a_registry_is_said(
    target: Azurite, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Azurite(tmp_path / "empty") as empty:
        monkeypatch.setenv("RegistryStorage", empty.connection_string)
        status, _, err = run("backup", str(tmp_path / "backups"))
    assert status == 1
    assert "there is no registry in this storage" in err
