"""`slipway check-health`, against the registry as it is served, and with faults between the two."""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from devhost.cert import CertificateDirectory
from devhost.processes.azurite import Azurite
from devhost.processes.process import HostProcess
from slipway_cli.main import main
from tests.integration.cli.between import Between, Harm, Reply, Request
from tests.integration.cli.shelf import Shelf
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
PASSWORD = secrets.token_urlsafe(32)
WAY = ["dns", "tcp", "tls", "clock", "health"]
CLIENT = ["sign-in", "push", "pull", "layer", "delete"]
pytestmark = pytest.mark.usefixtures("nobody")
REPOSITORY = "slipway/check-health"


class Report:
    """What a run said, to programs and to people."""

    def __init__(self, status: int, document: list[dict[str, Any]], said: str) -> None:
        self.status = status
        self.checks = {each["check"]: each for each in document}
        self.said = said

    def failed(self) -> list[str]:
        """The checks that failed."""
        return [name for name, each in self.checks.items() if each["status"] == "failed"]

    def reason(self, check: str) -> str | None:
        """Why it failed or was skipped."""
        reason: str | None = self.checks[check]["reason"]
        return reason

    def ok(self) -> list[str]:
        """The checks that passed."""
        return [name for name, each in self.checks.items() if each["status"] == "ok"]


