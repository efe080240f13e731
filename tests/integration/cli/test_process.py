"""The command line as a process: interrupted, with outputs that take nothing, by another name."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devhost.processes.azurite import Azurite

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60
"""After which a process counts as one that hangs."""


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """What accepts every connection and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def _heeds_ctrl_c() -> Iterator[None]:
    """Commands heed Ctrl-C, as a terminal starts them.

    Whoever runs the tests in the background has SIGINT ignored by all of them.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def start(azurite: Azurite) -> Iterator[Start]:
    """Starts a command on the storage account; kills what is left of it."""
    started: list[subprocess.Popen[str]] = []

    def call(
        *arguments: str,
        storage: str = azurite.connection_string,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        program: Path = ROOT / "slipway",
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [program, *arguments],
            env={**os.environ, "RegistryStorage": storage},
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        with process:
            process.kill()


def address(silent: socket.socket) -> str:
    return f"http://127.0.0.1:{silent.getsockname()[1]}"


def on(silent: socket.socket) -> str:
    """The storage account there."""
    where = f"{address(silent)}/a"
    return f"AccountName=a;AccountKey=a2V5;BlobEndpoint={where};TableEndpoint={where}"


def assert_interrupted(
    process: subprocess.Popen[str], said_before: str = "", done: tuple[str, ...] = ()
) -> None:
    """`done` are the checks whose lines were printed before."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert tuple(line.split()[0] for line in out.splitlines()) == done
    assert (said_before + err).strip().splitlines()[-1] == "slipway: interrupted"
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1


def test_ctrl_c_at_a_question_ends_at_once_and_changes_nothing(start: Start) -> None:
    name = f"token-{uuid.uuid4().hex[:8]}"
    made = start("token", "create", "--name", name, "--scope-map", "_repositories_pull")
    assert made.wait() == 0
    terminal, end = pty.openpty()
    process = start("token", "delete", "--name", name, stdin=end)
    assert process.stderr
    question = ""
    while not question.endswith("(y/N) "):
        question += process.stderr.read(1)
    assert_interrupted(process, question)
    os.close(end)
    os.close(terminal)
    assert start("token", "show", "--name", name).wait() == 0


@pytest.mark.parametrize("command", ["token list", "whoami", "check-health", "tag list"])
def test_ctrl_c_ends_at_once_while_storage_or_a_registry_hangs(
    start: Start, silent: socket.socket, tmp_path: Path, command: str
) -> None:
    arguments = command.split()
    password = tmp_path / "password"
    password.write_text("secret\n")
    if command == "tag list":
        arguments += [f"{address(silent)}/team/web"]
    elif command != "token list":
        arguments += ["--registry", address(silent), "-u", "somebody", "--password-stdin"]
    with password.open() as stdin:
        process = start(*arguments, storage=on(silent), stdin=stdin.fileno())
    connection, _ = silent.accept()
    while not connection.recv(1):  # One connection is only to see whether it is accepted.
        connection.close()
        connection, _ = silent.accept()
    with connection:
        done = ("dns", "tcp", "tls") if command == "check-health" else ()
        assert_interrupted(process, done=done)


def test_storage_and_a_registry_that_do_not_answer_are_told_of_in_time(
    start: Start, silent: socket.socket, tmp_path: Path
) -> None:
    """All at once: each waits for as long as it is given."""
    (tmp_path / "password").write_text("secret\n")
    commands = [
        ("token", "list"),
        ("token", "create", "--name", "mine5", "--scope-map", "_repositories_pull"),
        ("role-assignment", "create", "--assignee", str(uuid.UUID(int=7)), "--role", "AcrPull"),
        ("key", "rotate"),
        ("whoami", "--server", address(silent), "-u", "somebody", "--password-stdin"),
        ("tag", "list", f"{address(silent)}/team/web"),
        ("repository", "delete", f"{address(silent)}/team/web", "--yes"),
    ]
    running = []
    for each in commands:
        with (tmp_path / "password").open() as stdin:
            running.append(start(*each, storage=on(silent), stdin=stdin.fileno()))
    for process in running:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, out) == (1, ""), err
        assert re.search("not answer|cannot be reached", err)
        assert err.count("\n") == 1


@pytest.mark.parametrize(("scheme", "silent_check"), [("http", "health"), ("https", "tls")])
def test_a_registry_that_accepts_and_never_answers_is_told_of(
    start: Start, silent: socket.socket, scheme: str, silent_check: str
) -> None:
    where = address(silent).replace("http", scheme)
    process = start("check-health", where, "-o", "json", storage="")
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    checks = {each["check"]: each for each in json.loads(out)}
    assert process.returncode == 1, err
    assert {name for name, each in checks.items() if each["status"] == "failed"} == {silent_check}
    assert checks[silent_check]["reason"] == "no-answer"
    assert checks["tcp"]["status"] == "ok"
    assert checks["sign-in"]["reason"] == f"{silent_check}-failed"


@pytest.mark.parametrize(
    "command", ["--help", "--version", "cost", "token list -o json", "token --help"]
)
@pytest.mark.parametrize("buffering", ["", "1"])
def test_an_output_that_is_full_or_closed_is_said_in_a_line(
    start: Start, monkeypatch: pytest.MonkeyPatch, command: str, buffering: str
) -> None:
    reading, closed = os.pipe()
    os.close(reading)
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setenv("PYTHONUNBUFFERED", buffering)
    for output in (full, closed):
        process = start(*command.split(), stdout=output)
        _, err = process.communicate()
        assert process.returncode == 1
        told = [line for line in err.splitlines() if line.startswith("slipway: ")]
        assert len(told) == 1
        assert "could not be written" in told[0]
        assert "Traceback" not in err
        assert "Exception ignored" not in err
    os.close(full)
    os.close(closed)


def test_an_error_output_that_is_closed_or_full_changes_nothing(start: Start) -> None:
    for redirection in ("2>&-", "2>/dev/full"):
        words = f'"{ROOT / "slipway"}" cost -o json {redirection}'
        ended = subprocess.run(words, shell=True, capture_output=True, text=True, check=True)
        assert json.loads(ended.stdout)


def test_links_to_the_command_work_wherever_they_are(start: Start, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "first").symlink_to(ROOT / "slipway")
    (tmp_path / "bin" / "slipway").symlink_to("../first")
    process = start("--version", program=tmp_path / "bin" / "slipway")
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert re.fullmatch(r"slipway \d+\.\d+\.\d+\S*\n", out)
