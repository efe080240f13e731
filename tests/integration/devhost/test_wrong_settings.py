"""What keeps the registry from starting is said in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

CASES = {
    "a misspelt switch": ({"REGISTRY_DELETE_ENABLED": "maybe"}, "_DELETE_ENABLED: use 'on'"),
    "a short password": ({"REGISTRY_ADMIN_PASSWORD": "short"}, "it has 5 characters"),
    "a name that is none": ({"REGISTRY_LOGIN_SERVERS": "a b"}, "REGISTRY_LOGIN_SERVERS: use"),
    "a duration without a unit": ({"REGISTRY_GC_GRACE": "24"}, "REGISTRY_GC_GRACE: use a number"),
    "a form of logs that is none": ({"LOG_FORMAT": "xml"}, "LOG_FORMAT must be one of text, json"),
    "a level that is none": ({"LOG_LEVEL": "loud"}, "LOG_LEVEL must be one of DEBUG"),
    "a port that is none": ({"PORT": "many"}, "PORT must be a number"),
    "a misspelt setting beside a wrong one": (
        {"REGISTRY_GCGRACE": "1h", "REGISTRY_CACHE_TTL": "soon"},
        "REGISTRY_CACHE_TTL: use a number",
    ),
    "a storage that is none": ({"RegistryStorage": "x"}, "RegistryStorage: the connection string"),
    "a data folder for a password alone": (
        {"DATA_DIR": __file__, "RegistryStorage": "AccountName=a;AccountKey=a2V5"},
        "cannot keep data in",
    ),
    "a data folder that is a file": ({"DATA_DIR": __file__}, "cannot keep data in"),
    "a data folder that cannot be made": ({"DATA_DIR": "/proc/none/data"}, "cannot keep data in"),
}


@pytest.mark.parametrize("what", CASES)
def test_a_wrong_setting_is_one_line_that_says_what_is_wrong(tmp_path: Path, what: str) -> None:
    wrong, said = CASES[what]
    own = {k: v for k, v in os.environ.items() if not k.startswith("REGISTRY_")}
    environment = {**own, "PORT": "0", "DATA_DIR": str(tmp_path / "data"), **wrong}
    ended = subprocess.run(
        [sys.executable, "-m", "devhost"],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("devhost: ")
    assert len(ended.stderr.splitlines()) == 1
    assert said in ended.stderr
    assert not (tmp_path / "data").exists(), "something was started, or made"


def test_without_a_home_it_starts(tmp_path: Path) -> None:
    own = {k: v for k, v in os.environ.items() if not k.startswith("REGISTRY_") and k != "HOME"}
    environment = {**own, "PORT": "0", "DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-u", "-m", "devhost"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert any(line.startswith(b"devhost ready ") for line in started.stdout)
        started.terminate()
