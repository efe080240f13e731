"""Running programs: bounded in time, shown in full when they fail, and never left behind."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: A program and its arguments.
Command = Sequence[str | Path]

#: How long a client may take unless a test says otherwise; generous, since it tells only a failure.
TIMEOUT = float(os.environ.get("E2E_TIMEOUT", "120"))

#: How many lines of a daemon's log are worth showing.
TAIL = 40


def client_environment(workspace: Path) -> dict[str, str]:
    """Of the caller's environment no more than where programs are; the rest is the workspace's."""
    go = Path(os.environ.get("GOPATH", Path.home() / "go")) / "bin"
    # What the setup installed comes before another version that the machine may have.
    own = os.environ.get("GOBIN", str(go))
    system = ["/usr/local/go/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]
    path = [own, os.environ.get("PATH", os.defpath), *system]
    folders = {name: workspace / name for name in ("home", "tmp")}
    for folder in folders.values():
        folder.mkdir()
    return {
        "PATH": os.pathsep.join(path),
        "HOME": str(folders["home"]),
        "TMPDIR": str(folders["tmp"]),
        "LC_ALL": "C.UTF-8",
    }


@dataclass(frozen=True)
class Result:
    """What a program said."""

    command: str
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode(errors="replace").strip()

    @property
    def output(self) -> str:
        """Both streams, for looking up what a client told its user."""
        return (self.stdout + self.stderr).decode(errors="replace")

    def __str__(self) -> str:
        return f"$ {self.command}\nexit status {self.status}\n{self.output}"


class CommandError(AssertionError):
    """A program ended with an error, or did not end."""

    def __init__(self, result: Result, reason: str = "") -> None:
        super().__init__(f"{reason}\n{result}" if reason else str(result))
        self.result = result


def run(
    command: Command,
    *,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = TIMEOUT,
    cwd: Path | None = None,
) -> Result:
    """Run a program to its end and return what it said; raise `CommandError` when it fails."""
    argv = [str(word) for word in command]
    with subprocess.Popen(
        argv,
        env=env,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        reason = ""
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            reason = f"no end after {timeout:g} s"
            signal_group(process, signal.SIGKILL)
            stdout, stderr = process.communicate()
        except BaseException:
            signal_group(process, signal.SIGKILL)
            raise
    result = Result(shlex.join(argv), process.returncode, stdout, stderr)
    if reason or process.returncode != 0:
        raise CommandError(result, reason)
    return result


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a program that was started in a session of its own, with all it started there."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


class Daemon:
    """A program that runs until it is stopped, and whose words can be waited for."""

    def __init__(
        self,
        command: Command,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [str(word) for word in command],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text: str, timeout: float) -> str:
        """Return the first line with `text` in it, once it is there."""

        def find() -> str | None:
            return next((line for line in self._lines if text in line), None)

        with self._news:
            self._news.wait_for(lambda: find() is not None or self._ended, timeout)
            found = find()
        if found is None:
            reason = "ended" if self._ended else f"took more than {timeout:g} s"
            message = f"{reason} before it said {text!r}:\n{self.tail()}"
            raise AssertionError(message)
        return found

    def lines(self, start: int = 0) -> list[str]:
        """Return what it said so far."""
        with self._news:
            return self._lines[start:]

    def tail(self) -> str:
        """Return the last of what it said, for showing."""
        return "\n".join(self.lines()[-TAIL:])

    def stop(self, timeout: float = 30.0) -> None:
        """Ask it to end, and end it if it does not."""
        if self._process.poll() is None:
            signal_group(self._process, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End it without a chance to finish anything."""
        signal_group(self._process, signal.SIGKILL)
        self._process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                with self._news:
                    self._lines.append(line.decode(errors="replace").rstrip())
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()
