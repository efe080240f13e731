"""As whom a command signs in: real files, real helpers, and a registry that knows them."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.parse
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devhost.processes.process import HostProcess
from tests.entra_issuer import ACR, EntraIssuer
from tests.integration.cli.conftest import ROOT, Slipway
from tests.integration.cli.shelf import Shelf

NewToken = Callable[..., str]
READING = ("content/read", "metadata/read")


def auth(username: str, password: str) -> dict[str, str]:
    return {"auth": b64encode(f"{username}:{password}".encode()).decode()}


def write(path: Path, document: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def program(folder: Path, name: str, text: str) -> None:
    """Puts a script into a folder of the PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the beginning of the PATH."""
    folder = nobody / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture(scope="module")
def web(shelf: Shelf) -> str:
    """A private repository, by its whole name."""
    shelf.image("team/web", "v1")
    return f"{shelf.netloc}/team/web"


def signed_in_as(said: str) -> str:
    (line,) = (line for line in said.splitlines() if "signing in" in line)
    return line.removeprefix("slipway: ")


def test_the_first_place_that_has_a_credential_decides(
    shelf: Shelf,
    web: str,
    new_token: NewToken,
    slipway: Slipway,
    nobody: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the last place to the first: each that is added wins over those before."""
    password = {
        name: new_token(name, "team/*", *READING)
        for name in ("by-docker", "by-config", "by-runtime", "by-file", "by-environment", "by-flag")
    }

    def keep(path: Path, name: str) -> Path:
        return write(path, {"auths": {shelf.netloc: auth(name, password[name])}})

    def who(flags: str = "") -> str:
        status, out, err = slipway(f"tag list {web} --verbose {flags}")
        assert all(secret not in out + err for secret in password.values())
        told = signed_in_as(err)
        assert status == (4 if told.startswith("not") else 0)
        return told

    assert who() == "not signing in: no credentials found"
    path = keep(nobody / ".docker" / "config.json", "by-docker")
    assert who() == f"signing in as by-docker (found by {path})"
    path = keep(nobody / ".config" / "containers" / "auth.json", "by-config")
    assert who() == f"signing in as by-config (found by {path})"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(nobody / "run"))
    path = keep(nobody / "run" / "containers" / "auth.json", "by-runtime")
    assert who() == f"signing in as by-runtime (found by {path})"
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(nobody / "named.json"))
    assert "by-runtime" in who()  # The file is not there.
    path = keep(nobody / "named.json", "by-file")
    assert who() == f"signing in as by-file (found by {path})"
    monkeypatch.setenv("SLIPWAY_USERNAME", "by-environment")
    monkeypatch.setenv("SLIPWAY_PASSWORD", password["by-environment"])
    assert who() == "signing in as by-environment (found by SLIPWAY_USERNAME)"
    (nobody / "password").write_text(f"{password['by-flag']}\n")
    with (nobody / "password").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        told = who("--username by-flag --password-stdin")
    assert told == "signing in as by-flag (found by --username)"


def test_in_a_file_the_hosts_helper_comes_first_then_that_for_all_then_what_lies_there(
    shelf: Shelf, web: str, new_token: NewToken, slipway: Slipway, nobody: Path, programs: Path
) -> None:
    secrets = {
        name: new_token(name, "team/*", *READING) for name in ("helped", "stored", "laid-down")
    }

    def helper(suffix: str, name: str) -> None:
        """Knows the registry alone, as it is asked: by `get` and the host."""
        answer = json.dumps({"ServerURL": "x", "Username": name, "Secret": secrets[name]})
        program(
            programs,
            f"docker-credential-{suffix}",
            f'[ "$1" = get ] && [ "$(cat)" = "{shelf.netloc}" ] && exec echo \'{answer}\'\n'
            'echo "credentials not found in native keychain"; exit 1',
        )

    helper("own", "helped")
    helper("all", "stored")
    document: dict[str, Any] = {
        "credHelpers": {shelf.netloc: "own", "other.example.com": "broken"},
        "credsStore": "all",
        "auths": {shelf.netloc: auth("laid-down", secrets["laid-down"])},
    }
    for name, key in (("helped", "credHelpers"), ("stored", "credsStore"), ("laid-down", "auths")):
        write(nobody / ".docker" / "config.json", document)
        status, _, err = slipway(f"tag list {web} --verbose")
        assert status == 0, err
        assert signed_in_as(err).startswith(f"signing in as {name} (found by ")
        del document[key]


