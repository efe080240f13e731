"""What runs in Azure is what was tested: the files that lock packages agree with one another."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests import locks

NAMES = ("azure-cli", "cli", "dev", "engine")
FILES = [locks.APP, *(locks.FOLDER / f"{name}.txt" for name in NAMES)]
LOADED = """
import json, sys
before = set(sys.modules)
from slipway_cli import main
import azure.identity.aio  # Imported where an identity is used.
import slipway_cli.keys, slipway_cli.role_assignments, slipway_cli.tokens  # And these when run.
main.parser()
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_package_is_locked_to_one_version_by_hashes(file: Path) -> None:
    pins = locks.locked(file)
    assert len(pins) > 10
    assert [pin.name for pin in pins if not pin.hashes] == []
    assert len({(pin.name, str(pin.marker)) for pin in pins}) == len(pins)


@pytest.mark.parametrize(
    ("source", "file"), [("app.in", locks.APP), ("cli.in", locks.FOLDER / "cli.txt")]
)
def test_what_is_locked_is_what_is_asked_for(source: str, file: Path) -> None:
    """A range that was changed without `make lock` is found."""
    versions = locks.in_production(file)
    wanted = [
        each
        for each in locks.asked(locks.FOLDER / source)
        if each.marker is None or each.marker.evaluate(dict(locks.PRODUCTION))
    ]
    assert len(wanted) >= 6
    for each in wanted:
        assert versions[canonicalize_name(each.name)] in each.specifier, each


def test_the_engine_is_tested_with_exactly_the_versions_that_are_deployed() -> None:
    deployed = locks.in_production(locks.APP)
    tested = locks.in_production(locks.FOLDER / "engine.txt")
    assert deployed == {name: tested.get(name) for name in deployed}


def test_development_and_the_command_line_have_the_versions_that_are_deployed() -> None:
    deployed = locks.in_production(locks.APP)
    developed = locks.in_production(locks.FOLDER / "dev.txt")
    assert deployed == {name: developed.get(name) for name in deployed}
    command_line = locks.in_production(locks.FOLDER / "cli.txt")
    assert command_line == {name: deployed.get(name) for name in command_line}


def test_nothing_that_is_deployed_depends_on_where_it_is_installed() -> None:
    """A marker would leave a package out on another Python, without a word."""
    assert [pin.name for pin in locks.locked(locks.APP) if pin.marker] == []


def test_the_file_of_the_command_line_has_all_that_it_imports() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=locks.ROOT, capture_output=True, check=True, text=True
    )
    modules = {name.partition(".")[0] for name in json.loads(done.stdout)}
    whose = packages_distributions()
    # Several packages share the name `azure`: their own modules tell which.
    imported = {
        canonicalize_name(whose[module][0])
        for module in modules & set(whose)
        if len(set(whose[module])) == 1
    }
    of_azure = {"azure-core", "azure-data-tables", "azure-identity", "azure-storage-blob"}
    assert imported | of_azure <= set(locks.in_production(locks.FOLDER / "cli.txt"))
