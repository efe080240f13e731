"""Child processes that do not outlive this one.

A child started here runs in its own session, so Ctrl-C in the terminal reaches only the parent,
which then stops the child in order. If the parent cannot do that any more (it was killed), Linux
does: the child asks for `SIGTERM` at its parent's death (`prctl(2)`, `PR_SET_PDEATHSIG`). That call
has two limits:

* other systems have no such request: there a killed parent leaves its children running;
* Linux means the parent *thread*: start children from a thread that lives as long as they should.

The request has to be made in the child. This file is therefore also a tiny program, run with the
real command as its arguments, which makes the request and then becomes that command. (`preexec_fn`
would do it without a program, but is not safe in a process that has threads.)
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


def start_child(
    command: Sequence[str],
    *,
    output: IO[bytes],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` with both output streams in `output` and nothing on standard input."""
    launcher: list[str] = []
    if sys.platform == "linux":
        launcher = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(os.getpid())]
    return subprocess.Popen(
        [*launcher, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )


def stop_child(process: subprocess.Popen[bytes], *, patience: float = 10.0) -> None:
    """Ask `process` to end, and after `patience` seconds make it. Safe to call again."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def _become(parent: int, command: Sequence[str]) -> None:
    """Turn this process into `command`, to be ended when the process `parent` ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        # It died before the request was made, so no signal will come.
        raise SystemExit(1)
    try:
        os.execvp(command[0], list(command))
    except OSError as error:
        raise SystemExit(f"cannot run {command[0]}: {error.strerror}") from None


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
