"""`slipway gc`, as a person types it, on a storage account of its own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from tests.integration.cli.conftest import ROOT, Run
from tests.integration.core.support import OCI_MANIFEST, Image, digest_of

PASSWORD = secrets.token_urlsafe(32)
LATER = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds")


@pytest.fixture
def azurite(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")) as running:
        monkeypatch.setenv("RegistryStorage", running.connection_string)
        yield running


@pytest.fixture
def registry(azurite: Azurite) -> Iterator[httpx.Client]:
    """A registry in which one image is tagged and another was deleted."""
    settings = {
        "RegistryStorage": azurite.connection_string,
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
        "REGISTRY_ADMIN_PASSWORD": PASSWORD,
    }
    with (
        HostProcess(ROOT, settings) as host,
        httpx.Client(base_url=host.base_url, auth=("admin", PASSWORD), timeout=60) as http,
    ):
        images = {name: Image.make() for name in ("kept", "deleted")}
        for name, image in images.items():
            for blob in image.blobs:
                url = f"/v2/{name}/blobs/uploads/?digest={digest_of(blob)}"
                assert http.post(url, content=blob).status_code == 201
            headers = {"Content-Type": OCI_MANIFEST}
            url = f"/v2/{name}/manifests/v1"
            assert http.put(url, content=image.manifest, headers=headers).status_code == 201
        assert http.delete(f"/v2/deleted/manifests/{images['deleted'].digest}").status_code == 202
        yield http


def things(text: str) -> list[dict[str, Any]]:
    return list(json.loads(text)["things"])


def test_what_was_deleted_just_now_stays_and_a_dry_run_tells_what_will_go(
    registry: httpx.Client, run: Run
) -> None:
    status, out, err = run("gc", "-o", "json")
    assert (status, things(out)) == (0, [])
    assert "0 things went" in err
    assert json.loads(out)["kept"]["young"] > 0

    status, out, err = run("gc", "--dry-run", "--as-of", LATER, "-o", "json")
    found = json.loads(out)
    assert (status, found["dryRun"], found["failed"]) == (0, True, 0)
    # Both blobs, by the link of the repository and their rows; nothing of what is kept.
    assert found["gone"]["link"] == found["gone"]["content"] == 2
    assert all("kept" not in thing["name"] for thing in found["things"])
    assert {thing["rule"] for thing in found["things"]} >= {"G1", "G2", "G3", "G6"}
    assert "would go" in err

    status, out, _ = run("gc", "--dry-run", "--as-of", LATER)
    assert "blobs that nothing links" in out
    # It was dry.
    assert (
        run("gc", "--dry-run", "--as-of", LATER, "-o", "json")[1]
        == json.dumps(found, indent=2) + "\n"
    )
    assert registry.get("/v2/kept/manifests/v1").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--as-of", LATER), "needs --dry-run"),
        (("--dry-run", "--as-of", "tomorrow"), "use a time such as"),
    ],
)
def test_a_wrong_time_is_refused(
    azurite: Azurite, run: Run, arguments: tuple[str, ...], said: str
) -> None:
    status, out, err = run("gc", *arguments)
    assert (status, out) == (2, "")
    assert said in err


def test_storage_without_a_registry_is_said(azurite: Azurite, run: Run) -> None:
    status, _, err = run("gc")
    assert status == 1
    assert "there is no registry in this storage" in err
