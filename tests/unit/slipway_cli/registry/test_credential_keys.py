"""Under which keys of a credential file a repository's credentials may lie."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from slipway_cli.registry.credential_files import CredentialFile, Found, files, keys

HOST = "registry.example.com"


def auth(username: str, password: str = "secret") -> dict[str, str]:
    return {"auth": b64encode(f"{username}:{password}".encode()).decode()}


def found(document: dict[str, Any], repository: str = "", host: str = HOST) -> Found | None:
    return CredentialFile(Path("config.json"), document).find(host, repository, [])


def username(document: dict[str, Any], repository: str = "", host: str = HOST) -> str | None:
    known = found(document, repository, host)
    return known.credential.username if known else None


def test_keys_go_from_the_repository_up_to_the_host() -> None:
    assert list(keys(HOST, "a/b")) == [f"{HOST}/a/b", f"{HOST}/a", HOST]
    assert list(keys(HOST, "")) == [HOST]


def test_the_longest_key_that_is_a_part_of_the_name_decides() -> None:
    auths = {HOST: auth("all"), f"{HOST}/team": auth("team"), f"{HOST}/team/web": auth("web")}
    document = {"auths": auths}
    assert username(document, "team/web") == "web"
    assert username(document, "team/web/x") == "web"
    assert username(document, "team/website") == "team"
    assert username(document, "teams") == "all"
    assert username(document) == "all"
    assert username(document, "team/web", "other.example.com") is None


@pytest.mark.parametrize(
    "key", [HOST, HOST.upper(), f"https://{HOST}", f"https://{HOST}/v1/", f"http://{HOST}/v2/"]
)
def test_addresses_as_docker_wrote_them_are_keys_of_the_host(key: str) -> None:
    assert username({"auths": {key: auth("all")}}, "team/web") == "all"


def test_ports_are_a_part_of_the_key() -> None:
    document = {"auths": {"localhost:5000": auth("five"), "localhost": auth("none")}}
    assert username(document, host="localhost:5000") == "five"
    assert username(document, host="localhost:6000") is None


def test_identity_tokens_and_the_user_token_are_refresh_tokens() -> None:
    identity = {"auths": {HOST: {**auth("admin", ""), "identitytoken": "refresh"}}}
    by_name = {"auths": {HOST: auth("<token>", "refresh")}}
    for document in (identity, by_name):
        known = found(document)
        assert known
        assert known.credential.is_refresh_token
        assert known.credential.secret == "refresh"
    assert username({"auths": {HOST: {"username": "a", "password": "b"}}}) == "a"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"auths": None},
        {"auths": []},
        {"auths": {HOST: {}}},  # docker leaves it where a helper has the secret.
        {"auths": {HOST: None}},
        {"auths": {HOST: {"auth": ""}}},
        {"auths": {HOST: {"auth": "not base64!"}}},
        {"auths": {HOST: {"auth": b64encode(b"no colon").decode()}}},
        {"auths": {HOST: {"auth": b64encode(b"\xff\xfe:x").decode()}}},
        {"auths": {HOST: {"auth": 7}}},
        {"auths": {HOST: {"identitytoken": ["x"]}}},
        {"credHelpers": 7, "credsStore": 7},
    ],
)
def test_a_file_that_has_nothing_to_use_has_nothing(document: dict[str, Any]) -> None:
    assert found(document, "team/web") is None


def test_a_secret_is_in_no_representation() -> None:
    known = found({"auths": {HOST: auth("admin", "hidden-secret")}})
    assert known
    assert known.credential.secret == "hidden-secret"
    assert "hidden-secret" not in repr(known)


def test_files_are_looked_at_in_the_order_of_podman_and_then_docker() -> None:
    home = {"HOME": "/home/me"}
    assert list(map(str, files(home))) == [
        "/home/me/.config/containers/auth.json",
        "/home/me/.docker/config.json",
    ]
    everything = {
        **home,
        "REGISTRY_AUTH_FILE": "/named.json",
        "XDG_RUNTIME_DIR": "/run/user/7",
        "XDG_CONFIG_HOME": "/config",
        "DOCKER_CONFIG": "/docker",
    }
    assert list(map(str, files(everything))) == [
        "/named.json",
        "/run/user/7/containers/auth.json",
        "/config/containers/auth.json",
        "/docker/config.json",
    ]
