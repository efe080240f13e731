"""`slipway relay` as a process: how it begins and ends, what it takes of memory and disk."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.e2e.images import digest_of, incompressible
from tests.integration.cli.relay.conftest import MIB, ROOT, Limited, wait_until
from tests.integration.cli.relay.cutting import Cutting
from tests.integration.cli.relay.test_uploads import CHUNK, OVERHEAD
from tests.patience import PATIENCE


@dataclass
class Running:
    """A relay, and what it said."""

    process: subprocess.Popen[str]
    address: str
    said: list[str]

    def client(self, password: str = "") -> httpx.Client:
        auth = httpx.BasicAuth("relay", password) if password else None
        return httpx.Client(base_url=f"http://{self.address}", auth=auth, timeout=PATIENCE)

    def end(self, by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Its exit status, and what it said last."""
        self.process.send_signal(by)
        self.process.wait(PATIENCE)
        assert self.process.stderr
        return self.process.returncode, self.process.stderr.read()

    def figure(self, file: str, name: str) -> int:
        """A number that the kernel keeps of the process."""
        text = Path(f"/proc/{self.process.pid}/{file}").read_text()
        found = re.search(rf"^{name}:\s*(\d+)", text, re.MULTILINE)
        assert found, text
        return int(found[1])


Start = Callable[..., Running]


