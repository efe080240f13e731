"""`slipway retention`, as a person types it, on a storage account of its own."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from registry_core.lifecycle.retention import retention
from registry_core.settings import Settings
from tests.integration.cli.conftest import ROOT, Run
from tests.integration.core.support import OCI_MANIFEST, Image, digest_of

PASSWORD = secrets.token_urlsafe(32)
EVERYWHERE = {"name": "all", "repositories": ["**"], "untagged": {"olderThan": "1d"}}
LATER = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds")


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture(scope="module")
def http(azurite: Azurite) -> Iterator[httpx.Client]:
    settings = {
        "RegistryStorage": azurite.connection_string,
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
        "REGISTRY_ADMIN_PASSWORD": PASSWORD,
    }
    with (
        HostProcess(ROOT, settings) as host,
        httpx.Client(base_url=host.base_url, auth=("admin", PASSWORD), timeout=60) as client,
    ):
        assert client.get("/v2/").status_code == 200
        yield client


@pytest.fixture
def run(
    http: httpx.Client,
    azurite: Azurite,
    monkeypatch: pytest.MonkeyPatch,
    run: Run,
) -> Run:
    """Runs a command, in a registry without rules at first."""
    monkeypatch.setenv("RegistryStorage", azurite.connection_string)

    none = io.TextIOWrapper(io.BytesIO(b'{"version": 1, "rules": []}'))
    monkeypatch.setattr("sys.stdin", none)
    assert run("retention", "set", "-")[0] == 0
    return run


def fill(http: httpx.Client, repository: str, count: int, tag: str = "") -> list[Image]:
    """So many images of the same blobs, with tags or without."""
    image = Image.make()
    for blob in image.blobs:
        url = f"/v2/{repository}/blobs/uploads/?digest={digest_of(blob)}"
        assert http.post(url, content=blob).status_code == 201
    images = [image.with_manifest(annotations={"number": str(n)}) for n in range(count)]
    for number, each in enumerate(images):
        url = f"/v2/{repository}/manifests/{f'{tag}{number}' if tag else each.digest}"
        headers = {"Content-Type": OCI_MANIFEST}
        assert http.put(url, content=each.manifest, headers=headers).status_code == 201
    return images


def add(run: Run, *options: str, name: str = "a-rule") -> tuple[int, str, str]:
    return run("retention", "add", "--name", name, *options)


@pytest.mark.rule("K7")
def test_rules_are_added_shown_exported_and_read_again(run: Run, tmp_path: Path) -> None:
    assert run("retention", "show") == (0, "", "Nothing found.\n")
    status, out, err = add(run, "--repository", "team/**", "--untagged", "7d")
    assert (status, err) == (0, "")
    assert "team/**" in out
    status, _, err = add(
        run,
        *("--repository", "ci/*", "--repository", "ci-*", "--tag", "pr-*", "--except-tag", "pr-1"),
        *("--keep-last", "5", "--older-than", "12h", "--brake", "50"),
        name="builds",
    )
    assert status == 0, err
    exported = run("retention", "show", "-o", "json")[1]
    assert json.loads(exported)["rules"][1] == {
        "name": "builds",
        "repositories": ["ci/*", "ci-*"],
        "tags": {"match": ["pr-*"], "except": ["pr-1"], "keepLast": 5, "olderThan": "12h"},
        "brake": 50,
    }
    file = tmp_path / "policy.json"
    file.write_text(exported)
    assert run("retention", "remove", "--name", "builds")[0] == 0
    assert len(json.loads(run("retention", "show", "-o", "json")[1])["rules"]) == 1
    assert run("retention", "set", str(file))[0] == 0
    assert run("retention", "show", "-o", "json")[1] == exported


@pytest.mark.rule("K7")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--repository", "**", "--untagged", "7d"),
            "every repository. If that is meant, say so: --every",
        ),
        (("--repository", "team/(a|b)", "--untagged", "7d"), "is in no name"),
        (("--repository", "a" * 300, "--untagged", "7d"), "1 to 255 characters"),
        (
            ("--repository", "a", "--tag", "*"),
            "every tag, the newest too: say how many stay (--keep",
        ),
        (
            (
                "--repository",
                "a",
            ),
            "it takes nothing",
        ),
        (("--repository", "a", "--untagged", "soon"), "is no age"),
        (("--repository", "a", "--untagged", "7d", "--brake", "0"), "from 1 to 100"),
    ],
)
def test_a_rule_that_nobody_can_mean_is_refused_and_nothing_is_changed(
    run: Run, options: tuple[str, ...], said: str
) -> None:
    status, out, err = add(run, *options)
    assert (status, out) == (2, "")
    assert said in err
    assert json.loads(run("retention", "show", "-o", "json")[1])["rules"] == []


@pytest.mark.rule("K7")
def test_a_file_that_is_no_policy_is_refused_and_the_rules_stay(run: Run, tmp_path: Path) -> None:
    add(run, "--repository", "team/**", "--untagged", "7d")
    before = run("retention", "show", "-o", "json")
    file = tmp_path / "policy.json"
    for content, said in (
        ("{", "not JSON"),
        ('{"version": 1, "rules": [{"name": "x"}]}', "it takes nothing"),
        (
            json.dumps({"version": 1, "rules": [EVERYWHERE]}),
            "match every repository",
        ),
    ):
        file.write_text(content)
        status, _, err = run("retention", "set", str(file))
        assert status == 1
        assert said in err
    assert run("retention", "set", str(tmp_path / "none.json"))[0] == 1
    assert run("retention", "show", "-o", "json") == before


def test_what_is_not_there_is_said(run: Run) -> None:
    assert "there are no rules" in run("retention", "run")[2]
    assert "there is no rule other" in run("retention", "remove", "--name", "other")[2]
    add(run, "--repository", "a", "--untagged", "7d")
    assert "there is a rule a-rule" in add(run, "--repository", "a", "--untagged", "7d")[2]
    for arguments, said in (
        (("--as-of", LATER), "needs --dry-run"),
        (("--dry-run", "--as-of", "soon"), "use a time such as"),
        (("--repository", "["), "a set has an end"),
    ):
        status, _, err = run("retention", "run", *arguments)
        assert status == 2
        assert said in err


def things(out: str, key: str = "gone") -> list[dict[str, Any]]:
    return list(json.loads(out)[key])


def test_a_dry_run_tells_what_will_go_and_why_and_a_run_deletes_it(
    run: Run, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagged = fill(http, "dry/web", 3, "v")
    (untagged,) = fill(http, "dry/web", 1)
    fill(http, "other/web", 1)
    add(run, "--repository", "dry/**", "--keep-last", "2", "--untagged", "0d", "--brake", "100")

    # All of it was touched within the grace period.
    status, out, err = run("retention", "run", "-o", "json")
    assert status == 0, err
    assert things(out) == [
        {
            "repository": "dry/web",
            "kind": "tag",
            "name": "v0",
            "tags": [],
            "rule": "a-rule",
            "why": "older than the rule says, or not among the last",
        }
    ]
    assert {each["why"] for each in things(out, "kept")} == {
        "touched lately",
        "tagged",
        "among the last",
    }

    status, out, err = run("retention", "run", "--dry-run", "--as-of", LATER, "-o", "json")
    assert (status, {each["name"] for each in things(out)}) == (
        0,
        {untagged.digest, tagged[0].digest},
    )
    assert {each["why"] for each in things(out)} == {"untagged for longer than the rule says"}
    assert "2 manifests and 0 tags would go; " in err
    url = f"/acr/v1/dry/web/_manifests/{untagged.digest}"
    assert http.get(url).status_code == 200

    # No setting allows less than an hour: here the tests do.
    monkeypatch.setattr(retention, "MIN_GRACE", timedelta(0))
    read = Settings.from_environment
    monkeypatch.setattr(
        Settings, "from_environment", lambda: replace(read(), gc_grace=timedelta(0))
    )
    status, out, err = run("retention", "run")
    assert status == 0, err
    assert untagged.digest in out
    assert "2 manifests and 0 tags went" in err
    assert http.get(url).status_code == 404
    assert http.get("/v2/dry/web/manifests/v2").status_code == 200
    assert http.get("/v2/other/web/tags/list").status_code == 200


@pytest.mark.rule("K6")
def test_what_the_brake_stops_is_said_and_a_forced_run_goes_on(
    run: Run, http: httpx.Client
) -> None:
    fill(http, "brake/web", 13, "v")
    add(run, "--repository", "brake/*", "--keep-last", "1")
    status, out, err = run("retention", "run", "-o", "json")
    assert (status, things(out)) == (3, [])
    assert "brake/web: rule a-rule would take 12 of 13 tags; its brake allows 10 (10 %)" in err
    assert len(things(out, "heldBack")) == 12
    assert len(http.get("/v2/brake/web/tags/list").json()["tags"]) == 13
    # Another repository than the one that is meant.
    assert things(run("retention", "run", "--repository", "dry/*", "-o", "json")[1]) == []
    status, out, _ = run("retention", "run", "--force", "--repository", "brake/web", "-o", "json")
    assert (status, len(things(out))) == (0, 12)
    assert http.get("/v2/brake/web/tags/list").json()["tags"] == ["v12"]
