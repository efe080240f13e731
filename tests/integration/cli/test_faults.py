"""What commands do when the registry is busy, breaks off, lies, or is none."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devhost.cert import CertificateDirectory
from devhost.processes.process import HostProcess
from slipway_cli.content import repositories
from slipway_cli.registry.client import MAX_TRIES
from tests.integration.cli.between import Between, Harm, Reply, Request
from tests.integration.cli.conftest import ROOT, Slipway
from tests.integration.cli.shelf import Shelf

pytestmark = pytest.mark.usefixtures("admin")
BUSY = Reply(503, b'{"errors":[{"code":"UNAVAILABLE","message":"busy"}]}', {"retry-after": "0"})


@pytest.fixture
def name(between: Between) -> str:
    return f"team-{uuid.uuid4().hex[:8]}/web"


@pytest.fixture
def between(shelf: Shelf, admin: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    """Between the commands and the registry."""
    with Between(shelf.netloc) as running:
        monkeypatch.setenv("SLIPWAY_REGISTRY", running.netloc)
        yield running


def first(times: int, method: str, path: str, reply: Reply) -> Harm:
    """The first requests of a kind are answered otherwise, and not handed on."""
    left = times

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        nonlocal left
        if left and request[0] == method and path in request[1]:
            left -= 1
            return reply
        return ask()

    return harm


def changed(path: str, change: Callable[[Any], Any]) -> Harm:
    """The document of an answer is another one."""

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        reply = ask()
        if path not in request[1] or reply.status != 200:
            return reply
        return reply.but(body=json.dumps(change(json.loads(reply.body))).encode())

    return harm


def test_what_stands_between_alone_does_no_harm(
    between: Between, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    shelf.image(name, "v1")
    assert slipway(f"tag list {name}")[0] == 0
    assert between.asked[0] == ("GET", "/v2/", "")


# A registry that is busy.


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize("path", ["/_tags", "/oauth2/token"])
def test_what_is_busy_is_asked_again_as_often_as_that_may_help(
    between: Between, shelf: Shelf, slipway: Slipway, name: str, status: int, path: str
) -> None:
    shelf.image(name, "v1")
    between.harm = first(MAX_TRIES - 1, "GET", path, BUSY.but(status=status))
    code, out, err = slipway(f"tag list {name} -o tsv")
    assert code == 0
    assert out.startswith("v1\t")
    assert err.count("UNAVAILABLE: busy - trying again in 0 s") == MAX_TRIES - 1
    between.harm = first(MAX_TRIES, "GET", path, BUSY.but(status=status))
    code, out, err = slipway(f"tag list {name} -o tsv")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == "slipway: UNAVAILABLE: busy"


def test_a_repository_whose_deletion_has_to_be_asked_for_again_is_deleted_by_one_command(
    between: Between, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    """The registry deletes a part each time, and says that it had no time for the rest."""
    manifests = [shelf.image(name, "", seed=number)["digest"] for number in range(8)]

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        if request[0] != "DELETE" or not manifests:
            return ask()
        assert shelf.send("DELETE", f"/v2/{name}/manifests/{manifests.pop()}")[0] == 202
        return BUSY

    between.harm = harm
    status, out, err = slipway(f"repository delete {name} --yes")
    assert (status, out) == (0, "")
    left = [line.split(": ")[1] for line in err.splitlines() if "left" in line]
    assert left == [f"{number} of 8 manifests left" for number in range(7, -1, -1)]
    assert err.splitlines()[-1] == f"Deleted {name} with 8 manifests and 0 tags."
    assert between.count("DELETE", f"/acr/v1/{name.replace('/', '%2F')}") == 9


def test_a_repository_that_went_although_its_deletion_was_answered_503_is_deleted(
    between: Between, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    shelf.image(name, "v1")

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        reply = ask()
        return BUSY if request[0] == "DELETE" and reply.status == 202 else reply

    between.harm = harm
    assert slipway(f"repository delete {name} --yes")[0] == 0
    assert shelf.tags(name) == []


def test_a_deletion_that_gets_nowhere_ends_and_what_is_left_is_told(
    between: Between, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    shelf.image(name, "v1")
    between.harm = first(1000, "DELETE", "/acr/v1/", BUSY)
    status, out, err = slipway(f"repository delete {name} --yes")
    assert (status, out) == (1, "")
    assert "UNAVAILABLE: busy. The repository still has 1 manifest" in err
    path = f"/acr/v1/{name.replace('/', '%2F')}"
    assert between.count("DELETE", path) == repositories.STALLED
    assert shelf.tags(name) == ["v1"]


@pytest.mark.parametrize("words", ["tag delete {}:v1", "manifest delete {}:v1"])
def test_what_went_although_its_deletion_was_answered_503_is_deleted(
    between: Between, shelf: Shelf, slipway: Slipway, name: str, words: str
) -> None:
    shelf.image(name, "v1")

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        reply = ask()
        return BUSY if request[0] == "DELETE" and reply.status == 202 else reply

    between.harm = harm
    status, _, err = slipway(f"{words.format(name)} --yes")
    assert status == 0
    assert "trying again in 0 s" in err
    assert shelf.tags(name) == []
    assert slipway(f"{words.format(name)} --yes")[0] == 1


def test_an_index_goes_before_what_it_names_however_they_are_ordered(
    between: Between, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    """A command that is interrupted leaves no index without its manifests."""
    image = shelf.image(name, "amd")
    index = shelf.index(name, "v1", [image])
    assert slipway(f"manifest delete {name}:amd {name}:v1 --yes")[0] == 0
    deleted = [path.rpartition("/")[2] for method, path, _ in between.asked if method == "DELETE"]
    assert deleted == [each["digest"].replace(":", "%3A") for each in (index, image)]


# Lists.


def test_a_list_that_breaks_off_is_no_list(
    between: Between, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    """The first page arrives, the second does not."""
    for number in range(3):
        shelf.image(name, f"v{number}", seed=number)

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        if "last=" in request[1]:
            return Reply(500, b'{"errors":[{"code":"UNKNOWN","message":"internal error"}]}')
        return small_pages(request, ask)

    small_pages = _in_pages_of_two
    between.harm = harm
    status, out, err = slipway(f"tag list {name} -o tsv")
    assert (status, out, err) == (1, "", "slipway: UNKNOWN: internal error\n")
    between.harm = small_pages
    assert len(slipway(f"tag list {name} -o tsv")[1].splitlines()) == 3


def _in_pages_of_two(request: Request, ask: Callable[[], Reply]) -> Reply:
    """A registry that answers less than it was asked for, with an address of its own in `Link`."""
    reply = ask()
    if "/_tags" not in request[1] or reply.status != 200:
        return reply
    document = json.loads(reply.body)
    tags = document["tags"] or []
    if len(tags) <= 2:
        return reply
    path = request[1].partition("?")[0]
    link = f'<https://elsewhere.example{path}?last={tags[1]["name"]}&orderby=timedesc>; rel="next"'
    body = json.dumps({**document, "tags": tags[:2]}).encode()
    return reply.but(body=body, headers={**reply.headers, "link": link})


def test_the_next_page_is_asked_of_the_same_registry_whatever_the_link_says(
    between: Between, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    """`elsewhere.example` does not exist: a request there would fail."""
    for number in range(5):
        shelf.image(name, f"v{number}", seed=number)
    between.harm = _in_pages_of_two
    status, out, err = slipway(f"tag list {name} -o tsv")
    assert (status, err) == (0, "")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["v4", "v3", "v2", "v1", "v0"]


def test_pages_in_a_circle_end(between: Between, shelf: Shelf, slipway: Slipway, name: str) -> None:
    shelf.image(name, "v1")

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        reply = ask()
        return reply.but(headers={**reply.headers, "link": f'<{request[1]}>; rel="next"'})

    between.harm = harm
    status, out, err = slipway(f"tag list {name}")
    assert (status, out) == (1, "")
    assert "in a circle" in err


# Signing in.


def test_a_token_that_ends_meanwhile_is_replaced_once(
    between: Between, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    shelf.image(name, "v1")
    ended = Reply(401, b"{}", {"www-authenticate": 'Bearer realm="x",error="invalid_token"'})
    between.harm = first(1, "GET", "/_tags", ended)
    assert slipway(f"tag list {name}")[0] == 0
    assert between.count("GET", "/oauth2/token") == 2
    between.harm = first(1000, "GET", "/_tags", ended)
    before = between.count("GET", f"/acr/v1/{name.replace('/', '%2F')}/_tags")
    assert slipway(f"tag list {name}")[0] == 4
    assert between.count("GET", f"/acr/v1/{name.replace('/', '%2F')}/_tags") == before + 2


def test_the_password_goes_to_the_registry_itself_whatever_realm_it_names(
    between: Between, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    shelf.image(name, "v1")

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        reply = ask()
        challenge = reply.headers.get("www-authenticate", "")
        moved = challenge.replace("http://127.0.0.1", "https://elsewhere.example")
        return reply.but(headers={**reply.headers, "www-authenticate": moved})

    between.harm = harm
    assert slipway(f"tag list {name}")[0] == 0
    passwords = {path for _, path, signed in between.asked if signed.startswith("Basic ")}
    assert passwords == {"/oauth2/token"}


# Answers that are none, and text that does harm.

ESCAPES = "\x1b[2J\x1b]0;gone\x07\x9b31m\u202e\n"


def test_no_text_of_a_registry_reaches_the_terminal_as_it_is(
    between: Between, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    shelf.image(name, "v1")

    def hostile(document: dict[str, Any]) -> dict[str, Any]:
        for tag in document["tags"]:
            tag |= {
                "name": f"v{ESCAPES}1",
                "digest": f"sha256:{ESCAPES}",
                "lastUpdateTime": ESCAPES,
            }
        return document

    between.harm = changed("/_tags", hostile)
    for output in ("table", "tsv", "json"):
        status, out, _ = slipway(f"tag list {name} --detail -o {output}")
        assert status == 0
        assert all(character.isprintable() for character in out.replace("\n", "").replace("\t", ""))
        assert len(out.splitlines()) == {"table": 2, "tsv": 1}.get(output, len(out.splitlines()))
    error = {"errors": [{"code": f"X{ESCAPES}", "message": ESCAPES * 100}]}
    between.harm = first(9, "GET", "/_tags", Reply(400, json.dumps(error).encode()))
    status, _, err = slipway(f"tag list {name}")
    assert status == 1
    assert err.count("\n") == 1
    assert err.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>sign in to the hotel</html>",
        b"",
        b"[]",
        b"null",
        b'{"tags": 7, "manifests": 7}',
        b'{"tags": ["v1"], "manifests": ["v1"]}',
        b'{"tags": [{"name": "v1"}], "manifests": [{"digest": "x"}]}',
        b'{"tags": [{"name": 7}], "manifests": [{"digest": 7}], "tag": {"digest": 7}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize(
    "words", ["tag list {}", "manifest list {}", "manifest show {}:v1", "repository show {}"]
)
def test_an_answer_that_is_none_is_said_in_a_line(
    between: Between, shelf: Shelf, slipway: Slipway, name: str, words: str, body: bytes
) -> None:
    between.harm = first(99, "GET", "/acr/v1/", Reply(200, body))
    status, out, err = slipway(words.format(name))
    assert (status, out) == (1, "")
    assert "cannot be read" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "reply", [Reply(404, b"<html>"), Reply(500), Reply(302, b"", {"location": "/"})]
)
def test_an_address_that_is_no_registry_is_said(
    between: Between, slipway: Slipway, name: str, reply: Reply
) -> None:
    between.harm = first(99, "GET", "/v2/", reply)
    status, out, err = slipway(f"tag list {name}")
    assert (status, out) == (1, "")
    assert f"/v2/ answered {reply.status}" in err
    assert "not the address of a registry" in err


def test_connections_that_end_unannounced_do_no_harm(
    between: Between, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    shelf.index(name, "v1", [shelf.image(name, "", seed=each) for each in range(3)])
    between.hangs_up = True
    status, out, err = slipway(f"manifest tree {name}:v1")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 5


def test_over_tls_a_certificate_counts_only_if_its_authority_is_trusted(
    served_storage: str,
    shelf: Shelf,
    slipway: Slipway,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a registry that is open to all for pulls, where nobody has to sign in."""
    shelf.image(name, "v1")
    certificates = CertificateDirectory(tmp_path)
    certificates.ensure()
    settings = {
        "RegistryStorage": served_storage,
        "REGISTRY_ANONYMOUS_PULL": "on",
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
        "REGISTRY_ADMIN_PASSWORD": shelf.password,
        "TLS_CERT": str(certificates.certificate),
        "TLS_KEY": str(certificates.key),
    }
    with HostProcess(ROOT, settings) as host:
        address = f"https://localhost:{host.base_url.rpartition(':')[2]}"
        status, out, err = slipway(f"tag list {address}/{name}")
        assert (status, out) == (1, "")
        assert "over TLS" in err
        assert "certificate verify failed" in err
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
        assert slipway(f"tag lock {address}/{name}:v1")[0] == 0
        for variable in ("SLIPWAY_USERNAME", "SLIPWAY_PASSWORD"):
            monkeypatch.delenv(variable)
        assert name in slipway(f"repository list {address}")[1]
        assert slipway(f"manifest tree {address}/{name}:v1")[0] == 0
        assert slipway(f"tag unlock {address}/{name}:v1")[0] == 4


def test_deletion_that_is_switched_off_is_said_in_the_words_of_the_registry(
    served_storage: str, shelf: Shelf, slipway: Slipway, name: str
) -> None:
    shelf.image(name, "v1")
    settings = {
        "RegistryStorage": served_storage,
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
        "REGISTRY_ADMIN_PASSWORD": shelf.password,
        "REGISTRY_DELETE_ENABLED": "off",
    }
    with HostProcess(ROOT, settings) as host:
        image = f"{host.base_url}/{name}"
        for words in (
            f"tag delete {image}:v1",
            f"manifest delete {image}:v1",
            f"repository delete {image}",
        ):
            status, out, err = slipway(f"{words} --yes")
            assert (status, out) == (1, "")
            assert "UNSUPPORTED: deletion is switched off (REGISTRY_DELETE_ENABLED)" in err
