"""`python -m bench cpu` measures what it says; of times nothing is judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.machine import AVAILABLE

ROOT = Path(__file__).resolve().parents[3]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not AVAILABLE, reason="what processes take is known only on Linux"),
]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "cpu", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)


def test_some_operations_are_measured_with_their_calls_and_rounds() -> None:
    names = ["v2", "head-tag", "small-blob", "put-1", "put-8"]
    only = [argument for name in names for argument in ("--only", name)]
    done = bench(*only, "--requests", "20", "--output", "json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    short = {"v2": 200, "head-tag": 200}
    assert document["repeats"] == {**short, "small-blob": 20, "put-1": 20, "put-8": 20}
    assert document["empty_seconds"] > 0
    rows = {row["name"]: row for row in document["rows"]}
    assert rows.keys() == {*names, "each-layer"}
    costs = {name: (rows[name]["calls"], rows[name]["rounds"]) for name in names[:3]}
    assert costs == {"v2": (0, 0), "head-tag": (1, 1), "small-blob": (2, 2)}
    for name in names:
        assert 0 < rows[name]["least"] <= rows[name]["cpu"] <= rows[name]["most"]
    for row in rows.values():
        for bar in row["bars"]:
            assert row["is_met"] == (row[bar["figure"]] <= bar["at_most"])
    added = rows["put-8"]["calls"] - rows["put-1"]["calls"]
    assert rows["each-layer"]["calls"] == added / 7


def test_a_name_that_does_not_exist_is_refused_with_those_that_do() -> None:
    done = bench("--only", "nothing")
    assert done.returncode == 2
    assert "small-blob" in done.stderr
