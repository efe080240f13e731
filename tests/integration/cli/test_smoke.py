"""`slipway smoke`, against the registry as it is served, and with faults between the two."""

from __future__ import annotations

import http.client
import json
import re
import secrets
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from slipway_cli.main import main

ROOT = Path(__file__).parents[3]
PASSWORD = secrets.token_urlsafe(32)
STEPS = ["health", "sign-in", "upload", "commit", "config", "manifest", "pull", "delete"]
Smoke = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture(scope="module")
def served(azurite: Azurite) -> Iterator[Callable[..., HostProcess]]:
    """Serves the registry on one storage account, once for each set of settings."""
    running: dict[tuple[tuple[str, str], ...], HostProcess] = {}

    def serve(**settings: str) -> HostProcess:
        key = tuple(settings.items())
        if key not in running:
            environment = {
                "RegistryStorage": azurite.connection_string,
                "REGISTRY_ADMIN_USER_ENABLED": "on",
                "REGISTRY_ADMIN_USERNAME": "admin",
                "REGISTRY_ADMIN_PASSWORD": PASSWORD,
            }
            running[key] = HostProcess(ROOT, environment | settings)
        return running[key]

    try:
        yield serve
    finally:
        for host in running.values():
            host.stop()


@pytest.fixture
def smoke(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Smoke:
    """Runs the command as the admin; answers its exit status, and what it said."""

    def call(
        server: str, *arguments: str, username: str = "admin", password: str = PASSWORD
    ) -> tuple[int, str]:
        monkeypatch.setenv("SLIPWAY_USERNAME", username)
        monkeypatch.setenv("SLIPWAY_PASSWORD", password)
        status = main(["smoke", "--server", server, "--wait", "0", *arguments])
        said = capsys.readouterr()
        assert password not in said.err + said.out
        assert "sig=" not in said.err + said.out
        assert "Traceback" not in said.err
        return status, said.out + said.err

    return call


def request(host: HostProcess, method: str, path: str) -> tuple[int, Any]:
    """As the admin."""
    netloc = host.base_url.removeprefix("http://")
    connection = http.client.HTTPConnection(netloc, timeout=60)
    basic = b64encode(f"admin:{PASSWORD}".encode()).decode()
    connection.request(method, path, headers={"Authorization": f"Basic {basic}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, json.loads(body) if body else None


def tags(host: HostProcess, repository: str) -> list[str] | None:
    status, found = request(host, "GET", f"/v2/{repository}/tags/list")
    return found["tags"] if status == 200 else None


@pytest.mark.parametrize("redirect", ["on", "off"])
def test_a_registry_that_works_passes_every_step_and_keeps_nothing(
    served: Callable[..., HostProcess], smoke: Smoke, redirect: str
) -> None:
    host = served(REGISTRY_BLOB_REDIRECT=redirect)
    status, said = smoke(host.base_url)
    assert status == 0, said
    assert [line.partition(":")[0] for line in said.splitlines()] == STEPS
    assert ("redirected" in said) == (redirect == "on")
    assert tags(host, "slipway-smoke") is None


def test_programs_get_the_steps_as_json(
    served: Callable[..., HostProcess],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """With the password on standard input, and a loopback name without a scheme."""
    name = served(REGISTRY_BLOB_REDIRECT="on").base_url.removeprefix("http://")
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    with (tmp_path / "password").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        arguments = ["smoke", "--server", name, "-u", "admin", "--password-stdin", "-o", "json"]
        assert main(arguments) == 0
    steps = json.loads(capsys.readouterr().out)
    assert [each["step"] for each in steps] == STEPS
    assert {key for each in steps for key in each} == {"step", "seconds"}


def test_a_registry_that_deletes_nothing_passes_and_what_stays_is_said(
    served: Callable[..., HostProcess], smoke: Smoke
) -> None:
    host = served(REGISTRY_DELETE_ENABLED="off")
    status, said = smoke(host.base_url, "--repository", "kept/smoke")
    assert status == 0, said
    (left,) = re.findall(
        r"^delete: deletion is off, so kept/smoke:(\S+) was not deleted", said, re.MULTILINE
    )
    assert tags(host, "kept/smoke") == [left]


def made_token(capsys: pytest.CaptureFixture[str], name: str, *actions: str) -> str:
    arguments = ["token", "create", "--name", name, "--repository", "scoped/smoke", *actions]
    assert main([*arguments, "--output", "json"]) == 0
    password: str = json.loads(capsys.readouterr().out)["credentials"]["passwords"][0]["value"]
    return password


def test_who_may_not_delete_is_told_what_stays(
    served: Callable[..., HostProcess],
    smoke: Smoke,
    azurite: Azurite,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RegistryStorage", azurite.connection_string)
    host = served(REGISTRY_BLOB_REDIRECT="on")
    password = made_token(capsys, "may-push", "content/read", "content/write")
    who = {"username": "may-push", "password": password}
    status, said = smoke(host.base_url, "--repository", "scoped/smoke", **who)
    assert status == 0, said
    assert "may not delete, so scoped/smoke:" in said

    password = made_token(capsys, "may-pull", "content/read")
    who = {"username": "may-pull", "password": password}
    status, said = smoke(host.base_url, "--repository", "scoped/smoke", **who)
    assert status == 1
    assert said.splitlines()[-1] == (
        "slipway: sign-in failed: may-pull may not push in scoped/smoke"
    )


def test_a_wrong_password_ends_with_1_and_the_reason(
    served: Callable[..., HostProcess], smoke: Smoke
) -> None:
    host = served(REGISTRY_BLOB_REDIRECT="on")
    status, said = smoke(host.base_url, password="wrong-" + PASSWORD)
    assert status == 1
    assert said.splitlines()[-1].startswith("slipway: sign-in failed: the registry does not know")


class Proxy(ThreadingHTTPServer):
    """Hands requests on to a registry, and does harm to some."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.target = target.removeprefix("http://")
        self.drops_chunks = False
        self.changes_blobs = False
        self.unready = 0
        self.upload_location = ""
        self.asked: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


PASSED = ("location", "range", "www-authenticate")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def handle_one(self) -> None:
        self.server.asked.append((self.command, self.path.partition("?")[0]))
        body = self._body()
        if self.path == "/healthz" and self.server.unready:
            self.server.unready -= 1
            self._answer(503, {}, b"storage unreachable\n")
            return
        if self.command == "PATCH" and self.server.drops_chunks:
            body = body[:1]
        connection = http.client.HTTPConnection(self.server.target, timeout=60)
        kept = {
            n: v for n, v in self.headers.items() if n.lower() in ("authorization", "content-type")
        }
        connection.request(self.command, self.path, body, kept)
        answer = connection.getresponse()
        received = answer.read()
        headers = {n: v for n, v in answer.getheaders() if n.lower() in PASSED}
        if answer.status == 202 and self.server.upload_location:
            headers["location"] = self.server.upload_location
        if "/blobs/sha256" in self.path and self.server.changes_blobs:
            self._answer(200, {}, b"something else")
        else:
            self._answer(answer.status, headers, received)
        connection.close()

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self.handle_one
        raise AttributeError(name)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(served: Callable[..., HostProcess]) -> Iterator[Proxy]:
    between = Proxy(served(REGISTRY_BLOB_REDIRECT="on").base_url)
    thread = threading.Thread(target=between.serve_forever)
    thread.start()
    try:
        yield between
    finally:
        between.shutdown()
        thread.join()
        between.server_close()


def test_the_proxy_alone_does_no_harm(proxy: Proxy, smoke: Smoke) -> None:
    status, said = smoke(proxy.address)
    assert status == 0, said


def test_an_upload_in_chunks_that_does_not_arrive_is_found(proxy: Proxy, smoke: Smoke) -> None:
    """As where the extension is missing that streams requests through the worker."""
    proxy.drops_chunks = True
    status, said = smoke(proxy.address)
    assert status == 1
    last = said.splitlines()[-1]
    assert last == (
        "slipway: upload failed: 1,048,576 bytes were sent in chunks, but the registry received 0-0"
    )


def test_a_layer_that_comes_back_changed_is_found_and_what_was_pushed_deleted(
    proxy: Proxy, smoke: Smoke, served: Callable[..., HostProcess]
) -> None:
    proxy.changes_blobs = True
    status, said = smoke(proxy.address)
    assert status == 1
    last = said.splitlines()[-1]
    assert last.startswith("slipway: pull failed: the pulled layer has another digest")
    assert tags(served(REGISTRY_BLOB_REDIRECT="on"), "slipway-smoke") is None


def test_the_token_is_sent_to_no_other_server(proxy: Proxy, smoke: Smoke) -> None:
    proxy.upload_location = "https://elsewhere.example/v2/x/blobs/uploads/1"
    status, said = smoke(proxy.address)
    assert status == 1
    assert "upload failed: the upload was sent to another server: elsewhere.example" in said


def test_a_first_start_that_takes_a_while_is_waited_for(
    proxy: Proxy, smoke: Smoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway_cli.smoke._PAUSE_SECONDS", 0.01)
    proxy.unready = 3
    status, said = smoke(proxy.address, "--wait", "600", "--health-only")
    waiting, done = said.splitlines()
    assert waiting == "health: not ok yet; waiting up to 600 s (503)"
    assert (status, done.partition(" (")[0]) == (0, "health: ok")
    assert proxy.asked == [("GET", "/healthz")] * 4


def test_health_that_does_not_come_ends_with_1_and_the_last_reason(
    proxy: Proxy, smoke: Smoke
) -> None:
    proxy.unready = 100
    status, said = smoke(proxy.address)
    assert (status, said) == (
        1,
        "slipway: health failed: not ok within 0 s; the last answer: 503\n",
    )
    assert proxy.asked == [("GET", "/healthz")]
    assert smoke("http://127.0.0.1:9")[0] == 1


def test_health_alone_takes_no_password(
    served: Callable[..., HostProcess],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("SLIPWAY_USERNAME", "SLIPWAY_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    server = served(REGISTRY_BLOB_REDIRECT="on").base_url
    assert main(["smoke", "--server", server, "--health-only"]) == 0
    assert main(["smoke", "--server", server]) == 1
    assert "SLIPWAY_USERNAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("http://registry.example.com", "use https"),
        ("ftp://localhost", "use a name"),
        ("https://admin:secret@registry.example.com", "use a name"),
        ("", "use a name"),
    ],
)
def test_a_password_is_sent_by_https_or_within_the_machine_only(
    smoke: Smoke, server: str, reason: str
) -> None:
    status, said = smoke(server)
    assert status == 2
    assert said.startswith(f"slipway: --server: {reason}")
    assert "secret" not in said


def test_a_repository_that_is_none_is_refused(smoke: Smoke) -> None:
    status, said = smoke("localhost:9", "--repository", "Not/One")
    assert status == 1
    assert said.startswith("slipway: --repository: ")
