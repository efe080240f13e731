"""`slipway repository`, `tag` and `manifest`: a registry as it is served, and no storage named."""

from __future__ import annotations

import gc
import json
import os
import pty
import subprocess
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import ROOT, Slipway
from tests.integration.cli.shelf import SIGNATURE, Shelf

pytestmark = pytest.mark.usefixtures("admin")
Answered = Callable[[str], Any]


@pytest.fixture
def name() -> str:
    """A repository of the test's own."""
    return f"team-{uuid.uuid4().hex[:8]}/web"


def at(shelf: Shelf, *names: str) -> None:
    for each in names:
        shelf.image(each, "v1")


# Repositories.


def test_repositories_are_listed_by_prefix_and_all_of_them(
    shelf: Shelf, answered: Answered, slipway: Slipway, name: str
) -> None:
    team = name.partition("/")[0]
    names = [f"{team}/api", f"{team}/web", f"{team}-x/web"]
    at(shelf, *names, "aaa/first", "zzz/last")
    assert set(names) < set(answered("repository list"))
    assert answered(f"repository list {team}") == sorted(names)
    assert answered(f"repository list {team}/") == sorted(names[:2])
    assert answered(f"repository list {shelf.netloc}/{team}/web") == [f"{team}/web"]
    assert answered(f"repository list {team}/webs") == []
    assert answered("repository list z") == ["zzz/last"]
    assert slipway(f"repository list {team}/ -o tsv")[1] == f"{team}/api\n{team}/web\n"
    status, out, err = slipway(f"repository list {team}/none")
    assert (status, out, err) == (0, "", "Nothing found.\n")


def test_a_repository_shows_what_is_in_it_and_its_locks(
    shelf: Shelf, answered: Answered, slipway: Slipway, name: str
) -> None:
    shelf.image(name, "v1", seed=1)
    shelf.image(name, "", seed=2)
    shown = answered(f"repository show {name}")
    assert (shown["imageName"], shown["manifestCount"], shown["tagCount"]) == (name, 2, 1)
    status, out, _ = slipway(f"repository show {name}")
    assert status == 0
    lines = dict(line.split(None, 1) for line in out.splitlines())
    assert (lines["NAME"], lines["MANIFESTS"], lines["DELETE"]) == (name, "2", "yes")
    slipway(f"repository lock {name}")
    out = slipway(f"repository show {name}")[1]
    lines = dict(line.split(None, 1) for line in out.splitlines())
    assert lines["LOCKED"] == "write, delete"
    assert lines["PUSH"] == "no: repository is locked (write)"
    assert lines["PULL"] == "yes"