def test_a_helper_that_knows_nothing_leads_on_to_the_next_file(
    shelf: Shelf, web: str, new_token: NewToken, slipway: Slipway, nobody: Path, programs: Path
) -> None:
    program(programs, "docker-credential-empty", "echo credentials not found; exit 1")
    write(nobody / ".config" / "containers" / "auth.json", {"credsStore": "empty"})
    password = new_token("next-file", "team/web", *READING)
    document = {"auths": {shelf.netloc: auth("next-file", password)}}
    write(nobody / ".docker" / "config.json", document)
    status, _, err = slipway(f"tag list {web} --verbose")
    assert status == 0
    assert "signing in as next-file" in err


@pytest.mark.parametrize(
    ("script", "note"),
    [
        ("", "docker-credential-theirs is not installed"),
        ("echo 'locked: super-secret' >&2; exit 3", "docker-credential-theirs ended with status 3"),
        ("echo super-secret", "answer of the credential helper docker-credential-theirs cannot"),
        ("echo '[\"super-secret\"]'", "answer of the credential helper docker-credential-theirs"),
    ],
)
def test_a_helper_that_does_not_work_breaks_no_anonymous_read_and_is_told_of(
    shelf: Shelf,
    web: str,
    slipway: Slipway,
    nobody: Path,
    programs: Path,
    script: str,
    note: str,
) -> None:
    shelf.image("public/web", "v1")
    write(nobody / ".docker" / "config.json", {"credsStore": "theirs"})
    if script:
        program(programs, "docker-credential-theirs", script)
    status, out, err = slipway(f"tag list {shelf.netloc}/public/web -o tsv")
    assert (status, err) == (0, "")
    assert out.startswith("v1\t")
    status, _, err = slipway(f"tag list {shelf.netloc}/public/web --verbose")
    assert status == 0
    assert note in err
    status, out, err = slipway(f"tag list {web}")
    assert (status, out) == (4, "")
    assert note in err
    assert "super-secret" not in err


@pytest.mark.parametrize("content", ["{", "[]", '{"auths": 7}', "\udcff"])
def test_a_file_that_cannot_be_read_breaks_no_anonymous_read(
    shelf: Shelf, slipway: Slipway, nobody: Path, content: str
) -> None:
    shelf.image("public/web", "v1")
    path = nobody / ".docker" / "config.json"
    path.parent.mkdir()
    path.write_bytes(content.encode(errors="surrogateescape"))
    assert slipway(f"tag list {shelf.netloc}/public/web")[0] == 0


def test_credentials_of_repositories_are_told_apart_by_the_longest_key(
    shelf: Shelf, new_token: NewToken, slipway: Slipway, nobody: Path
) -> None:
    """As podman keeps them; each token may see its own repository alone."""
    auths = {}
    for team in ("red", "blue"):
        shelf.image(f"{team}/web", "v1")
        auths[f"{shelf.netloc}/{team}"] = auth(team * 2, new_token(team * 2, f"{team}/*", *READING))
    write(nobody / ".config" / "containers" / "auth.json", {"auths": auths})
    for team in ("red", "blue"):
        assert slipway(f"tag list {shelf.netloc}/{team}/web")[0] == 0
    assert slipway(f"repository list {shelf.netloc}")[0] == 4