@pytest.fixture(autouse=True)
def _heeds_ctrl_c() -> Iterator[None]:
    """As a terminal starts it: whoever runs the tests in the background has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def start(limited: Limited, nobody: Path) -> Iterator[Start]:
    """Starts a relay to the registry, signed in as its admin; kills what is left of it."""
    started: list[subprocess.Popen[str]] = []

    def call(*arguments: str, to: str = "", **settings: str) -> Running:
        environment = {**os.environ, "SLIPWAY_USERNAME": "admin"}
        environment |= {"SLIPWAY_PASSWORD": limited.password, **settings}
        process = subprocess.Popen(
            [ROOT / "slipway", "relay", "--to", to or limited.url, "--port", "0", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stderr
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("push with:"):
                break
        found = re.search(r"relaying https?://(\S+) to ", "".join(said))
        assert found, said
        return Running(process, found[1], said)

    yield call
    for process in started:
        with process:
            process.kill()


def test_ctrl_c_ends_it_with_a_summary_and_says_that_uploads_can_be_gone_on_with(
    start: Start, limited: Limited, repository: str
) -> None:
    relay, content = start("--open"), incompressible(2 * CHUNK, repository)
    with relay.client() as client:
        path = f"/v2/{repository}/blobs/uploads/?digest={digest_of(b'whole')}"
        assert client.post(path, content=b"whole").status_code == 201
        begun = client.post(f"/v2/{repository}/blobs/uploads/")
        assert client.patch(begun.headers["location"], content=content).status_code == 202
    status, said = relay.end()
    assert status == 130
    assert "1 layer of 5 B and 0 manifests pushed" in said
    assert "1 uploads are not complete" in said
    assert said.strip().splitlines()[-1] == "slipway: interrupted"
    assert "Traceback" not in said
    # The registry itself goes on with it.
    with httpx.Client(base_url=limited.url, auth=("admin", limited.password)) as client:
        found = client.get(begun.headers["location"])
        assert found.status_code == 204


def test_a_service_that_is_stopped_has_not_failed(start: Start) -> None:
    status, said = start("--open").end(signal.SIGTERM)
    assert status == 0
    assert "interrupted" not in said


def test_docker_is_signed_in_as_long_as_the_relay_runs(start: Start, nobody: Path) -> None:
    folder = nobody / ".docker"
    folder.mkdir()
    before = {"auths": {"other.example.com": {"auth": "eDp5"}}, "credsStore": "desktop", "x": 1}
    (folder / "config.json").write_text(json.dumps(before))
    relay = start("--docker-login")
    file = folder / "config.json"
    during = json.loads(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    assert during["auths"]["other.example.com"] == {"auth": "eDp5"}
    assert during["credHelpers"] == {relay.address: ""}
    name, _, password = (
        base64.b64decode(during["auths"][relay.address]["auth"]).decode().partition(":")
    )
    assert name == "relay"
    assert password not in "".join(relay.said)
    with relay.client(password) as client:
        assert client.get("/v2/").status_code == 200
    with relay.client() as client:
        assert client.get("/v2/").status_code == 401
    relay.end()
    assert json.loads(file.read_text()) == before


def test_a_password_is_shown_at_a_terminal_and_never_written_to_a_log(
    start: Start, limited: Limited
) -> None:
    terminal, other_side = pty.openpty()
    environment = {"SLIPWAY_USERNAME": "admin", "SLIPWAY_PASSWORD": limited.password}
    command = [str(ROOT / "slipway"), "relay", "--to", limited.url, "--port", "0"]
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdin=other_side, stderr=other_side
    ) as process:
        os.close(other_side)
        said = b""
        while b"push with:" not in said:
            said += os.read(terminal, 4096)
        process.kill()
    os.close(terminal)
    assert re.search(rb"password: +\S{20,}", said)
    ended = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--docker-login" in ended.stderr


def test_a_terminal_shows_each_layer_that_is_on_its_way(
    limited: Limited, nobody: Path, repository: str
) -> None:
    content = incompressible(12 * CHUNK, repository)
    terminal, other_side = pty.openpty()
    shown = bytearray()
    environment = {"SLIPWAY_USERNAME": "admin", "SLIPWAY_PASSWORD": limited.password}
    with subprocess.Popen(
        [str(ROOT / "slipway"), "relay", "--to", limited.url, "--port", "0", "--open"],
        env={**os.environ, **environment, "TERM": "xterm", "COLUMNS": "120"},
        stdin=other_side,
        stderr=other_side,
    ) as process:
        os.close(other_side)
        reader = threading.Thread(target=read_all, args=(terminal, shown))
        reader.start()
        wait_until(lambda: b"push with:" in shown)
        address = re.search(rb"relaying (http://\S+) to", shown)
        assert address
        path = f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}"
        with httpx.Client(base_url=address[1].decode(), timeout=PATIENCE) as client:
            assert client.post(path, content=content).status_code == 201
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        reader.join(PATIENCE)
    os.close(terminal)
    text = shown.decode()
    assert re.search(r"on-its-way +[0-9.]+ MB of 50\.3 MB +[0-9.]+ .B/s", text), text
    assert text.count(digest_of(content)) == 1
    assert "1 layer of 50.3 MB" in text


def read_all(terminal: int, shown: bytearray) -> None:
    # A terminal whose other side is closed cannot be read any more.
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 4096):
            shown.extend(piece)


def test_whoever_may_push_to_some_repositories_pushes_to_these_alone(
    start: Start, limited: Limited, repository: str
) -> None:
    made = subprocess.run(
        [
            *(ROOT / "slipway", "token", "create", "--name", "relay-user", "-o", "json"),
            *("--repository", repository, "content/read", "content/write"),
        ],
        env={**os.environ, "RegistryStorage": limited.storage},
        capture_output=True,
        check=True,
    )
    password = json.loads(made.stdout)["credentials"]["passwords"][0]["value"]
    relay = start("--open", SLIPWAY_USERNAME="relay-user", SLIPWAY_PASSWORD=password)
    query = f"blobs/uploads/?digest={digest_of(b'x')}"
    with relay.client() as client:
        assert client.post(f"/v2/{repository}/{query}", content=b"x").status_code == 201
        refused = client.post(f"/v2/other/{query}", content=b"x")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "DENIED")
    assert "signed in as relay-user" in refused.text


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--open", "--bind", "0.0.0.0"], 2, "--tls-cert"),
        (["--open", "--bind", "0.0.0.0", "--tls-cert", "x", "--tls-key", "y"], 1, "cannot be used"),
        (["--open", "--tls-cert", "x"], 2, "use both"),
        (["--open", "--to", "http://registry.example.com"], 2, "use https"),
        (["--open", "--chunk", "many"], 2, "size such as 16MiB"),
        (["--open", "--port", "70000"], 2, "port"),
    ],
)
def test_what_is_not_safe_or_wrong_is_refused_with_what_to_do(
    run: Callable[..., tuple[int, str, str]],
    limited: Limited,
    nobody: Path,
    arguments: list[str],
    status: int,
    text: str,
) -> None:
    ended, _, said = run("relay", "--to", limited.url, *arguments)
    assert (ended, text in said) == (status, True), said


def test_a_wrong_password_for_the_registry_is_told_at_the_start(
    run: Callable[..., tuple[int, str, str]],
    limited: Limited,
    nobody: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLIPWAY_USERNAME", "admin")
    monkeypatch.setenv("SLIPWAY_PASSWORD", "wrong")
    status, _, said = run("relay", "--to", limited.url, "--port", "0", "--open")
    assert status == 4
    assert "docker login" in said


def test_a_port_that_is_taken_is_told(
    start: Start, run: Callable[..., tuple[int, str, str]], limited: Limited, nobody: Path
) -> None:
    port = start("--open").address.rpartition(":")[2]
    status, _, said = run("relay", "--to", limited.url, "--port", port, "--open")
    assert (status, "--port" in said) == (1, True), said


def zeros(size: int) -> Iterator[bytes]:
    piece = bytes(256 * 1024)
    for _ in range(size // len(piece)):
        yield piece


def push_layers(relay: Running, repository: str, count: int, size: int) -> None:
    """Several layers at once, each a stream that no machine has to hold.

    They are not alike: that the registry has one does not spare another.
    """

    def push(number: int) -> None:
        first = b"%8d" % number
        with relay.client() as client:
            begun = client.post(f"/v2/{repository}/blobs/uploads/")
            hashed = digest_of_stream(first, size)

            def body() -> Iterator[bytes]:
                yield first
                yield from zeros(size)

            sent = client.patch(begun.headers["location"], content=body())
            assert sent.status_code == 202, sent.text
            ended = client.put(f"{sent.headers['location']}&digest={hashed}")
            assert ended.status_code == 201, ended.text

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(push, range(count)))


def digest_of_stream(first: bytes, size: int) -> str:
    hashed = hashlib.sha256(first)
    for piece in zeros(size):
        hashed.update(piece)
    return f"sha256:{hashed.hexdigest()}"


@pytest.mark.parametrize(
    "size", [48 * MIB, pytest.param(1024 * MIB, marks=[pytest.mark.long, pytest.mark.alone])]
)
def test_four_layers_at_once_take_little_memory_and_nothing_on_disk(
    start: Start, repository: str, size: int, record_property: Callable[[str, object], None]
) -> None:
    # As long as they can be here: all memory that there is for chunks is in use.
    relay = start("--open", "--chunk", "16MiB")
    before = relay.figure("io", "write_bytes")
    push_layers(relay, repository, 4, size)
    most = relay.figure("status", "VmHWM") * 1024
    record_property("tally", f"the relay with 4 x {size // MIB} MiB: {most / 1e6:.0f} MB resident")
    assert most < 150_000_000
    assert relay.figure("io", "write_bytes") == before


@pytest.mark.parametrize("seed", [1, 2])
def test_a_push_ends_well_while_the_registry_is_killed_and_connections_are_cut(
    start: Start, limited: Limited, repository: str, seed: int
) -> None:
    content = incompressible(10 * CHUNK + seed, repository)
    kills = 2
    with Cutting(limited.url, seed, most=3 * CHUNK, cuts=6) as cutting:
        relay = start("--open", to=cutting.url)
        with relay.client() as client, ThreadPoolExecutor(1) as pool:
            begun = client.post(f"/v2/{repository}/blobs/uploads/")
            sent = pool.submit(client.patch, begun.headers["location"], content=content)
            for number in range(kills):
                wait_until(partial(cutting.has_passed, (3 * number + 1) * CHUNK))
                limited.kill()
                limited.start()
            answer = sent.result(PATIENCE)
            assert answer.status_code == 202, answer.text
            last = f"{answer.headers['location']}&digest={digest_of(content)}"
            assert client.put(last).status_code == 201
        most = len(content) + (cutting.made + kills) * (CHUNK + OVERHEAD) + 60 * OVERHEAD
        assert cutting.octets_in <= most
    found = limited.shelf.send("GET", f"/v2/{repository}/blobs/{digest_of(content)}")
    assert found[0] == 307