def test_a_repository_is_deleted_with_all_that_is_in_it_but_not_unasked(
    shelf: Shelf, slipway: Slipway, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        shelf.image(name, f"v{number}", seed=number)
    with Path(os.devnull).open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        status, out, err = slipway(f"repository delete {name}")
    assert (status, out) == (2, "")
    assert "3 manifests and 3 tags" in err
    assert "--yes" in err
    assert len(shelf.tags(name)) == 3
    assert slipway(f"repository delete {name} --yes -o json")[:2] == (0, "{}\n")
    assert shelf.tags(name) == []
    status, _, err = slipway(f"repository delete {name} --yes")
    assert status == 1
    assert "NAME_UNKNOWN" in err
    assert f"slipway repository list {shelf.netloc}" in err


def test_a_locked_repository_stays_and_the_way_to_unlock_it_is_told(
    shelf: Shelf, answered: Answered, slipway: Slipway, name: str
) -> None:
    at(shelf, name)
    locked = answered(f"repository lock {name} --delete")["changeableAttributes"]
    assert locked["deleteEnabled"] is False
    assert locked["writeEnabled"] is True
    status, _, err = slipway(f"repository delete {name} --yes")
    assert status == 1
    assert "REGISTRY_DISALLOWED_OPERATION" in err
    command = f"repository unlock {shelf.netloc}/{name}"
    assert f"`slipway {command}`" in err
    assert slipway(command)[0] == 0
    assert slipway(f"repository delete {name} --yes")[0] == 0


# Tags.


def test_tags_are_listed_newest_first_or_as_asked(
    shelf: Shelf, answered: Answered, name: str
) -> None:
    for tag in ("b", "a", "c"):
        shelf.image(name, tag, seed=tag)

    def listed(flags: str) -> list[str]:
        return [tag["name"] for tag in answered(f"tag list {name} {flags}")]

    assert listed("") == ["c", "a", "b"]
    assert listed("--orderby time_asc") == ["b", "a", "c"]
    assert listed("--orderby name") == ["a", "b", "c"]
    assert listed("--top 2") == ["c", "a"]
    assert listed("--detail") == ["c", "a", "b"]
    plain, detailed = answered(f"tag list {name}"), answered(f"tag list {name} --detail")
    assert plain == detailed
    assert plain[0]["digest"].startswith("sha256:")


def test_every_page_of_a_list_is_followed(shelf: Shelf, answered: Answered, name: str) -> None:
    """Pages of 100 by time: of tags by `--top`, of manifests by that and by digest."""
    image = shelf.image(name, "v0")
    for number in range(1, 130):
        status, content = shelf.send("GET", f"/v2/{name}/manifests/{image['digest']}")
        assert status == 200
        path = f"/v2/{name}/manifests/v{number}"
        assert shelf.send("PUT", path, content, image["mediaType"])[0] == 201
    assert len(answered(f"tag list {name}")) == 130
    assert len(answered(f"tag list {name} --top 120")) == 120
    for number in range(110):
        shelf.referrer(name, image, kind=f"application/x.{number}")
    assert len(answered(f"manifest list {name}")) == 111
    assert len(answered(f"manifest list {name} --top 105")) == 105
    assert len(answered(f"manifest list {name} --top 109 --untagged")) == 109
    tree = answered(f"manifest tree {name}:v0")
    assert len(tree["referrers"]) == 110


def test_tags_of_signatures_are_left_out_and_that_is_said(
    shelf: Shelf, answered: Answered, slipway: Slipway, name: str
) -> None:
    image = shelf.image(name, "v1")
    signature = f"{image['digest'].replace(':', '-')}.sig"
    shelf.referrer(name, image, signature)
    assert [tag["name"] for tag in answered(f"tag list {name}")] == ["v1"]
    assert {tag["name"] for tag in answered(f"tag list {name} --all")} == {"v1", signature}
    assert "1 tag of a signature left out: see --all" in slipway(f"tag list {name}")[2]
    assert [tag["name"] for tag in answered(f"tag list {name} --top 1")] == ["v1"]


def test_deleting_a_tag_deletes_the_tag_alone(
    shelf: Shelf, answered: Answered, slipway: Slipway, name: str
) -> None:
    """What `crane delete` and `az acr repository delete --image` do is another command."""
    shelf.image(name, "v1")
    shelf.image(name, "latest")
    assert slipway(f"tag delete {name}:latest --yes")[0] == 0
    assert shelf.tags(name) == ["v1"]
    assert slipway(f"tag delete {name}:v1 --yes -o json")[:2] == (0, "{}\n")
    (left,) = answered(f"manifest list {name} --untagged")
    assert "tags" not in left


def test_of_several_tags_what_is_done_and_what_is_not_is_told_with_a_status_of_its_own(
    shelf: Shelf, slipway: Slipway, name: str
) -> None:
    at(shelf, name)
    status, out, err = slipway(f"tag delete {name}:v1 {name}:v2 --yes -o json")
    assert status == 3
    assert json.loads(out) == [{"deleted": "v1"}]
    assert "1 of 2 are done" in err
    assert "v2: TAG_UNKNOWN" in err
    shelf.image(name, "v1")
    status, out, err = slipway(f"tag delete {name}:v3 {name}:v2 --yes")
    assert (status, out) == (1, "")
    assert "none of 2 is done" in err


def test_locks_of_tags_hold_until_they_are_taken_away(
    shelf: Shelf, answered: Answered, slipway: Slipway, name: str
) -> None:
    at(shelf, name)
    (locked,) = answered(f"tag lock {name}:v1")
    attributes = locked["changeableAttributes"]
    assert (attributes["writeEnabled"], attributes["deleteEnabled"]) == (False, False)
    assert (attributes["readEnabled"], attributes["listEnabled"]) == (True, True)
    status, _, err = slipway(f"tag delete {name}:v1 --yes")
    assert status == 1
    command = f"tag unlock {shelf.netloc}/{name}:v1"
    assert f"`slipway {command}`" in err
    assert slipway(command)[0] == 0
    assert slipway(f"tag delete {name}:v1 --yes")[0] == 0


def test_which_lock_decides_is_told_whichever_has_it(
    shelf: Shelf, slipway: Slipway, name: str
) -> None:
    """The manifest's own, a tag's, or the repository's."""
    at(shelf, name)

    def deletable() -> str:
        out = slipway(f"manifest show {name}:v1")[1]
        return dict(line.split(None, 1) for line in out.splitlines())["DELETE"]

    assert deletable() == "yes"
    for what, told in (
        (f"tag {{}} {name}:v1", "tag v1 is locked (delete)"),
        (f"manifest {{}} {name}:v1", "is locked (delete)"),
        (f"repository {{}} {name}", "repository is locked (write)"),
    ):
        assert slipway(what.format("lock"))[0] == 0
        assert deletable().startswith("no: ")
        assert told in deletable()
        assert slipway(what.format("unlock"))[0] == 0
        assert deletable() == "yes"
    slipway(f"repository lock {name}")
    err = slipway(f"tag list {name} --detail")[2]
    assert "The repository is locked as well (write, delete)" in err


def test_what_is_hidden_and_unreadable_is_so_until_it_is_unlocked(
    shelf: Shelf, answered: Answered, slipway: Slipway, name: str
) -> None:
    shelf.image(name, "v1")
    shelf.image(name, "v2", seed=2)
    assert slipway(f"tag lock {name}:v1 --list --read")[0] == 0
    assert [tag["name"] for tag in answered(f"tag list {name}")] == ["v2"]
    assert shelf.send("GET", f"/v2/{name}/manifests/v1")[0] == 405
    assert slipway(f"tag unlock {name}:v1 --list --read")[0] == 0
    assert len(answered(f"tag list {name}")) == 2


# Manifests.


def test_manifests_are_listed_with_what_they_are(
    shelf: Shelf, answered: Answered, slipway: Slipway, name: str
) -> None:
    amd = shelf.image(name, "amd", seed=1)
    arm = shelf.image(name, "", seed=2, architecture="arm64")
    index = shelf.index(name, "v1", [amd, arm])
    signature = shelf.referrer(name, index)
    found = answered(f"manifest list {name}")
    expected = [each["digest"] for each in (signature, index, arm, amd)]
    assert [each["digest"] for each in found] == expected
    oldest = answered(f"manifest list {name} --orderby time_asc --top 2")
    assert [each["digest"] for each in oldest] == expected[:1:-1]
    untagged = answered(f"manifest list {name} --untagged")
    assert [each["digest"] for each in untagged] == [signature["digest"], arm["digest"]]
    rows = slipway(f"manifest list {name} -o tsv")[1].splitlines()
    kinds = [(row.split("\t")[2], row.split("\t")[3]) for row in rows]
    assert kinds == [
        ("artifact", ""),
        ("index", ""),
        ("image", "linux/arm64"),
        ("image", "linux/amd64"),
    ]


def test_a_manifest_shows_its_content_to_programs_and_an_index_its_children(
    shelf: Shelf, answered: Answered, slipway: Slipway, name: str
) -> None:
    image = shelf.image(name, "amd")
    index = shelf.index(name, "v1", [image])
    by_tag, by_digest = (
        answered(f"manifest show {name}:v1"),
        answered(f"manifest show {name}@{index['digest']}"),
    )
    assert by_tag == by_digest
    assert by_tag["manifest"]["manifests"][0]["digest"] == image["digest"]
    out = slipway(f"manifest show {name}:v1")[1]
    assert f"{image['digest']} linux/amd64" in out


def test_a_tree_has_the_children_of_an_index_and_all_that_refers_to_any_of_them(
    shelf: Shelf, answered: Answered, slipway: Slipway, name: str
) -> None:
    amd, arm = (
        shelf.image(name, "", seed=1),
        shelf.image(name, "", seed=2, architecture="arm64"),
    )
    attestation = {
        **shelf.image(name, "", seed=3),
        "annotations": {"vnd.docker.reference.digest": amd["digest"]},
        "platform": {"os": "unknown", "architecture": "unknown"},
    }
    index = shelf.index(name, "v1", [amd, arm, attestation])
    of_index, of_child = shelf.referrer(name, index), shelf.referrer(name, arm)
    of_referrer = shelf.referrer(name, of_index, kind="application/x.sbom")
    by_tag = shelf.image(name, f"{amd['digest'].replace(':', '-')}.sig", seed=4)

    tree = answered(f"manifest tree {name}:v1")
    assert tree["digest"] == index["digest"]
    first, second, third = tree["children"]
    assert [each["digest"] for each in tree["children"]] == [
        each["digest"] for each in (amd, arm, attestation)
    ]
    assert (second["platform"], third["kind"]) == ("linux/arm64", "attestation")
    assert [each["digest"] for each in second["referrers"]] == [of_child["digest"]]
    (referrer,) = tree["referrers"]
    assert (referrer["digest"], referrer["kind"]) == (
        of_index["digest"],
        SIGNATURE.removeprefix("application/"),
    )
    assert referrer["referrers"][0]["digest"] == of_referrer["digest"]
    (tagged,) = first["referrers"]
    assert (tagged["digest"], tagged["kind"]) == (by_tag["digest"], "signature")

    drawn = slipway(f"manifest tree {name}:v1")[1].splitlines()
    assert drawn[-1] == "3 manifests in the index, 4 referrers"
    assert f"└── {of_referrer['digest']}" in drawn[-2]
    assert len(drawn) == 9
    assert "unknown" not in "".join(drawn)


def test_a_tree_without_referrers_says_so(shelf: Shelf, slipway: Slipway, name: str) -> None:
    image = shelf.image(name, "v1")
    out = slipway(f"manifest tree {name}:v1")[1]
    assert out == f"{image['digest']}  image\nno referrers\n"


def test_a_manifest_goes_with_all_of_its_tags_which_are_named_and_counted_before(
    shelf: Shelf, slipway: Slipway, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = shelf.image(name, "v1")
    shelf.image(name, "latest")
    shelf.image(name, "other", seed=2)
    shelf.referrer(name, image)
    with Path(os.devnull).open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        status, _, err = slipway(f"manifest delete {name}:v1")
    assert status == 2
    assert "with 2 tags (latest, v1); what stays: 1 referrer" in err
    assert "Delete 1 manifest and 2 tags?" in err
    assert len(shelf.tags(name)) == 3
    assert slipway(f"manifest delete {name}:v1 --yes")[0] == 0
    assert shelf.tags(name) == ["other"]


def test_the_last_manifest_takes_the_repository_along_and_that_is_said(
    shelf: Shelf, slipway: Slipway, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(shelf, name)
    with Path(os.devnull).open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert "and the repository with them" in slipway(f"manifest delete {name}:v1")[2]
    assert slipway(f"manifest delete {name}:v1 --yes")[0] == 0
    assert slipway(f"repository show {name}")[0] == 1


def test_a_manifest_that_an_index_needs_is_not_deleted_alone(
    shelf: Shelf, slipway: Slipway, answered: Answered, name: str
) -> None:
    image, other = shelf.image(name, "amd"), shelf.image(name, "free", seed=2)
    index = shelf.index(name, "v1", [image])
    status, _, err = slipway(f"manifest delete {name}:free {name}:amd --yes")
    assert status == 1
    assert f"{name}:amd is needed by {index['digest']}" in err
    assert len(shelf.tags(name)) == 3
    assert slipway(f"manifest delete {name}@{other['digest']} --yes")[0] == 0
    # Together with the index, however they are ordered.
    assert slipway(f"manifest delete {name}:amd {name}:v1 --yes")[0] == 0
    assert slipway(f"repository show {name}")[0] == 1

    shelf.index(name, "v1", [shelf.image(name, "amd")])
    assert slipway(f"manifest delete {name}:amd --force --yes")[0] == 0
    assert [each["digest"] for each in answered(f"manifest list {name}")] == [index["digest"]]


def test_a_locked_manifest_stays(shelf: Shelf, slipway: Slipway, name: str) -> None:
    image = shelf.image(name, "v1")
    assert slipway(f"manifest lock {name}:v1")[0] == 0
    status, _, err = slipway(f"manifest delete {name}:v1 --yes")
    assert status == 1
    command = f"manifest unlock {shelf.netloc}/{name}@{image['digest']}"
    assert f"`slipway {command}`" in err
    assert slipway(command)[0] == 0
    assert slipway(f"manifest delete {name}:v1 --yes")[0] == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("tag list no/such", "NAME_UNKNOWN"),
        ("repository show no/such", "NAME_UNKNOWN"),
        ("repository lock no/such", "NAME_UNKNOWN"),
        ("tag delete no/such:v1 --yes", "TAG_UNKNOWN"),
        ("manifest list no/such", "NAME_UNKNOWN"),
        ("manifest show no/such:v1", "no/such:v1: TAG_UNKNOWN"),
        (f"manifest tree no/such@sha256:{'0' * 64}", "MANIFEST_UNKNOWN"),
        (f"manifest delete no/such@sha256:{'0' * 64} --yes", "MANIFEST_UNKNOWN"),
    ],
)
def test_what_is_not_there_is_said_in_the_words_of_the_registry_and_where_to_look(
    slipway: Slipway, words: str, code: str
) -> None:
    status, out, err = slipway(words)
    assert (status, out) == (1, "")
    assert err.startswith("slipway: ")
    assert code in err
    assert "See `slipway " in err
    assert err.count("\n") == 1


def test_of_what_is_asked_at_once_the_first_failure_is_all_that_is_said(
    shelf: Shelf, slipway: Slipway, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Nothing of what is still under way beside it, when the command ends."""
    at(shelf, name)
    several = " ".join(f"{name}:none-{number}" for number in range(12))
    for words, status in ((f"manifest delete {several} --yes", 1), (f"tag list {name} --top 1", 0)):
        ended, _, err = slipway(words)
        for thread in threading.enumerate():
            if thread.name.startswith("asyncio"):
                thread.join()
        gc.collect()  # When asyncio tells of what was left.
        assert (ended, err.count("\n")) == (status, status)
    assert caplog.text == ""


# At a terminal.


def at_terminal(
    words: str, *, columns: int, typed: str = "", **environment: str
) -> tuple[int, str]:
    """Runs a command at a terminal; answers its status and all that the terminal got."""
    controller, end = pty.openpty()
    process = subprocess.Popen(
        [ROOT / "slipway", *words.split()],
        env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **environment},
        stdin=end,
        stdout=end,
        stderr=end,
    )
    os.close(end)
    os.write(controller, typed.encode())
    shown = b""
    while True:
        try:
            part = os.read(controller, 65_536)
        except OSError:  # The other end is closed.
            break
        if not part:
            break
        shown += part
    os.close(controller)
    return process.wait(), shown.decode()


def test_at_a_terminal_a_table_fits_digests_are_short_and_times_are_ages(
    shelf: Shelf, name: str
) -> None:
    long = "release-" + "x" * 100
    image = shelf.image(name, long)
    digits = image["digest"].removeprefix("sha256:")
    status, shown = at_terminal(f"tag list {name}", columns=60, NO_COLOR="1")
    assert status == 0
    lines = shown.replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 60
    assert digits[:12] in lines[1]
    assert digits[:13] not in lines[1]
    assert "\x1b" not in shown
    assert "\x1b[1m" in at_terminal(f"tag list {name}", columns=60)[1]


@pytest.mark.parametrize(("typed", "status", "left"), [("n\n", 1, 1), ("\n", 1, 1), ("y\n", 0, 0)])
def test_at_a_terminal_it_asks_once_and_no_is_no(
    shelf: Shelf, name: str, typed: str, status: int, left: int
) -> None:
    at(shelf, name)
    ended, shown = at_terminal(f"manifest delete {name}:v1", columns=200, typed=typed)
    assert ended == status
    assert shown.count("(y/N)") == 1
    assert "1 tag (v1)" in shown
    assert ("nothing was changed" in shown) == bool(left)
    assert len(shelf.tags(name)) == left
