"""The scripts that bring the package to the apps, with an `az` that fails as Azure's does."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from registry_core import __version__

# What az prints: before the roles count, and when the new app's host does not answer yet.
ROLE_IS_MISSING = (
    "ERROR: InaccessibleStorageException: Failed to access storage account for deployment: "
    "BlobUploadFailedException: Failed to upload blob to storage account: Response status code "
    "does not indicate success: 403 (This request is not authorized to perform this operation.)"
)
HOST_IS_NOT_READY = "ERROR: Encountered an error (ServiceUnavailable) from host runtime."

# Fails as often as the file named after the app says, with another of the texts each time.
AZ = f"""#!/bin/sh
[ "$1" != account ] || exit "$SIGNED_OUT"
while [ "$1" != --name ]; do told="$told $1"; shift; done
app=$2
echo "$app$told $3 $4" >> "$AZ_DIR/calls"
left=$(cat "$AZ_DIR/$app" 2>/dev/null || echo 0)
[ "$left" != 0 ] || exit 0
echo $((left - 1)) > "$AZ_DIR/$app"
if [ $((left % 2)) = 0 ]; then echo "{ROLE_IS_MISSING}"; else echo "{HOST_IS_NOT_READY}"; fi >&2
exit 1
"""
ALWAYS = 1_000
TRIES = 5

PACKAGE = f"dist/slipway-{__version__}.zip"


class Az:
    """An `az` on the PATH, and what it was asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        (directory / "az").write_text(AZ)
        (directory / "az").chmod(0o755)

    def fails(self, app: str, times: int) -> None:
        (self.directory / app).write_text(str(times))

    @property
    def calls(self) -> list[str]:
        path = self.directory / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def tries(self) -> Counter[str]:
        return Counter(call.partition(" ")[0] for call in self.calls)

    def run(
        self, script: Path, *arguments: str, signed_out: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        given = {
            "PATH": f"{self.directory}:{os.environ['PATH']}",
            "AZ_DIR": str(self.directory),
            "SIGNED_OUT": str(int(signed_out)),
            "DEPLOY_WAITS": "0 0 0 0",
            "MAKEFLAGS": "PAGE=",  # It is built already.
        }
        return subprocess.run(
            ["sh", script, *arguments],
            env=given | environment,
            check=False,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def copy(copy: Path) -> Path:
    """With a page that stands for the built one, which takes packages of npm."""
    page = copy / "ui/dist/index.html"
    page.parent.mkdir()
    page.write_text("<title>Slipway</title>")
    return copy


@pytest.fixture
def az(tmp_path: Path) -> Az:
    return Az(tmp_path / "bin")


def test_a_deployment_that_fails_while_roles_and_host_are_late_is_tried_until_it_succeeds(
    copy: Path, az: Az
) -> None:
    az.fails("first", 2)
    ended = az.run(copy / "infra/deploy-package.sh", "rg-slipway", "first")
    assert ended.returncode == 0, ended.stderr
    assert ROLE_IS_MISSING in ended.stderr
    assert HOST_IS_NOT_READY in ended.stderr
    assert "Trying again in 0 seconds: first\n" in ended.stderr
    assert az.tries == {"first": 3}
    assert (copy / PACKAGE).exists()


def test_an_app_that_fails_keeps_no_other_waiting_and_is_named_at_the_end(
    copy: Path, az: Az
) -> None:
    az.fails("second", ALWAYS)
    az.fails("third", 1)
    ended = az.run(copy / "infra/deploy-package.sh", "rg-slipway", "first", "second", "third")
    assert ended.returncode == 1
    assert "Not deployed: second\n" in ended.stderr
    assert az.tries == {"first": 1, "second": TRIES, "third": 2}
    # The first round reaches all of them.
    assert [call.partition(" ")[0] for call in az.calls[:3]] == ["first", "second", "third"]


def test_the_waits_are_half_a_minute_to_two_minutes_unless_told_otherwise(copy: Path) -> None:
    script = (copy / "infra/deploy-package.sh").read_text()
    waits = script.partition("${DEPLOY_WAITS-")[2].partition("}")[0].split()
    assert len(waits) == TRIES - 1
    assert sorted(map(int, waits)) == list(map(int, waits))
    assert (int(waits[0]), int(waits[-1])) == (30, 120)


def test_the_subscription_is_the_one_that_was_named_or_the_one_that_az_has_chosen(
    copy: Path, az: Az
) -> None:
    script = copy / "infra/deploy-package.sh"
    assert az.run(script, "rg-slipway", "first").returncode == 0
    assert az.run(script, "rg-slipway", "first", AZURE_SUBSCRIPTION_ID="5ca1ab1e").returncode == 0
    told = "functionapp deployment source config-zip{} --resource-group rg-slipway"
    assert az.calls == [
        f"first {told.format(subscription)} --src {PACKAGE}"
        for subscription in ("", " --subscription 5ca1ab1e")
    ]


def test_a_package_that_cannot_be_made_is_deployed_nowhere(copy: Path, az: Az) -> None:
    (copy / "host.json").write_text("{")
    ended = az.run(copy / "infra/deploy-package.sh", "rg-slipway", "first")
    assert ended.returncode != 0
    assert "host.json" in ended.stderr
    assert az.calls == []


@pytest.mark.parametrize("arguments", [(), ("rg-slipway",)])
def test_without_an_app_the_usage_is_told(copy: Path, az: Az, arguments: tuple[str, ...]) -> None:
    ended = az.run(copy / "infra/deploy-package.sh", *arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith("usage: ")
    assert az.calls == []


@pytest.mark.parametrize(
    ("apps", "signed_out", "deployed"),
    [
        ('["first"]', False, []),
        ('["first", "second", "third"]', False, ["second", "third"]),
        ('["first", "second"]', True, []),
    ],
)
def test_the_apps_of_further_regions_get_the_same_package(
    copy: Path, az: Az, apps: str, signed_out: bool, deployed: list[str]
) -> None:
    ended = az.run(
        copy / "infra/deploy-other-regions.sh",
        signed_out=signed_out,
        REGISTRY_APP_NAMES=apps,
        AZURE_RESOURCE_GROUP="rg-slipway",
        AZURE_SUBSCRIPTION_ID="5ca1ab1e",
    )
    assert ended.returncode == int(signed_out), ended.stderr
    assert ("az login" in ended.stderr) is signed_out
    assert list(az.tries) == deployed
    assert all("--subscription 5ca1ab1e --resource-group rg-slipway" in call for call in az.calls)
    assert (copy / PACKAGE).exists() == bool(deployed)


def test_a_region_that_fails_fails_the_hook_of_azd(copy: Path, az: Az) -> None:
    az.fails("second", ALWAYS)
    ended = az.run(
        copy / "infra/deploy-other-regions.sh",
        REGISTRY_APP_NAMES='["first", "second", "third"]',
        AZURE_RESOURCE_GROUP="rg-slipway",
        AZURE_SUBSCRIPTION_ID="5ca1ab1e",
    )
    assert ended.returncode == 1
    assert "Not deployed: second\n" in ended.stderr
    assert az.tries["third"] == 1


def smoke_test(
    copy: Path, folder: Path, *servers: str, **environment: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Runs the script with a `slipway` that fails for servers named `ill…`; answers its calls."""
    calls = folder / "calls"
    (copy / "slipway").write_text(
        f'#!/bin/sh\necho "$@" >> {calls}\ncase "$*" in *ill*) echo "failed" >&2; exit 1;; esac\n'
    )
    (copy / "slipway").chmod(0o755)
    ended = subprocess.run(
        ["sh", copy / "infra/smoke-test.sh", *servers],
        env={"PATH": os.environ["PATH"]} | environment,
        check=False,
        capture_output=True,
        text=True,
    )
    return ended, calls.read_text().splitlines() if calls.exists() else []


def test_every_region_is_tested_and_no_argument_tells_the_password(
    copy: Path, tmp_path: Path
) -> None:
    ended, calls = smoke_test(
        copy,
        tmp_path,
        "a.example",
        "b.example",
        SLIPWAY_USERNAME="ci",
        SLIPWAY_PASSWORD="kept-secret",
    )
    assert ended.returncode == 0, ended.stderr
    assert calls == ["check-health a.example --wait 300", "check-health b.example --wait 300"]
    assert "kept-secret" not in ended.stdout + ended.stderr


def test_a_region_that_does_not_work_is_named_after_all_were_tested(
    copy: Path, tmp_path: Path
) -> None:
    ended, calls = smoke_test(copy, tmp_path, "ill.example", "b.example")
    assert ended.returncode == 1
    assert "These do not work: ill.example\n" in ended.stderr
    assert len(calls) == 2


def test_the_pipeline_deploys_and_tests_by_the_scripts_that_are_tested_here() -> None:
    pipeline = (Path(__file__).parents[2] / ".github/workflows/deploy.yml").read_text()
    assert 'sh infra/deploy-package.sh "$GROUP" $APPS' in pipeline
    assert "sh infra/smoke-test.sh $SERVERS" in pipeline
    assert "config-zip" not in pipeline


def test_the_page_names_what_az_prints() -> None:
    page = (Path(__file__).parents[2] / "docs/deploy.md").read_text()
    for text in ("InaccessibleStorageException", "BlobUploadFailed", "from host runtime"):
        assert text in page
