"""What a command names, in the spelling of docker and in that of `az acr`."""

from __future__ import annotations

import argparse

import pytest

from slipway_cli.command import UsageError
from slipway_cli.main import parser
from slipway_cli.registry import references
from slipway_cli.registry.references import Reference
from slipway_cli.registry.server import Server

DIGEST = "sha256:" + "0123456789abcdef" * 4
HOST = "registry.example.com"
SERVER = Server("https", HOST)


@pytest.fixture(autouse=True)
def no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIPWAY_REGISTRY", raising=False)


def parsed(words: str) -> argparse.Namespace:
    each = words.split()
    return parser(each[0]).parse_args(each)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HOST}/team/web", Reference(SERVER, "team/web")),
        (f"{HOST}/team/web:v1", Reference(SERVER, "team/web", "v1")),
        (f"{HOST}/web@{DIGEST}", Reference(SERVER, "web", "", DIGEST)),
        (f"{HOST}/web:v1@{DIGEST}", Reference(SERVER, "web", "v1", DIGEST)),
        (f"https://{HOST}/a/b/c:1.0", Reference(SERVER, "a/b/c", "1.0")),
        (f"{HOST.upper()}/web", Reference(SERVER, "web")),
        ("host:5000/web:v1", Reference(Server("https", "host:5000"), "web", "v1")),
        ("localhost/web", Reference(Server("http", "localhost"), "web")),
        ("localhost:5000/web:v1", Reference(Server("http", "localhost:5000"), "web", "v1")),
        ("127.0.0.1:5000/web", Reference(Server("http", "127.0.0.1:5000"), "web")),
        ("https://localhost:8443/web", Reference(Server("https", "localhost:8443"), "web")),
        ("[::1]:5000/web:v1", Reference(Server("http", "[::1]:5000"), "web", "v1")),
    ],
)
def test_a_reference_is_told_apart_as_docker_does(text: str, expected: Reference) -> None:
    assert references.parse(text, None, {}) == expected


def test_the_registry_may_stand_in_the_environment() -> None:
    environment = {"SLIPWAY_REGISTRY": f"https://{HOST}"}
    assert references.parse("team/web:v1", None, environment) == Reference(SERVER, "team/web", "v1")
    # What looks like a registry is one, whatever the environment says.
    other = references.parse("other.example.com/web", None, environment)
    assert other.server == Server("https", "other.example.com")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "team/web:v1",  # Of no registry.
        f"{HOST}/",
        f"{HOST}/Team/Web",
        f"{HOST}/web:",
        f"{HOST}/web:-v1",
        f"{HOST}/web@",
        f"{HOST}/web@sha256:abc",
        "http://registry.example.com/web",  # In plain text, to another machine.
        "http:///web",
        "ftp://localhost/web",
        f"admin:secret@{HOST}/web",
        "localhost:port/web",
        "localhost:99999/web",
        "[::1/web",
    ],
)
def test_what_is_no_reference_is_wrong_usage_and_no_secret_is_repeated(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        references.parse(text, None, {})
    assert refused.value.status == 2
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "words",
    [
        f"tag list {HOST}/team/web",
        f"tag list -r {HOST} team/web",
        f"tag list -r {HOST} {HOST}/team/web",
        f"tag list --registry https://{HOST} --repository team/web",
        f"tag list -n {HOST} --repository team/web",  # As `az acr repository show-tags`.
        f"manifest list -r {HOST} -n team/web",  # As `az acr manifest list-metadata`.
        f"manifest list -n {HOST}/team/web",
        f"repository show -n {HOST} --repository team/web",
        f"repository show --name {HOST} team/web",
    ],
)
def test_the_same_repository_can_be_named_in_the_ways_of_az(words: str) -> None:
    assert references.repository(parsed(words)) == Reference(SERVER, "team/web")


@pytest.mark.parametrize(
    "words",
    [
        f"tag delete {HOST}/team/web:v1",
        f"tag delete -n {HOST} --image team/web:v1",  # As `az acr repository untag`.
        f"tag delete -r {HOST} -t team/web:v1",
        f"tag delete -r {HOST} -n team/web:v1",
    ],
)
def test_the_same_tag_can_be_named_in_the_ways_of_az(words: str) -> None:
    assert references.tags(parsed(words)) == [Reference(SERVER, "team/web", "v1")]


def test_a_default_registry_may_be_named_by_its_first_label_as_with_az(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLIPWAY_REGISTRY", "Contoso.example.com")
    expected = Reference(Server("https", "contoso.example.com"), "team/web")
    assert references.repository(parsed("tag list -r contoso team/web")) == expected
    assert references.repository(parsed("tag list -n contoso --repository team/web")) == expected
    with pytest.raises(UsageError, match="other is no address"):
        references.repository(parsed("tag list -r other team/web"))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("tag list", "name the repository"),
        (f"tag list {HOST}/web --repository web", "once"),
        (f"tag list {HOST}/web --image web:v1", "once"),
        (f"tag list -r {HOST} -n {HOST} --repository web", "once"),
        (f"tag list {HOST}/web:v1", "alone"),
        (f"repository delete {HOST}/web@{DIGEST}", "alone"),
    ],
)
def test_what_is_named_twice_or_not_at_all_is_wrong_usage(words: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        references.repository(parsed(words))


def test_tags_and_manifests_are_of_one_repository_and_each_counts_once() -> None:
    several = f"tag delete {HOST}/web:v1 {HOST}/web:v2 {HOST}/web:v1"
    assert [each.tag for each in references.tags(parsed(several))] == ["v1", "v2"]
    for words in (f"{HOST}/web:v1 {HOST}/api:v1", f"{HOST}/web:v1 other.example.com/web:v1"):
        with pytest.raises(UsageError, match="different repositories"):
            references.tags(parsed(f"tag delete {words}"))
    for words in (f"{HOST}/web", f"{HOST}/web@{DIGEST}", f"{HOST}/web:v1@{DIGEST}"):
        with pytest.raises(UsageError, match="name a tag"):
            references.tags(parsed(f"tag delete {words}"))
    with pytest.raises(UsageError, match="a tag or a digest"):
        references.manifests(parsed(f"manifest delete {HOST}/web"))


@pytest.mark.parametrize(
    ("words", "prefix"),
    [
        (HOST, ""),
        (f"{HOST}/", ""),
        (f"{HOST}/team/", "team/"),
        (f"-r {HOST}", ""),
        (f"-n {HOST}", ""),
        (f"-r {HOST} team/w", "team/w"),
        (f"-r {HOST} my.team", "my.team"),
        (f"-r {HOST} {HOST}/team", "team"),
    ],
)
def test_a_prefix_stands_behind_the_registry_or_alone(words: str, prefix: str) -> None:
    assert references.prefix(parsed(f"repository list {words}")) == (SERVER, prefix)


def test_a_prefix_alone_is_of_the_default_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_REGISTRY", HOST)
    assert references.prefix(parsed("repository list team/")) == (SERVER, "team/")
    assert references.prefix(parsed("repository list")) == (SERVER, "")
    other = references.prefix(parsed("repository list localhost:5000"))
    assert other == (Server("http", "localhost:5000"), "")
