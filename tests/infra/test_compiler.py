"""The compiler itself, where there is one: no registry that the project installs from has it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep import File
from tests.infra.deployments import DEPLOYMENTS, NAME, Deployment
from tests.infra.evaluate import Evaluation
from tests.infra.templates import ROOT, Templates
from tests.infra.test_templates import REFUSED

BICEP = shutil.which("bicep")
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
COMPILED = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "infra").rglob("*.bicep*"))
COMPILED = [path for path in COMPILED if not path.endswith(".json")]

needs_bicep = pytest.mark.skipif(BICEP is None, reason="there is no bicep on the PATH")


def bicep(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BICEP), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def literal(value: Any, indent: str = "") -> str:
    """A value as Bicep writes it."""
    inner = f"{indent}  "
    if isinstance(value, Mapping):
        lines = [f"{inner}{key}: {literal(each, inner)}" for key, each in value.items()]
        return "\n".join(["{", *lines, f"{indent}}}"])
    if isinstance(value, list):
        return f"[{', '.join(literal(each, inner) for each in value)}]"
    return json.dumps(value) if isinstance(value, bool | int) else f"'{value}'"


def snapshot(parameters: Mapping[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """Evaluates a deployment without Azure, into `case.snapshot.json`."""
    copy = folder / "infra"
    shutil.copytree(ROOT / "infra", copy)
    lines = [f"param {name} = {literal(value)}\n" for name, value in parameters.items()]
    (copy / "case.bicepparam").write_text("".join(["using 'main.bicep'\n\n", *lines]))
    where = ["--subscription-id", SUBSCRIPTION, "--location", "westeurope"]
    return bicep("snapshot", "case.bicepparam", "--mode", "overwrite", *where, folder=copy)


@needs_bicep
@pytest.mark.parametrize(
    "command",
    [
        ["build", "infra/main.bicep", "--stdout"],
        ["build-params", "infra/main.bicepparam", "--stdout"],
        ["lint", "infra/main.bicep"],
    ],
    ids=lambda command: str(command[0]),
)
def test_the_compiler_and_the_linter_find_nothing(command: list[str]) -> None:
    done = bicep(*command)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr


@needs_bicep
@pytest.mark.parametrize("path", COMPILED)
def test_the_templates_are_formatted(path: str) -> None:
    done = bicep("format", path, "--stdout")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / path).read_text(), f"run: bicep format {path}"


@needs_bicep
@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: str(each.name))
def test_a_deployment_makes_what_it_should(deployment: Deployment, tmp_path: Path) -> None:
    done = snapshot(deployment.parameters, tmp_path)
    assert done.returncode == 0, done.stderr
    evaluated = json.loads((tmp_path / "infra/case.snapshot.json").read_text())
    # What regions share, each of them declares.
    made = {each["id"]: each for each in evaluated["predictedResources"]}.values()
    assert Counter(each["type"] for each in made) == deployment.resources
    names: dict[str, set[str]] = {}
    for each in made:
        names.setdefault(each["type"], set()).add(each["name"])
    assert names["Microsoft.Resources/resourceGroups"] == {"rg-test"}
    assert names["Microsoft.Web/sites"] == set(deployment.apps)
    assert names["Microsoft.Web/serverfarms"] == {f"plan-{app}" for app in deployment.apps}
    identities = names["Microsoft.ManagedIdentity/userAssignedIdentities"]
    assert identities == {f"id-{app}" for app in deployment.apps}
    assert names["Microsoft.OperationalInsights/workspaces"] == {f"log-{NAME}"}
    networks = {f"vnet-{app}" for app in deployment.apps}
    assert names.get("Microsoft.Network/virtualNetworks", networks) == networks


# Another name than a limit's is refused by the type before the condition.
BY_CONDITION = [each for each in REFUSED if each[1] != "requestsPerMinuteHasNamesOfLimits"]


@needs_bicep
@pytest.mark.parametrize(
    ("given", "condition"), BY_CONDITION, ids=[each[1] for each in BY_CONDITION]
)
def test_a_deployment_that_breaks_a_condition_ends_with_its_name(
    given: dict[str, Any], condition: str, tmp_path: Path
) -> None:
    done = snapshot(Deployment(condition, given).parameters, tmp_path)
    assert done.returncode != 0
    assert condition in done.stderr + done.stdout


def test_each_set_of_parameters_is_one_that_no_condition_refuses() -> None:
    for deployment in DEPLOYMENTS:
        evaluation = Evaluation(Templates.read().main, **deployment.parameters)
        assert evaluation.broken() == [], deployment.name
        assert evaluation.variable("regions") == deployment.regions


def test_together_they_make_every_resource_that_the_templates_have() -> None:
    declared = {
        resource.type_name
        for file in Templates.read().modules()
        for resource in file.resources
        if not resource.existing
    }
    assert {kind for each in DEPLOYMENTS for kind in each.resources} == declared


def test_values_are_written_as_the_templates_read_them() -> None:
    given = {"a": [1, "x"], "b": True, "c": {"read": 5}}
    text = f"var all = {literal(given)}\n"
    assert text == "var all = {\n  a: [1, 'x']\n  b: true\n  c: {\n    read: 5\n  }\n}\n"
    assert File("case.bicep", text).variables["all"] == given
