"""`slipway repository usage`, over HTTP, and `slipway usage`, on storage."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.cli.conftest import Slipway
from tests.integration.cli.shelf import Shelf

pytestmark = pytest.mark.usefixtures("admin")
Answered = Callable[[str], Any]


@pytest.fixture
def name() -> str:
    """A repository of the test's own."""
    return f"team-{uuid.uuid4().hex[:8]}/web"


def test_the_repositories_that_are_named_are_told_and_no_other(
    shelf: Shelf, answered: Answered, slipway: Slipway, name: str
) -> None:
    image = shelf.image(name, "v1", seed=name)
    shelf.image(f"{name}-2", "", seed=1)
    found = answered(f"repository usage {name} {shelf.netloc}/{name}-2")
    assert [each["imageName"] for each in found] == [name, f"{name}-2"]
    assert [(each["tagCount"], each["untaggedCount"]) for each in found] == [(1, 0), (0, 1)]
    assert found[0]["size"] > image["size"]
    status, out, _ = slipway(f"repository usage {name}")
    head, line = out.splitlines()
    assert status == 0
    assert head.split()[:5] == ["NAME", "MANIFESTS", "TAGS", "UNTAGGED", "SIZE"]
    assert line.split()[:4] == [name, "1", "1", "0"]
    assert f"{found[0]['size']} B" in line


def test_without_a_name_every_page_is_told(shelf: Shelf, answered: Answered, name: str) -> None:
    names = sorted(f"{name}-{number:03}" for number in range(105))
    for each in names:
        shelf.image(each, "v1")
    for words in ("repository usage", f"repository usage {shelf.netloc}"):
        found = [each["imageName"] for each in answered(words)]
        assert [each for each in found if each.startswith(name)] == names


def test_what_is_not_there_is_told_and_what_was_done_is_answered(
    shelf: Shelf, slipway: Slipway, name: str
) -> None:
    shelf.image(name, "v1")
    status, _, err = slipway(f"repository usage {name}-none")
    assert status == 1
    assert "NAME_UNKNOWN" in err
    status, out, err = slipway(f"repository usage {name} {name}-none -o json")
    assert (status, [each["imageName"] for each in json.loads(out)]) == (3, [name])
    status, _, err = slipway(f"repository usage {name}:v1")
    assert status == 2
    status, _, err = slipway(f"repository usage {name} other.example.com/{name}")
    assert status == 2
    assert "different registries" in err


def test_a_token_of_one_repository_sees_its_usage_and_not_that_of_all(
    shelf: Shelf,
    slipway: Slipway,
    name: str,
    new_token: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf.image(name, "v1")
    token = f"t-{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("SLIPWAY_PASSWORD", new_token(token, name, "metadata/read"))
    monkeypatch.setenv("SLIPWAY_USERNAME", token)
    assert slipway(f"repository usage {name}")[0] == 0
    status, _, err = slipway("repository usage")
    assert status == 4
    assert "list the registry's repositories" in err


def test_everything_is_counted_on_demand(
    shelf: Shelf,
    served_storage: str,
    answered: Answered,
    slipway: Slipway,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for each in (name, f"{name}-2"):
        shelf.image(each, "v1", seed=name)
    shared = len(name) + len(json.dumps({"architecture": "amd64", "os": "linux", "seed": name}))
    monkeypatch.setenv("RegistryStorage", served_storage)
    found = answered("usage")
    assert found["size"] == found["storedSize"]
    assert found["sharedSize"] >= shared
    assert found["repositoryCount"] >= 2
    status, out, _ = slipway("usage")
    assert (status, out.splitlines()[0].split()) == (0, ["WHAT", "COUNT", "SIZE"])
    for each in answered(f"repository usage {name} {name}-2"):
        assert each["sharedSize"] == shared


def test_storage_without_a_registry_is_refused(
    slipway: Slipway, served_storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = served_storage.replace("devstoreaccount1", "devstoreaccount2")
    monkeypatch.setenv("RegistryStorage", elsewhere)
    status, _, err = slipway("usage")
    assert status == 1
    assert "Traceback" not in err
