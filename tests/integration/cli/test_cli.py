"""The command line, on a storage account of its own: each command, as a person types it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from devhost.processes.azurite import Azurite
from registry_core.access import store
from registry_core.access.store import Access
from registry_core.access.tokens import new_password
from registry_core.model.roles import SYSTEM_SCOPE_MAPS
from registry_core.settings import StorageSettings
from registry_core.storage.cache import Cache
from registry_core.storage.calls import CallHook
from registry_core.storage.connection import Connection
from slipway_cli import tokens
from slipway_cli.command import CommandError
from slipway_cli.main import main

ROOT = Path(__file__).parents[3]
SOMEBODY = str(uuid.UUID(int=7))


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RegistryStorage", azurite.connection_string)


@pytest.fixture
def name() -> str:
    return f"token-{uuid.uuid4().hex[:8]}"


Run = Callable[..., Any]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that succeeds; answers what it says to programs."""

    def call(*arguments: str) -> Any:
        assert main([*arguments, "--output", "json"]) == 0, capsys.readouterr().err
        text = capsys.readouterr().out
        return json.loads(text) if text else None

    return call


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that fails; answers the one line that says why."""

    def call(*arguments: str, status: int = 1) -> str:
        assert main(arguments) == status
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("slipway: ")
        assert said.err.count("\n") == 1
        return said.err

    return call


def stored(azurite: Azurite) -> str:
    """All that the table holds, as text."""

    async def read() -> str:
        connection = Connection(StorageSettings(azurite.connection_string), CallHook())
        table = connection.table(store.TABLE)
        rows = [
            str(row) for name in ("tokens", "roles") for row in await table.query(name, " ", "~")
        ]
        await connection.close()
        return "\n".join(rows)

    return asyncio.run(read())


def is_right(azurite: Azurite, name: str, password: str) -> bool:
    """Whether the registry would take the password, in a year's time too."""

    async def read() -> bool:
        connection = Connection(StorageSettings(azurite.connection_string), CallHook())
        token = await Access(connection, Cache(timedelta(0))).token(name)
        await connection.close()
        assert token
        now = datetime.now(UTC) + timedelta(days=365)
        return token.enabled and any(each.is_right(password, now) for each in token.passwords)

    return asyncio.run(read())


def create(run: Run, name: str, *more: str) -> list[str]:
    """A token's passwords."""
    made = run("token", "create", "--name", name, "--repository", "team/web", "content/read", *more)
    return [each["value"] for each in made["credentials"]["passwords"]]


def test_a_new_tokens_passwords_are_shown_once_and_kept_as_hashes(
    azurite: Azurite, run: Run, name: str
) -> None:
    passwords = create(run, name)
    assert len(set(passwords)) == 2
    assert all(is_right(azurite, name, password) for password in passwords)
    shown = json.dumps([run("token", "show", "--name", name), run("token", "list")])
    for password in passwords:
        assert password not in shown
        assert password not in stored(azurite)


