"""What the command line imports, and how it writes answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry_core.access.tokens import PASSWORD_NAMES
from slipway_cli import stores, whoami
from slipway_cli.arguments import tokens as arguments_of_tokens
from slipway_cli.command import Shaped, render
from slipway_cli.registry import server

ROOT = Path(__file__).parents[3]
SLOW = {
    "aiohttp",
    "azure",
    "cryptography",
    "jwt",
    "msal",
    "yarl",
    "email",
    "http",
    "urllib.request",
}
IMPORTED = """
import json, sys
from slipway_cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def imported(*arguments: str) -> set[str]:
    """What a command imports of what is slow to import."""
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments],
        cwd=ROOT,
        env={**os.environ, "RegistryStorage": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return SLOW & set(json.loads(ended.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        (),
        ("cost", "--help"),
        ("token", "create", "--help"),
        ("scope-map", "--help"),
        ("role-assignment", "list", "--help"),
        ("key", "rotate", "--help"),
        ("check-health", "--help"),
        ("completion", "--help"),
        ("repository", "--help"),
        ("tag", "list", "--help"),
        ("manifest", "delete", "--help"),
    ],
)
def test_help_imports_nothing_that_is_slow_to_import(arguments: tuple[str, ...]) -> None:
    assert imported(*arguments) == set()


@pytest.mark.parametrize("command", ["whoami", "admin-password"])
def test_what_needs_no_storage_imports_nothing_of_it(command: str) -> None:
    assert imported(command, "--help") <= {"email", "http", "urllib.request"}


def test_a_check_without_storage_imports_nothing_of_it() -> None:
    assert imported("check-health", "localhost:1") <= {"email", "http", "urllib.request"}


def test_commands_on_content_import_nothing_of_storage_when_they_run() -> None:
    """Nobody listens on port 9."""
    assert imported("tag", "list", "127.0.0.1:9/team/web") <= {"email", "http", "urllib.request"}


def test_what_is_slow_is_found_where_it_is_imported() -> None:
    assert {"cryptography", "email"} <= imported("token", "list")


def test_what_ends_a_cell_is_written_as_in_c_for_scripts_and_as_a_space_for_people() -> None:
    rows = [{"name": "a", "description": "one\ttwo\nthree\\n\x1b[31m", "size": None}]
    assert render(rows, "tsv") == "a\tone\\ttwo\\nthree\\\\n\\x1b[31m\t\n"
    heads, row = render(rows, "table").splitlines()
    assert heads.split() == ["NAME", "DESCRIPTION", "SIZE"]
    assert row == "a     one two three\\n"


def test_programs_get_null_an_empty_object_and_a_shape_of_their_own() -> None:
    assert json.loads(render({"size": None}, "json")) == {"size": None}
    assert json.loads(render(None, "json")) == {}
    assert json.loads(render([], "json")) == []
    shaped = Shaped([{"name": "a"}], {"names": ["a"]})
    assert json.loads(render(shaped, "json")) == {"names": ["a"]}
    assert render(shaped, "tsv") == "a\n"
    assert render(None, "table") == render(None, "tsv") == ""


def test_nobody_waits_15_seconds_for_a_message() -> None:
    """That each holds, the tests of the processes show."""
    waits = (stores.PATIENCE_SECONDS, whoami.PATIENCE_SECONDS, server.TIMEOUT_SECONDS)
    assert all(0 < seconds < 15 for seconds in waits)


def test_there_is_a_flag_for_each_password_of_a_token() -> None:
    assert arguments_of_tokens.PASSWORD_NAMES == PASSWORD_NAMES