CheckHealth = Callable[..., Report]


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
def check_health(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CheckHealth:
    """Runs the command, as the admin if nobody else is named."""

    def call(
        server: str, *arguments: str, username: str = "admin", password: str = PASSWORD
    ) -> Report:
        if username:
            monkeypatch.setenv("SLIPWAY_USERNAME", username)
            monkeypatch.setenv("SLIPWAY_PASSWORD", password)
        status = main(["check-health", server, *arguments, "--output", "json"])
        said = capsys.readouterr()
        everything = said.err + said.out
        assert "sig=" not in everything
        assert "Traceback" not in everything
        if username:
            assert password not in everything
        report = Report(status, json.loads(said.out), said.err)
        assert report.status == (1 if report.failed() else 0)
        for name, each in report.checks.items():
            assert set(each) == {"check", "status", "reason", "seconds", "facts"}
            assert (each["reason"] is None) == (name in report.ok())
        return report

    return call


def shelf_of(host: HostProcess) -> Shelf:
    return Shelf(host.base_url.removeprefix("http://"), PASSWORD)


@pytest.mark.parametrize("redirect", ["on", "off"])
def test_a_registry_that_works_passes_every_check_and_keeps_nothing(
    served: Callable[..., HostProcess], check_health: CheckHealth, redirect: str
) -> None:
    host = served(REGISTRY_BLOB_REDIRECT=redirect)
    report = check_health(host.base_url)
    assert report.status == 0, report.said
    assert list(report.checks) == WAY + CLIENT
    streamed = redirect == "off"
    assert report.checks["pull"]["facts"] == {"streamed": streamed}
    assert report.reason("layer") == ("streamed" if streamed else None)
    assert {"tcp", "clock", "health", "sign-in", "push", "pull", "delete"} <= set(report.ok())
    assert shelf_of(host).send("GET", f"/v2/{REPOSITORY}/tags/list")[0] == 404


def test_people_get_a_line_a_check_and_below_a_failure_what_to_do(
    served: Callable[..., HostProcess],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """With the password on standard input, and a loopback name without a scheme."""
    name = served(REGISTRY_BLOB_REDIRECT="on").base_url.removeprefix("http://")
    for typed, failed in ((PASSWORD, None), (f"wrong-{PASSWORD}", "sign-in")):
        (tmp_path / "password").write_text(f"{typed}\n")
        with (tmp_path / "password").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            status = main(["check-health", "-r", name, "-u", "admin", "--password-stdin"])
        assert status == (1 if failed else 0)
        said = capsys.readouterr()
        assert said.err == ""
        lines = said.out.splitlines()
        assert [line.split()[0] for line in lines if line[0] != " "] == WAY + CLIENT
        assert [line.split()[0] for line in lines if line.split()[1] == "failed"] == (
            [failed] if failed else []
        )
        if failed:
            after = lines[[line.split()[0] for line in lines].index(failed) + 1]
            assert after.startswith(" ")
            assert "check the user name and the password" in after


def test_a_registry_that_deletes_nothing_passes_and_what_stays_is_said(
    served: Callable[..., HostProcess], check_health: CheckHealth
) -> None:
    host = served(REGISTRY_DELETE_ENABLED="off")
    report = check_health(host.base_url, "--repository", "kept/health")
    assert report.status == 0, report.said
    assert report.reason("delete") == "deletion-off"
    digest = report.checks["push"]["facts"]["digest"]
    assert f"kept/health@{digest[:19]} stays" in report.said
    assert shelf_of(host).send("HEAD", f"/v2/kept/health/manifests/{digest}")[0] == 200


def made_token(
    capsys: pytest.CaptureFixture[str], azurite: Azurite, name: str, *actions: str
) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RegistryStorage", azurite.connection_string)
        arguments = ["token", "create", "--name", name, "--repository", "scoped/health", *actions]
        assert main([*arguments, "--output", "json"]) == 0
    made = json.loads(capsys.readouterr().out)
    return {"username": name, "password": made["credentials"]["passwords"][0]["value"]}


def test_who_may_not_delete_is_told_what_stays(
    served: Callable[..., HostProcess],
    check_health: CheckHealth,
    azurite: Azurite,
    capsys: pytest.CaptureFixture[str],
) -> None:
    host = served(REGISTRY_BLOB_REDIRECT="on")
    who = made_token(capsys, azurite, "may-push", "content/read", "content/write")
    report = check_health(host.base_url, "--repository", "scoped/health", **who)
    assert report.status == 0, report.said
    assert report.reason("delete") == "may-not-delete"
    assert "may-push may not delete, so scoped/health@sha256:" in report.said


def test_who_may_only_pull_is_told_so_and_pulls_what_is_there_when_asked(
    served: Callable[..., HostProcess],
    check_health: CheckHealth,
    azurite: Azurite,
    capsys: pytest.CaptureFixture[str],
) -> None:
    host = served(REGISTRY_BLOB_REDIRECT="on")
    who = made_token(capsys, azurite, "may-pull", "content/read")
    where = ("--repository", "scoped/health")
    report = check_health(host.base_url, *where, **who)
    assert report.failed() == ["push"]
    assert report.reason("push") == "may-not-push"
    assert "may-pull may not push in scoped/health" in report.said
    assert "--pull-only" in report.said

    report = check_health(host.base_url, *where, "--pull-only", **who)
    assert (report.failed(), report.reason("pull")) == (["pull"], "nothing-to-pull")

    shelf = shelf_of(host)
    shelf.index("scoped/health", "v1", [shelf.image("scoped/health", seed="small")])
    report = check_health(host.base_url, *where, "--pull-only", **who)
    assert report.status == 0, report.said
    assert report.reason("push") == "pull-only"
    assert "5 bytes from 127.0.0.1, with the right digest" in report.said

    report = check_health(host.base_url, "--pull-only", **who)
    assert (report.failed(), report.reason("pull")) == (["pull"], "may-not-pull")


def test_without_credentials_the_way_is_checked_and_that_a_token_is_asked_for(
    served: Callable[..., HostProcess], check_health: CheckHealth
) -> None:
    report = check_health(served(REGISTRY_BLOB_REDIRECT="on").base_url, username="")
    assert report.status == 0, report.said
    assert report.ok() == ["tcp", "clock", "health"]
    assert report.reason("sign-in") == "no-credentials"
    assert report.reason("push") == "sign-in-skipped"


def test_the_credentials_that_docker_keeps_are_found(
    served: Callable[..., HostProcess], check_health: CheckHealth, nobody: Path
) -> None:
    host = served(REGISTRY_BLOB_REDIRECT="on")
    auth = b64encode(f"admin:{PASSWORD}".encode()).decode()
    kept = {"auths": {host.base_url.removeprefix("http://"): {"auth": auth}}}
    file = nobody / ".docker" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps(kept))
    report = check_health(host.base_url, username="")
    assert report.status == 0, report.said
    assert report.checks["sign-in"]["facts"]["username"] == "admin"
    assert report.checks["sign-in"]["facts"]["source"] == str(file)


def test_a_wrong_password_fails_and_nothing_is_tried_after_it(
    served: Callable[..., HostProcess], check_health: CheckHealth
) -> None:
    host = served(REGISTRY_BLOB_REDIRECT="on")
    report = check_health(host.base_url, password="wrong-" + PASSWORD)
    assert report.failed() == ["sign-in"]
    assert report.reason("sign-in") == "wrong-password"
    assert {report.reason(name) for name in CLIENT[1:]} == {"sign-in-failed"}


def test_storage_that_is_stopped_is_told_apart_from_a_registry_that_is(
    tmp_path: Path, check_health: CheckHealth, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Azurite(tmp_path / "own") as azurite:
        settings = {"RegistryStorage": azurite.connection_string}
        with HostProcess(ROOT, settings) as host:
            monkeypatch.setenv("RegistryStorage", azurite.connection_string)
            report = check_health(host.base_url, username="")
            assert report.status == 0, report.said
            assert list(report.checks) == [*WAY, *CLIENT, "tables", "container-system"]

            azurite.stop()
            until = time.monotonic() + PATIENCE
            while (
                shelf_of(host).send("GET", "/healthz")[0] == 200
            ):  # It remembers for five seconds.
                assert time.monotonic() < until
            report = check_health(host.base_url, "--storage", "app", username="")
            of_storage = ["tables", "container-system", "container-content"]
            of_storage += ["queue", "poison-queue"]
            assert report.failed() == ["health", *of_storage]
            assert report.reason("health") == "storage-unreachable"
            assert report.reason("tables") == "unreachable"
            assert report.reason("delegation-key") == "account-key"


@pytest.fixture
def between(served: Callable[..., HostProcess]) -> Iterator[Between]:
    """Between the command and the registry."""
    host = served(REGISTRY_BLOB_REDIRECT="on")
    with Between(host.base_url.removeprefix("http://")) as running:
        yield running


def unwell(times: int) -> Harm:
    """The registry does not reach its storage at first."""
    left = times

    def harm(request: Request, ask: Callable[[], Reply]) -> Reply:
        nonlocal left
        if request[1] == "/healthz" and left:
            left -= 1
            return Reply(503, b"storage unreachable\n")
        return ask()

    return harm


def located(status: int, location: str) -> Harm:
    """Answers of a status lead elsewhere."""

    def harm(_: Request, ask: Callable[[], Reply]) -> Reply:
        reply = ask()
        return reply.but(headers={"location": location}) if reply.status == status else reply

    return harm


def with_other_layers(request: Request, ask: Callable[[], Reply]) -> Reply:
    reply = ask()
    return Reply(200, b"something else") if "/blobs/sha256" in request[1] else reply


def test_what_stands_between_does_no_harm_by_itself(
    between: Between, check_health: CheckHealth
) -> None:
    report = check_health(f"http://{between.netloc}")
    assert report.status == 0, report.said


def test_an_upload_in_chunks_that_does_not_arrive_is_found(
    between: Between, check_health: CheckHealth
) -> None:
    """As where the extension is missing that streams requests through the worker."""
    between.drops_chunks = True
    report = check_health(f"http://{between.netloc}")
    assert (report.failed(), report.reason("push")) == (["push"], "lost-bytes")
    assert "4,096 bytes were sent in chunks, and the registry received 0-0" in report.said


def test_a_layer_that_comes_back_changed_is_found_and_what_was_pushed_deleted(
    between: Between, check_health: CheckHealth, served: Callable[..., HostProcess]
) -> None:
    between.harm = with_other_layers
    report = check_health(f"http://{between.netloc}")
    assert (report.failed(), report.reason("pull")) == (["pull"], "other-bytes")
    assert "delete" in report.ok()
    path = f"/v2/{REPOSITORY}/manifests/{report.checks['push']['facts']['digest']}"
    assert shelf_of(served(REGISTRY_BLOB_REDIRECT="on")).send("HEAD", path)[0] == 404


def test_the_token_is_sent_to_no_other_server(between: Between, check_health: CheckHealth) -> None:
    between.harm = located(202, "https://elsewhere.example/v2/x/blobs/uploads/1")
    report = check_health(f"http://{between.netloc}")
    assert (report.failed(), report.reason("push")) == (["push"], "other-server")
    assert "the upload was sent to another server: elsewhere.example" in report.said


@pytest.mark.parametrize(
    ("seconds_ahead", "said"),
    [(3600, "60 minutes behind the registry's"), (-7300, "2 hours ahead of the registry's")],
)
def test_a_clock_that_is_off_fails_and_the_rest_is_checked_all_the_same(
    between: Between, check_health: CheckHealth, seconds_ahead: int, said: str
) -> None:
    between.seconds_ahead = seconds_ahead
    report = check_health(f"http://{between.netloc}")
    assert (report.failed(), report.reason("clock")) == (["clock"], "clock-off")
    assert f"the clock of this machine is {said}" in report.said
    assert report.checks["clock"]["facts"]["offset_seconds"] == pytest.approx(-seconds_ahead, abs=5)
    assert set(CLIENT) <= set(report.ok())


def test_a_registry_that_is_reached_and_its_storage_not_is_a_failure_of_its_own(
    between: Between, check_health: CheckHealth
) -> None:
    secret = "sig=never-to-be-told"
    for redirect, reason in (
        (f"http://127.0.0.1:1/c/b?{secret}", "storage-refused"),
        (f"https://nowhere.invalid/c/b?{secret}", "storage-unknown-name"),
        (f"http://storage.example/c/b?{secret}", "bad-redirect"),
        (f"https://127.0.0.1:no-port/?{secret}", "bad-redirect"),
        (f"http://{between.netloc}/nowhere?{secret}", "storage-denied"),
    ):
        between.harm = located(307, redirect)
        report = check_health(f"http://{between.netloc}")
        assert (report.failed(), report.reason("layer")) == (["layer"], reason)
        assert "pull" in report.ok()
        assert "delete" in report.ok()


def test_a_first_start_that_takes_a_while_is_waited_for(
    between: Between, check_health: CheckHealth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway_cli.health.service._PAUSE_SECONDS", 0.01)
    between.harm = unwell(3)
    report = check_health(f"http://{between.netloc}", "--wait", "600")
    assert report.status == 0, report.said
    waiting = report.said.splitlines()[0]
    assert waiting == f"waiting up to 600 s for {between.netloc} (503)"
    assert between.count("GET", "/healthz") == 5


def test_a_registry_that_is_not_well_says_why_and_is_not_pushed_to(
    between: Between, check_health: CheckHealth
) -> None:
    between.harm = unwell(100)
    report = check_health(f"http://{between.netloc}")
    assert (report.failed(), report.reason("health")) == (["health"], "storage-unreachable")
    assert [path for _, path, _ in between.asked] == ["/healthz"]


def test_nothing_that_listens_and_no_such_name_are_told_apart(check_health: CheckHealth) -> None:
    report = check_health("localhost:1")
    assert (report.failed(), report.reason("tcp")) == (["tcp"], "refused")
    assert report.ok() == ["dns"]
    report = check_health("nowhere.invalid")
    assert report.failed() == ["dns"]
    assert report.ok() == []
    assert {report.reason(name) for name in (*WAY[1:], *CLIENT)} == {"dns-failed"}


# TLS.


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateDirectory:
    directory = CertificateDirectory(tmp_path_factory.mktemp("certificates"))
    directory.ensure()
    return directory


def test_over_tls_the_certificate_is_checked_and_its_days_are_told(
    azurite: Azurite,
    certificates: CertificateDirectory,
    check_health: CheckHealth,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {
        "RegistryStorage": azurite.connection_string,
        "REGISTRY_ADMIN_USER_ENABLED": "on",
        "REGISTRY_ADMIN_USERNAME": "admin",
        "REGISTRY_ADMIN_PASSWORD": PASSWORD,
        "TLS_CERT": str(certificates.certificate),
        "TLS_KEY": str(certificates.key),
    }
    with HostProcess(ROOT, settings) as host:
        report = check_health(host.base_url)
        assert (report.failed(), report.reason("tls")) == (["tls"], "not-trusted")
        assert "SSL_CERT_FILE" in report.said
        assert "Slipway development CA" in report.checks["tls"]["facts"]["issuer"]

        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
        report = check_health(host.base_url)
        assert report.status == 0, report.said
        assert {*WAY[1:], *CLIENT} <= set(report.ok())
        assert 800 < report.checks["tls"]["facts"]["days_left"] <= 825

        plain = check_health(host.base_url.replace("https", "http"))
        assert plain.failed() == ["health"]


class Secured(ThreadingHTTPServer):
    """Serves TLS, and no more, at an address of this machine."""

    daemon_threads = True

    def __init__(self, address: str, certificates: CertificateDirectory) -> None:
        super().__init__((address, 0), BaseHTTPRequestHandler)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates.certificate, certificates.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_: object) -> None:
        """Who does not trust it breaks off."""


@pytest.fixture
def secured(certificates: CertificateDirectory, tmp_path: Path) -> Iterator[dict[str, str]]:
    """By what is wrong with its certificate: the address of a server. All trust one authority."""
    past = CertificateDirectory(tmp_path / "past")
    past.path.mkdir(mode=0o700)
    for file in ("ca.crt", "ca.key"):
        (past.path / file).write_bytes((certificates.path / file).read_bytes())
    past.ensure(datetime.now(UTC) + timedelta(days=900))
    expired = CertificateDirectory(tmp_path / "expired")
    expired.ensure(datetime.now(UTC) - timedelta(days=900))
    bundle = (certificates.authority.read_text(), expired.authority.read_text())
    (tmp_path / "trusted.crt").write_text("\n".join(bundle))
    servers = {
        "expired": Secured("127.0.0.1", expired),
        "wrong-name": Secured("127.0.0.2", certificates),
        "not-yet-valid": Secured("127.0.0.1", past),
    }
    threads = [threading.Thread(target=each.serve_forever) for each in servers.values()]
    for thread in threads:
        thread.start()
    addresses = {
        name: f"https://{each.server_address[0]!s}:{each.server_port}"
        for name, each in servers.items()
    }
    yield addresses | {"trusted": str(tmp_path / "trusted.crt")}
    for server, thread in zip(servers.values(), threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("expired", "the certificate expired at 20"),
        ("wrong-name", "the certificate is not for 127.0.0.2 but for localhost, 127.0.0.1, ::1"),
        ("not-yet-valid", "the certificate is not valid yet"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told_and_no_password_sent(
    secured: dict[str, str],
    check_health: CheckHealth,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
    said: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", secured["trusted"])
    report = check_health(secured[wrong])
    assert (report.failed(), report.reason("tls")) == (["tls"], wrong)
    assert said in report.said
    assert report.reason("sign-in") == "tls-failed"


def test_what_speaks_no_tls_is_told(between: Between, check_health: CheckHealth) -> None:
    report = check_health(f"https://{between.netloc}")
    assert (report.failed(), report.reason("tls")) == (["tls"], "no-tls")


# Usage.


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http://registry.example.com"], "REGISTRY: use https"),
        (["ftp://localhost"], "REGISTRY: use a name"),
        (["https://admin:secret@registry.example.com"], "REGISTRY: use a name"),
        ([], "which registry?"),
        (["prod"], "REGISTRY: prod is no address"),
        (["localhost:9", "--repository", "Not/One"], "--repository: "),
    ],
)
def test_wrong_usage_is_refused_before_a_check(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["check-health", *arguments]) == 2
    answered = capsys.readouterr()
    assert answered.out == ""
    assert answered.err.startswith(f"slipway: {said}")
    assert "secret" not in answered.err


@pytest.mark.parametrize(
    "arguments", [("-r", "a", "b"), ("a", "--wait", "-1"), ("a", "--wait", "x")]
)
def test_arguments_that_are_none_end_with_2(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check-health", *arguments])
    assert ended.value.code == 2


def test_the_registry_of_the_environment_is_checked(
    served: Callable[..., HostProcess],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLIPWAY_REGISTRY", served(REGISTRY_BLOB_REDIRECT="on").base_url)
    assert main(["check-health", "-o", "tsv"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == WAY + CLIENT
    assert {row[1] for row in rows} == {"ok", "skipped"}