def test_a_repository_scoped_token_does_what_its_scope_map_allows_and_no_more(
    shelf: Shelf,
    new_token: NewToken,
    slipway: Slipway,
    nobody: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without storage: the environment names none."""
    assert not [name for name in os.environ if name.startswith("RegistryStorage")]
    repository = f"{shelf.netloc}/scoped/web"
    shelf.image("scoped/web", "v1")
    shelf.image("scoped/other", "v1")
    monkeypatch.setenv("SLIPWAY_USERNAME", "scoped-reader")
    password = new_token("scoped-reader", "scoped/web", *READING)
    monkeypatch.setenv("SLIPWAY_PASSWORD", password)
    for allowed in (
        f"repository show {repository}",
        f"tag list {repository}",
        f"manifest list {repository}",
        f"manifest show {repository}:v1 -o json",
        f"manifest tree {repository}:v1",
    ):
        assert slipway(allowed)[0] == 0, allowed
    for refused, lacks in (
        (f"repository list {shelf.netloc}", "the right to list the registry's repositories"),
        (f"tag delete {repository}:v1 --yes", "This needs delete in scoped/web"),
        (f"tag lock {repository}:v1", "metadata_write"),
        (f"manifest delete {repository}:v1 --yes", "This needs delete in scoped/web"),
        (f"repository delete {repository} --yes", "delete"),
        (f"tag list {shelf.netloc}/scoped/other", "This needs metadata_read in scoped/other"),
    ):
        status, out, err = slipway(refused)
        assert (status, out) == (4, ""), refused
        assert "UNAUTHORIZED" in err
        assert lacks in err
        assert "signed in as scoped-reader (found by SLIPWAY_USERNAME)" in err
        assert password not in err
    assert shelf.tags("scoped/web") == ["v1"]
    # Who may read the metadata alone sees the manifest's, but not what it says.
    monkeypatch.setenv("SLIPWAY_USERNAME", "metadata-only")
    password = new_token("metadata-only", "scoped/web", "metadata/read")
    monkeypatch.setenv("SLIPWAY_PASSWORD", password)
    status, out, err = slipway(f"manifest show {repository}:v1 -o json")
    assert status == 0
    assert json.loads(out)["manifest"] is None
    assert "left out" in err


def test_a_wrong_password_is_status_4_and_the_way_to_sign_in(
    web: str, shelf: Shelf, slipway: Slipway, nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_USERNAME", "admin")
    monkeypatch.setenv("SLIPWAY_PASSWORD", "wrong-wrong-wrong")
    status, out, err = slipway(f"tag list {web}")
    assert (status, out) == (4, "")
    assert f"docker login {shelf.netloc}" in err
    assert "wrong-wrong" not in err


@pytest.mark.parametrize(
    ("environment", "flags", "reason"),
    [
        ({"SLIPWAY_USERNAME": "a"}, "", "SLIPWAY_PASSWORD is not set"),
        ({"SLIPWAY_PASSWORD": "b"}, "", "SLIPWAY_USERNAME is not set"),
        ({}, "--password-stdin", "use --username as well"),
        ({}, "--username a", "use --password-stdin"),
    ],
)
def test_half_a_credential_is_wrong_usage(
    web: str,
    slipway: Slipway,
    nobody: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    flags: str,
    reason: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with Path(os.devnull).open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        status, _, err = slipway(f"tag list {web} {flags}")
    assert status == 2
    assert reason in err


# Entra ID.


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EntraIssuer]:
    with EntraIssuer(tmp_path_factory.mktemp("certificates")) as started:
        yield started


@pytest.fixture(scope="module")
def entra(served_storage: str, issuer: EntraIssuer, shelf: Shelf, web: str) -> Iterator[str]:
    """The same registry with Entra ID: its address."""
    settings = {
        "RegistryStorage": served_storage,
        "REGISTRY_ENTRA_TENANT_ID": issuer.tenant,
        "REGISTRY_ENTRA_AUTHORITY": issuer.url,
        "SSL_CERT_FILE": str(issuer.ca_file),
    }
    with HostProcess(ROOT, settings) as host:
        yield host.base_url.removeprefix("http://")


@pytest.fixture
def somebody(served_storage: str, slipway: Slipway, monkeypatch: pytest.MonkeyPatch) -> str:
    """The object id of somebody who may pull."""
    object_id = str(uuid.uuid4())
    with monkeypatch.context() as patched:
        patched.setenv("RegistryStorage", served_storage)
        assign = f"role-assignment create --assignee {object_id} --role AcrPull --repository *"
        assert slipway(assign)[0] == 0
    return object_id


def az(folder: Path, token: str) -> Path:
    """Stands in for `az`, which can't sign in here; answers where it notes what it was asked."""
    document = {"accessToken": token, "expires_on": int(time.time()) + 3600, "tokenType": "Bearer"}
    program(folder, "az", f"echo \"$@\" >> {folder}/asked\necho '{json.dumps(document)}'")
    return folder / "asked"


def test_the_sign_in_of_az_is_exchanged_where_nothing_else_is_found(
    entra: str,
    issuer: EntraIssuer,
    somebody: str,
    slipway: Slipway,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = az(programs, issuer.token(somebody))
    monkeypatch.setenv("SLIPWAY_REGISTRY", entra)
    status, out, err = slipway("tag list team/web -o tsv --verbose")
    assert status == 0, err
    assert out.startswith("v1\t")
    assert "found by the sign-in of az" in err
    assert f"--resource {ACR}" in asked.read_text()
    status, _, err = slipway("tag delete team/web:v1 --yes")
    assert status == 4
    assert "found by the sign-in of az" in err


def test_the_token_of_az_goes_to_no_registry_but_the_own(
    entra: str,
    issuer: EntraIssuer,
    somebody: str,
    slipway: Slipway,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would be good for every registry of whoever sends it."""
    asked = az(programs, issuer.token(somebody))
    for own in ("", "registry.example.com"):
        monkeypatch.setenv("SLIPWAY_REGISTRY", own)
        status, _, err = slipway(f"tag list {entra}/team/web")
        assert status == 4
        assert "only for the registry in SLIPWAY_REGISTRY" in err
    assert not asked.exists()


@pytest.mark.parametrize(
    ("script", "note"),
    [
        ("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1", "az login"),
        ("echo nonsense", "az gives no token"),
    ],
)
def test_az_without_a_sign_in_is_nobody_and_said(
    entra: str,
    slipway: Slipway,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    note: str,
) -> None:
    program(programs, "az", script)
    monkeypatch.setenv("SLIPWAY_REGISTRY", entra)
    status, _, err = slipway("tag list team/web")
    assert status == 4
    assert note in err


def test_a_token_of_az_that_the_registry_does_not_take_is_nobody_and_said(
    shelf: Shelf,
    web: str,
    issuer: EntraIssuer,
    slipway: Slipway,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A registry without Entra ID."""
    token = issuer.token(str(uuid.uuid4()))
    az(programs, token)
    shelf.image("public/web", "v1")
    monkeypatch.setenv("SLIPWAY_REGISTRY", shelf.netloc)
    assert slipway("tag list public/web")[0] == 0
    status, _, err = slipway("tag list team/web")
    assert status == 4
    assert "did not take the sign-in of az" in err
    assert token not in err


def test_an_identity_token_as_docker_keeps_it_signs_in(
    entra: str, issuer: EntraIssuer, somebody: str, slipway: Slipway, nobody: Path
) -> None:
    """What `az acr login` and `docker login` leave."""
    form = {"grant_type": "access_token", "access_token": issuer.token(somebody)}
    connection = http.client.HTTPConnection(entra, timeout=60)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/oauth2/exchange", urllib.parse.urlencode(form), kind)
    refresh_token = json.load(connection.getresponse())["refresh_token"]
    connection.close()
    null = "00000000-0000-0000-0000-000000000000"
    for entry in (
        {**auth(null, ""), "identitytoken": refresh_token},
        auth("<token>", refresh_token),
        auth(null, refresh_token),
    ):
        write(nobody / ".docker" / "config.json", {"auths": {entra: entry}})
        status, _, err = slipway(f"tag list {entra}/team/web")
        assert status == 0, err
