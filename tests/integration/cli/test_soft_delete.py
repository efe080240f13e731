"""`slipway soft-delete`, `list-deleted` and `restore`, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.integration.cli.conftest import Slipway
from tests.integration.cli.shelf import Shelf

Policy = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def policy(slipway: Slipway, served_storage: str, monkeypatch: pytest.MonkeyPatch) -> Policy:
    """Runs a command that speaks to storage; the others are not told of it."""

    def run(line: str) -> tuple[int, str, str]:
        with monkeypatch.context() as told:
            told.setenv("RegistryStorage", served_storage)
            return slipway(f"soft-delete {line}")

    return run


@pytest.mark.usefixtures("admin")
def test_what_is_deleted_is_listed_restored_and_purged(
    slipway: Slipway, policy: Policy, shelf: Shelf
) -> None:
    assert policy("show")[:2] == (0, "STATUS    DAYS  UPDATED\ndisabled  7\n")
    # Before the registry has deleted anything: so it does not know another policy.
    status, said, _ = policy("enable --days 30 -o json")
    told = json.loads(said)
    assert (status, told["status"], told["retentionDays"]) == (0, "enabled", 30)

    digest = shelf.image("team/soft", "v1", seed=1)["digest"]
    shelf.image("team/soft", "v2", seed=1)
    shelf.image("team/soft", "other", seed=2)
    assert slipway(f"manifest delete {shelf.netloc}/team/soft:v1 --yes")[0] == 0
    assert slipway("repository list-deleted team/")[1] == "NAME\nteam/soft\n"
    _, said, _ = slipway(f"manifest list-deleted {shelf.netloc}/team/soft -o json")
    assert [(each["digest"], each["tags"]) for each in json.loads(said)] == [(digest, ["v1", "v2"])]
    _, said, _ = slipway(f"manifest list-deleted {shelf.netloc}/team/soft")
    assert said.splitlines()[0].split() == [
        "DIGEST",
        "TAGS",
        "KIND",
        "PLATFORM",
        "SIZE",
        "DELETED",
    ]
    _, said, _ = slipway(f"tag list-deleted {shelf.netloc}/team/soft -o json")
    assert {(each["tag"], each["digest"]) for each in json.loads(said)} == {
        ("v1", digest),
        ("v2", digest),
    }
    status, said, err = slipway(f"manifest restore {shelf.netloc}/team/soft:v1 -o json")
    assert (status, json.loads(said)["tags"]) == (0, ["v1"])
    assert f"Restored {digest} of team/soft with 1 tag (v1)." in err
    status, said, _ = slipway(f"manifest restore {shelf.netloc}/team/soft@{digest} -o json")
    assert (status, json.loads(said)["tags"]) == (0, ["v2"])

    shelf.image("team/soft", "v2", seed=2)
    assert slipway(f"tag delete {shelf.netloc}/team/soft:v1 --yes")[0] == 0
    shelf.image("team/soft", "v1", seed=2)
    status, _, err = slipway(f"manifest restore {shelf.netloc}/team/soft:v1")
    assert (status, "force overwrites it" in err) == (1, True)
    status, _, err = slipway(
        f"manifest restore {shelf.netloc}/team/soft:v1 --digest {digest} --force"
    )
    assert status == 0
    status, _, err = slipway(f"manifest restore {shelf.netloc}/team/soft:gone")
    assert (status, "no deleted tag gone" in err) == (1, True)
    status, _, err = slipway(f"manifest restore {shelf.netloc}/team/soft:v1 --digest x")
    assert (status, "--digest" in err) == (2, True)

    # Nothing is due. With fewer days something may be, so it is asked for first.
    assert json.loads(policy("purge -o json")[1])["manifests"] == 0
    assert json.loads(policy("purge --dry-run -o json")[1])["dryRun"] is True
    status, _, err = policy("enable --days 3")
    assert (status, "--yes" in err) == (2, True)
    assert policy("enable --days 3 --yes")[0] == 0
    status, said, _ = policy("disable -o json")
    told = json.loads(said)
    assert (status, told["status"], told["retentionDays"]) == (0, "disabled", 3)


@pytest.mark.parametrize("days", ["0", "91", "-1", "x"])
def test_days_that_acr_does_not_have_are_refused(policy: Policy, days: str) -> None:
    before = policy("show")
    status, _, err = policy(f"enable --days {days}")
    assert (status, "--days" in err) == (2, True)
    assert policy("show") == before
