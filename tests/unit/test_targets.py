"""What `make` runs of the tests: each of them somewhere, and every rule before a commit."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

ROOT = Path(__file__).resolve().parents[2]
MARKS = ("long", "alone")
COMBINATIONS = [
    dict(zip(MARKS, values, strict=True)) for values in itertools.product((False, True), repeat=2)
]


@dataclass(frozen=True)
class Run:
    """A run of pytest: on which paths, with which expression of marks."""

    paths: Sequence[Path]
    marks: str

    def takes(self, path: Path, marks: Mapping[str, bool]) -> bool:
        """Whether it runs a test in that file with those marks."""
        matches = Expression.compile(self.marks).evaluate(lambda name, /, **_: marks[name])
        return matches and any(path.is_relative_to(each) for each in self.paths)


def runs_of(target: str) -> list[Run]:
    """What `make` runs for a target where all is set up, and there is a Python 3.13."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = ["make", "--dry-run", "--no-print-directory", target, "ENGINE_PYTHON=python3.13"]
    said = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, check=True, text=True
    ).stdout
    # After the last `/bin/pytest` of a line: its arguments, up to the end of that command.
    found = re.findall(r"/bin/pytest (.*?)(?:; else .*)?$", said, re.MULTILINE)
    return [_run(shlex.split(line)) for line in found]


def _run(arguments: Sequence[str]) -> Run:
    marks = arguments[arguments.index("-m") + 1] if "-m" in arguments else "long or not long"
    paths = [ROOT / each.rstrip(";") for each in arguments if each.startswith("tests/")]
    return Run(paths, marks)


@pytest.fixture(scope="module")
def everything() -> list[Run]:
    """What CI runs."""
    targets = re.search(r"for target in (.*); do", (ROOT / ".ci" / "run").read_text())
    assert targets
    return [run for target in targets[1].split() for run in runs_of(target)]


TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("marks", COMBINATIONS, ids=str)
def test_ci_runs_every_test_whatever_it_is_marked_as(
    everything: list[Run], marks: dict[str, bool]
) -> None:
    left_out = [
        file for file in TEST_FILES if not any(run.takes(file, marks) for run in everything)
    ]
    assert left_out == []


def test_test_all_runs_whatever_test_does_and_that_what_test_quick_does() -> None:
    quick, some, all_ = map(runs_of, ("test-quick", "test", "test-all"))
    for file, marks in itertools.product(TEST_FILES, COMBINATIONS):
        for fewer, more in ((quick, some), (some, all_)):
            if any(run.takes(file, marks) for run in fewer):
                assert any(run.takes(file, marks) for run in more), (file, marks)


def test_nothing_that_measures_the_machine_has_something_beside_it(everything: list[Run]) -> None:
    marks = {"long": True, "alone": True}
    for run in everything:
        if "not alone" in run.marks:
            assert not any(run.takes(file, marks) for file in TEST_FILES)


def test_no_test_is_left_out_by_the_environment() -> None:
    """Marks say what is left out. That a system has no /proc is nobody's choice."""
    for file in TEST_FILES:
        if file.is_relative_to(ROOT / "tests" / "e2e"):
            continue  # Which needs what only `make e2e` makes.
        for call in re.findall(r"(?s)skipif\((.{0,80})", file.read_text()):
            assert "environ" not in call, file
