"""`slipway completion`: what it prints, in the shells that read it, as a person types."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import completions
from slipway_cli.completion import SHELLS
from slipway_cli.main import main
from tests.patience import PATIENCE

TYPED = [
    ("slipway to", "slipway token "),
    ("slipway token show --na", "slipway token show --name "),
    ("slipway check-health --pull", "slipway check-health --pull-only "),
    ("slipway manifest sh", "slipway manifest show "),
    ("slipway token list -o j", "slipway token list -o json "),
    ("slipway completion z", "slipway completion zsh "),
]
"""What is typed before Tab, and what is there after it."""


def made(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The file as the command prints it, in a folder of its own."""
    assert main(["completion", shell]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    folder.mkdir()
    file = folder / "_slipway"
    file.write_text(printed.out)
    return file


class Terminal:
    """A shell at a terminal: what is typed there, and what can be read."""

    def __init__(self, *words: str, environment: dict[str, str]) -> None:
        self._left = ""
        """What has come and was not read."""
        ours, theirs = pty.openpty()
        self._end = ours
        self._process = subprocess.Popen(
            words,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def read_until(self, text: str) -> str:
        """What comes, up to a text; what is behind it is read next."""
        until = time.monotonic() + PATIENCE
        while text not in self._left:
            ready, _, _ = select.select([self._end], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"{text!r} did not come, but {self._left!r}"
            self._left += os.read(self._end, 4096).decode(errors="replace")
        before, _, self._left = self._left.partition(text)
        return before + text

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._end)


def started(shell: str, file: Path) -> Terminal:
    """A shell that has read the file, and finds no program at all."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    nothing = file.parent / "nothing"
    nothing.mkdir()
    environment = {"PATH": str(nothing), "HOME": str(file.parent), "TERM": "dumb", "LC_ALL": "C"}
    if shell == "bash":
        terminal = Terminal(program, "--norc", "--noprofile", "-i", environment=environment)
        terminal.type(f"PS1='> '; source {file}; echo rea''dy\n")
    else:
        terminal = Terminal(program, "-f", "-i", environment=environment)
        terminal.type(
            f"PS1='> '; fpath=({file.parent} $fpath); autoload -Uz compinit; "
            "compinit -u -D; echo rea''dy\n"
        )
    terminal.read_until("ready\r\n")
    terminal.read_until("> ")
    return terminal


@pytest.fixture(params=["bash", "zsh"])
def terminal(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Terminal]:
    opened = started(request.param, made(request.param, tmp_path / "made", capsys))
    yield opened
    opened.close()


@pytest.mark.parametrize(("typed", "completed"), TYPED)
def test_tab_completes_commands_options_and_values_and_starts_no_program(
    terminal: Terminal, typed: str, completed: str
) -> None:
    terminal.type(f"{typed}\t#")  # The mark tells where the cursor is then.
    said = terminal.read_until("#").replace(" \b", "")  # Zsh writes the space anew.
    assert f"{completed}#" in said


@pytest.mark.parametrize(("typed", "completed"), TYPED)
def test_fish_completes_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: str, completed: str
) -> None:
    program = shutil.which("fish")
    if program is None:
        pytest.skip("fish is not installed")
    file = made("fish", tmp_path / "made", capsys)
    script = f'source {file}; complete -C "{typed}"'
    ended = subprocess.run(
        [program, "--no-config", "-c", script],
        env={"HOME": str(tmp_path), "PATH": str(tmp_path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    offered = [line.partition("\t")[0] for line in ended.stdout.splitlines()]
    assert completed.rstrip().rpartition(" ")[2] in offered


@pytest.mark.parametrize("shell", SHELLS)
def test_the_files_are_those_of_the_commands_as_they_are(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == completions.made(shell), "run: make completion"


def test_no_other_shell_is_printed_for() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", "tcsh"])
    assert ended.value.code == 2