def test_a_new_token_comes_with_the_command_that_signs_in(
    capsys: pytest.CaptureFixture[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_LOGIN_SERVERS", "registry.example.com")
    assert main(["token", "create", "-n", name, "--scope-map", "_repositories_pull"]) == 0
    said = capsys.readouterr()
    assert f"docker login registry.example.com -u {name} --password-stdin" in said.err
    head, *rows = said.out.splitlines()
    assert head.split() == ["USERNAME", "NAME", "VALUE", "CREATED", "EXPIRY"]
    assert len(rows) == 2


def test_the_command_that_signs_in_names_an_address_only_where_it_is_known(
    capsys: pytest.CaptureFixture[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGISTRY_LOGIN_SERVERS", raising=False)
    make = ("token", "create", "--scope-map", "_repositories_pull", "-n")
    for number, (flags, named) in enumerate(
        (
            ((), "<registry>"),
            (("-r", "prod"), "<registry>"),
            (("--registry", "https://prod.example.com/"), "prod.example.com"),
        )
    ):
        assert main([*make, f"{name}-{number}", *flags]) == 0
        assert f"docker login {named} -u" in capsys.readouterr().err


def test_a_registry_that_is_not_the_one_of_the_settings_is_refused_before_a_change(
    run: Run, refused: Callable[..., str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(run, name)
    monkeypatch.setenv("REGISTRY_LOGIN_SERVERS", "test.example.com,localhost:7071")
    delete = ("token", "delete", "-n", name, "--yes", "-r")
    assert "names another registry, test.example.com" in refused(*delete, "prod")
    for known in ("test", "TEST.example.com", "localhost:7071"):
        assert run("token", "show", "-n", name, "-r", known)["name"] == name
    run(*delete, "test")


@pytest.mark.parametrize(
    "command",
    [
        "token list",
        "scope-map list",
        "role-assignment list",
        "key list",
        "admin-password generate",
    ],
)
def test_the_registry_may_be_named_as_for_az(run: Run, command: str) -> None:
    run(*command.split(), "-r", "myregistry")


def expiries(run: Run, name: str) -> dict[str, str | None]:
    """When each of a token's passwords ends."""
    passwords = run("token", "show", "--name", name)["credentials"]["passwords"]
    return {each["name"]: each["expiry"] for each in passwords}


def days_left(time: str | None) -> int:
    assert time
    return round((datetime.fromisoformat(time) - datetime.now(UTC)) / timedelta(days=1))


def test_a_password_ends_when_it_is_said_to(azurite: Azurite, run: Run, name: str) -> None:
    for password in create(run, name, "--expiration-in-days", "30"):
        assert not is_right(azurite, name, password)
    renew = ("token", "renew", "--name", name, "--password2", "--expiration", "never")
    (made,) = run(*renew)["passwords"]
    assert is_right(azurite, name, made["value"])
    ends = expiries(run, name)
    assert days_left(ends["password1"]) == 30
    assert ends["password2"] is None


def test_a_renewed_password_ends_as_it_was_asked_for_the_old_one(run: Run, name: str) -> None:
    create(run, name, "--expiration", "2090-01-31T00:00:00Z")
    run("token", "renew", "--name", name, "--password1", "--expiration-in-days", "90")
    run("token", "renew", "--name", name)
    ends = expiries(run, name)
    assert days_left(ends["password1"]) == 90
    assert ends["password2"] == "2090-01-31T00:00:00Z"


def test_days_count_from_the_renewal_and_a_time_that_has_passed_is_asked_for_anew() -> None:
    now = datetime.now(UTC)
    old, _ = new_password("password1", now - timedelta(days=60), now - timedelta(days=90))
    assert tokens.end_as_before(old, now) == now + timedelta(days=30)
    old, _ = new_password("password1", now - timedelta(hours=1), now - timedelta(days=90))
    with pytest.raises(CommandError, match="--expiration-in-days"):
        tokens.end_as_before(old, now)


def test_a_new_token_has_the_shape_that_az_prints(run: Run, name: str) -> None:
    """`az acr token create`, of azure-cli's documentation; what only Azure has is null."""
    made = run("token", "create", "-n", name, "--scope-map", "_repositories_pull")
    first, second = made["credentials"].pop("passwords")
    assert set(first) == set(second) == {"creationTime", "expiry", "name", "value"}
    assert (first["name"], first["expiry"], second["name"]) == ("password1", None, "password2")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made.pop("creationDate"))
    assert made == {
        "credentials": {"certificates": [], "username": name},
        "id": None,
        "name": name,
        "objectId": None,
        "provisioningState": "Succeeded",
        "resourceGroup": None,
        "scopeMapId": "_repositories_pull",
        "status": "enabled",
        "type": "Microsoft.ContainerRegistry/registries/tokens",
    }
    renewed = run("token", "credential", "generate", "-n", name)
    assert renewed["username"] == name
    assert [each["name"] for each in renewed["passwords"]] == ["password1", "password2"]


def test_what_is_not_there_is_null_for_programs_and_a_deletion_an_empty_object(
    run: Run, name: str
) -> None:
    made = run("scope-map", "create", "--name", name, "--repository", "a", "content/read")
    assert made["description"] is None
    assert run("scope-map", "show", "--name", "_repositories_pull")["created"] is None
    assert run("scope-map", "delete", "--name", name, "--yes") == {}
    role = ("--assignee", str(uuid.uuid4()), "--role", "AcrPull")
    (assigned,) = run("role-assignment", "create", *role)
    assert assigned["description"] is None
    assert run("role-assignment", "delete", *role) == {}


def test_renewing_replaces_one_password_and_deleting_takes_it(
    azurite: Azurite, run: Run, name: str
) -> None:
    first, second = create(run, name)
    generate = ("token", "credential", "generate", "--name", name, "--password1")
    (renewed,) = run(*generate)["passwords"]
    right = [is_right(azurite, name, each) for each in (first, second, renewed["value"])]
    assert right == [False, True, True]
    left = run("token", "credential", "delete", "--name", name, "--password1")
    assert [each["name"] for each in left["credentials"]["passwords"]] == ["password2"]
    right = [is_right(azurite, name, each) for each in (second, renewed["value"])]
    assert right == [True, False]


def test_a_token_can_be_disabled_enabled_and_given_another_scope_map(
    azurite: Azurite, run: Run, name: str
) -> None:
    password, _ = create(run, name)
    assert run("token", "update", "--name", name, "--status", "disabled")["status"] == "disabled"
    assert not is_right(azurite, name, password)
    run("token", "update", "--name", name, "--status", "enabled")
    assert is_right(azurite, name, password)
    changed = run("token", "update", "--name", name, "--scope-map", "_repositories_push")
    assert changed["scopeMapId"] == "_repositories_push"


def test_a_deleted_token_takes_the_scope_map_that_was_made_for_it_along(
    run: Run, refused: Callable[..., str], name: str
) -> None:
    create(run, name)
    scope_map = f"{name}-scope-map"
    assert name in refused("scope-map", "delete", "--name", scope_map, "--yes")
    question = refused("token", "delete", "--name", name, status=2)
    assert f"and its scope map {scope_map}" in question
    assert run("token", "delete", "--name", name, "--yes") == {}
    assert "does not exist" in refused("token", "show", "--name", name)
    assert "does not exist" in refused("scope-map", "show", "--name", scope_map)
    create(run, name)


def test_a_deleted_token_leaves_a_scope_map_that_others_use_or_that_was_made_by_itself(
    run: Run, name: str
) -> None:
    create(run, name)
    run("token", "create", "--name", f"{name}-2", "--scope-map", f"{name}-scope-map")
    run("token", "delete", "--name", name, "--yes")
    assert run("scope-map", "show", "--name", f"{name}-scope-map")
    own = f"{name}-own"
    run("scope-map", "create", "--name", own, "--repository", "a", "content/read")
    run("token", "create", "--name", f"{name}-3", "--scope-map", own)
    run("token", "delete", "--name", f"{name}-3", "--yes")
    assert run("scope-map", "show", "--name", own)


def test_a_scope_map_is_changed_by_adding_and_taking(run: Run, name: str) -> None:
    made = run(
        *("scope-map", "create", "--name", name, "--description", "for the web"),
        *("--repository", "team/web", "content/read", "content/write"),
        *("--repository", "team/*", "metadata/read"),
    )
    assert made["actions"] == [
        "repositories/team/web/content/read",
        "repositories/team/web/content/write",
        "repositories/team/*/metadata/read",
    ]
    changed = run(
        *("scope-map", "update", "--name", name),
        *("--add-repository", "*", "content/read"),
        *("--remove-repository", "team/web", "content/write", "content/read"),
    )
    assert changed["actions"] == [
        "repositories/team/*/metadata/read",
        "repositories/*/content/read",
    ]
    assert changed["description"] == "for the web"
    listed = {each["name"]: each["type"] for each in run("scope-map", "list")}
    assert listed[name] == "UserDefined"
    assert {each for each, kind in listed.items() if kind == "SystemDefined"} == set(
        SYSTEM_SCOPE_MAPS
    )


def test_roles_are_assigned_listed_and_taken_away(run: Run, refused: Callable[..., str]) -> None:
    make = ("role-assignment", "create", "--assignee", SOMEBODY.upper(), "--role", "acrpush")
    made = run(*make, "--repository", "team/*", "--repository", "docs")
    assert [(each["assignee"], each["role"], each["repository"]) for each in made] == [
        (SOMEBODY, "AcrPush", "docs"),
        (SOMEBODY, "AcrPush", "team/*"),
    ]
    assert len(run("role-assignment", "list", "--assignee", SOMEBODY)) == 2
    assert run("role-assignment", "list", "--role", "Owner") == []
    take = ("role-assignment", "delete", "--assignee", SOMEBODY, "--role", "AcrPush")
    run(*take, "--repository", "docs")
    assert "not assigned" in refused(*take, "--repository", "docs")
    (left,) = run("role-assignment", "list", "--assignee", SOMEBODY)
    assert left["repository"] == "team/*"


def test_keys_are_listed_and_rotated_without_telling_them(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run("key", "rotate", "--force")
    second = run("key", "rotate", "--force")
    assert len(second) == len(first) + 1
    assert main(["key", "rotate"]) == 0
    said = capsys.readouterr()
    assert "not 30 days old" in said.err
    assert "PRIVATE" not in said.out + json.dumps(second)


def test_an_admin_password_is_printed_with_the_command_that_sets_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RegistryStorage")
    assert main(["admin-password", "generate", "--name", "password2", "-o", "tsv"]) == 0
    said = capsys.readouterr()
    setting, password = said.out.split()
    assert setting == "REGISTRY_ADMIN_PASSWORD2"
    assert len(password) >= 40
    assert "az functionapp config appsettings set" in said.err
    assert password not in said.err


def test_the_commands_that_set_the_two_admin_passwords_touch_neither_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = []
    for name in ("password", "password2"):
        assert main(["admin-password", "generate", "--name", name]) == 0
        said.append(
            set(re.findall(r"\w*(?:ADMIN_PASSWORD|adminPassword)\w*", capsys.readouterr().err))
        )
    assert said == [{"REGISTRY_ADMIN_PASSWORD"}, {"REGISTRY_ADMIN_PASSWORD2"}]


REFUSED = {
    "a short name": ("token", "create", "--name", "ci", "--scope-map", "_repositories_pull"),
    "a systems name": (
        "scope-map",
        "create",
        "--name",
        "_mine5",
        "--repository",
        "a",
        "content/read",
    ),
    "no action": ("scope-map", "create", "--name", "mine5", "--repository", "a"),
    "an unknown action": ("scope-map", "create", "--name", "mine5", "--repository", "a", "fly"),
    "a repository that is none": (
        *("scope-map", "create", "--name", "mine5", "--repository", "A", "content/read"),
    ),
    "a scope map that is missing": ("token", "create", "--name", "mine5", "--scope-map", "none5"),
    "a token that is missing": ("token", "update", "--name", "none5", "--status", "disabled"),
    "nothing to change": ("token", "update", "--name", "none5"),
    "the systems scope map": ("scope-map", "delete", "--name", "_repositories_pull", "--yes"),
    "a role that is none": (
        *("role-assignment", "create", "--assignee", SOMEBODY, "--role", "Reader"),
    ),
    "an assignee that is no id": (
        *("role-assignment", "create", "--assignee", "jo", "--role", "AcrPull"),
    ),
    "a pattern that is none": (
        *("role-assignment", "create", "--assignee", SOMEBODY, "--role", "AcrPull"),
        *("--repository", "a*"),
    ),
    "an end that is past": (
        *("token", "create", "--name", "mine5", "--scope-map", "_repositories_pull"),
        *("--expiration", "2020-01-01T00:00:00Z"),
    ),
    "an end that is no time": (
        *("token", "create", "--name", "mine5", "--scope-map", "_repositories_pull"),
        *("--expiration", "soon"),
    ),
    "no days": (
        *("token", "create", "--name", "mine5", "--scope-map", "_repositories_pull"),
        *("--expiration-in-days", "0"),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_done_is_said_in_a_line(refused: Callable[..., str], what: str) -> None:
    assert len(refused(*REFUSED[what])) > 20


def test_nothing_is_deleted_unasked(
    run: Run, refused: Callable[..., str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(run, name)
    with Path(os.devnull).open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert "--yes" in refused("token", "delete", "--name", name, status=2)
    assert run("token", "show", "--name", name)


def test_storage_that_cannot_be_reached_is_said_in_a_line(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = (
        "AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;"
        "TableEndpoint=http://127.0.0.1:9/a"
    )
    monkeypatch.setenv("RegistryStorage", nowhere)
    assert "Storage Table Data Contributor" in refused("token", "list")
    make = ("role-assignment", "create", "--assignee", SOMEBODY, "--role", "AcrPull")
    assert "may or may not be done" in refused(*make)
    monkeypatch.setenv("RegistryStorage", "")
    assert "RegistryStorage__accountName" in refused("token", "list")
    monkeypatch.setenv("RegistryStorage", "AccountName=a;AccountKey=not the whole k")
    assert "AccountKey is not base64" in refused("token", "list")


def process(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(ROOT / "slipway"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_two_who_make_the_same_token_at_once_one_is_told(name: str) -> None:
    arguments = ("token", "create", "--name", name, "--scope-map", "_repositories_pull")
    both = [process(*arguments) for _ in range(2)]
    outcomes = [each.communicate() for each in both]
    assert sorted(each.returncode for each in both) == [0, 1], outcomes
    (loser,) = [err for each, (_, err) in zip(both, outcomes, strict=True) if each.returncode]
    assert f"the token {name} already exists" in loser


def test_who_is_not_signed_in_is_told_how_to(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RegistryStorage", "")
    monkeypatch.setenv("RegistryStorage__accountName", "nobodys")
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    assert "az login" in refused("token", "list")
    assert "az login" in refused("key", "list")


def test_who_has_no_role_is_told_which(
    azurite: Azurite, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = re.sub("AccountKey=[^;]*", "AccountKey=a2V5", azurite.connection_string)
    monkeypatch.setenv("RegistryStorage", wrong)
    assert "Storage Table Data Contributor" in refused("token", "list")
    assert "Storage Blob Data Contributor" in refused("key", "list")


def test_the_command_says_which_packages_it_lacks(tmp_path: Path) -> None:
    """As in a clone where nothing was set up, on a Python that has nothing."""
    (tmp_path / "slipway").write_text((ROOT / "slipway").read_text())
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    (bare / "python3").chmod(0o755)
    ended = subprocess.run(
        ["sh", tmp_path / "slipway", "--help"],
        env={"PATH": f"{bare}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "pip install -r" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        "",
        "token",
        "token create",
        "scope-map update",
        "role-assignment create",
        "key",
        "whoami",
        "check-health",
        "completion",
    ],
)
def test_everything_explains_itself(command: str) -> None:
    words = [sys.executable, "-m", "slipway_cli", *command.split(), "--help"]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.startswith("usage: slipway")
    if " " in command or command in ("whoami", "check-health", "completion"):
        assert "example:\n  slipway " in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("token", "create"), "--name"),
        (("cost", "--pulls", "many"), "argument --pulls: invalid number value: 'many'"),
        (("cost", "--regions", "0"), "argument --regions: use a number from 1"),
        (("tokens",), "invalid choice: 'tokens'"),
        ((), "COMMAND"),
    ],
)
def test_arguments_that_are_none_end_with_2_and_a_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert error.endswith(" --help\n")


class TokenEndpoint(BaseHTTPRequestHandler):
    """Answers one password with a token."""

    def do_GET(self) -> None:
        right = self.headers["Authorization"] == "Basic Y2ktd2ViOnJpZ2h0"
        if "nonsense" in self.path:
            error = {"code": "UNSUPPORTED", "message": "a scope is resource:name:actions"}
            self.answer(400, json.dumps({"errors": [error]}).encode())
            return
        claims = {
            "name": "ci-web",
            "kind": "token",
            "sub": "ci-web",
            "exp": 1893456000,
            "access": [{"type": "repository", "name": "team/web", "actions": ["pull"]}],
        }
        payload = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        body = json.dumps({"access_token": f"x.{payload}.y"}).encode() if right else b"{}"
        self.answer(200 if right else 401, body)

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_whoami_tells_what_the_registry_says(
    run: Run, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = HTTPServer(("127.0.0.1", 0), TokenEndpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    arguments = ("whoami", "--server", f"http://127.0.0.1:{server.server_port}", "-u", "ci-web")
    try:
        for password, works in (("right", True), ("wrong", False)):
            (tmp_path / "password").write_text(f"{password}\n")
            with (tmp_path / "password").open() as stdin:
                monkeypatch.setattr("sys.stdin", stdin)
                if works:
                    found = run(*arguments, "--password-stdin")
                    assert found["access"] == ["repository:team/web:pull"]
                    assert found["expires"] == "2030-01-01T00:00:00Z"
                else:
                    assert "does not know" in refused(*arguments, "--password-stdin")
                    nonsense = ("--scope", "nonsense", "--password-stdin")
                    assert "a scope is resource:name" in refused(*arguments, *nonsense)
    finally:
        server.shutdown()
        server.server_close()
    nearby = f"localhost:{server.server_port}"
    assert f"http://{nearby} or https://{nearby}" in refused("whoami", "-r", nearby, "-u", "ci-web")
    with Path(os.devnull).open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert "--password-stdin" in refused(*arguments, status=2)
        assert "cannot be reached" in refused(*arguments, "--password-stdin")
