"""checkov's rules for Bicep, and the exceptions from them, which are named here once more."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep import without_own_types
from tests.infra.templates import ROOT

CHECKOV = ROOT / ".venv-infra/bin/checkov"

EXCEPTIONS = {
    ("function-app.bicep", "CKV_AZURE_13"),
    ("function-app.bicep", "CKV_AZURE_17"),
    ("function-app.bicep", "CKV_AZURE_63"),
    ("function-app.bicep", "CKV_AZURE_65"),
    ("function-app.bicep", "CKV_AZURE_66"),
    ("function-app.bicep", "CKV_AZURE_78"),
    ("function-app.bicep", "CKV_AZURE_80"),
    ("function-app.bicep", "CKV_AZURE_88"),
    ("function-app.bicep", "CKV_AZURE_212"),
    ("function-app.bicep", "CKV_AZURE_213"),
    ("function-app.bicep", "CKV_AZURE_222"),
    ("function-app.bicep", "CKV_AZURE_225"),
    ("key-vault.bicep", "CKV_AZURE_41"),
    ("key-vault.bicep", "CKV_AZURE_109"),
    ("key-vault.bicep", "CKV_AZURE_114"),
    ("storage.bicep", "CKV_AZURE_35"),
    ("storage.bicep", "CKV_AZURE_43"),
    ("storage.bicep", "CKV_AZURE_206"),
}
"""By file and rule; the reason stands in the file, beside what it excepts."""


def copied(target: Path) -> Path:
    """The templates as checkov can read them: its parser knows no types that a project declares."""
    folder = target / "infra"
    shutil.copytree(ROOT / "infra", folder)
    for path in folder.rglob("*.bicep"):
        path.write_text(without_own_types(path.name, path.read_text()))
    return folder


def report(folder: Path) -> dict[str, Any]:
    """What checkov says of a folder; asks nobody on the network."""
    command: list[str | Path] = [
        CHECKOV,
        "-d",
        folder,
        "--framework",
        "bicep",
        "--output",
        "json",
        "--skip-download",
    ]
    # It logs a stack trace for a rule of its own that cannot read an expression.
    environment = {**os.environ, "LOG_LEVEL": "CRITICAL"}
    done = subprocess.run(command, capture_output=True, check=False, env=environment, timeout=240)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return report(copied(tmp_path_factory.mktemp("checkov")))


def test_what_checkov_reads_differs_in_types_alone() -> None:
    for path in (ROOT / "infra").rglob("*.bicep"):
        before = path.read_text().splitlines()
        after = without_own_types(path.name, path.read_text()).splitlines()
        if path.name == "types.bicep":
            assert not any(line.strip() for line in after if not line.startswith("//"))
            continue
        for line, read in zip(before, after, strict=True):
            if line != read:
                assert line.startswith(("param ", "output ", "import ")), line


def test_no_rule_is_broken(checked: dict[str, Any]) -> None:
    assert checked["summary"]["parsing_errors"] == 0
    assert checked["summary"]["passed"] > 30
    failed = [(f["file_path"], f["check_id"]) for f in checked["results"]["failed_checks"]]
    assert failed == []


def test_the_exceptions_are_those_named_here_each_with_its_reason(checked: dict[str, Any]) -> None:
    skipped = checked["results"]["skipped_checks"]
    found = {(Path(each["file_path"]).name, each["check_id"]) for each in skipped}
    assert found == EXCEPTIONS
    assert all(len(each["check_result"]["suppress_comment"]) > 15 for each in skipped)


def test_a_broken_rule_is_told(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    storage = copy / "modules/storage.bicep"
    storage.write_text(storage.read_text().replace("TLS1_2", "TLS1_0"))
    failed = {each["check_id"] for each in report(copy)["results"]["failed_checks"]}
    assert "CKV_AZURE_44" in failed
