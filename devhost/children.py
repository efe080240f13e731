"""Child processes that do not outlive this one.

A child started here runs in its own session, so Ctrl-C in the terminal reaches only the parent,
which then stops the child in order. If the parent cannot do that any more (it was killed), two
things do, on Linux:

* The child has asked for `SIGTERM` at its parent's death (`prctl(2)`, `PR_SET_PDEATHSIG`), so it
  can still end in order. Linux means the parent *thread*: start children from a thread that lives
  as long as they should.
* A guard, a second process beside the child, kills what is still there some seconds later. It knows
  of the parent's death by the end of a pipe that only the parent holds.

Other systems have neither: there a killed parent leaves its children running.

Both have to be set up in new processes. This file is therefore also two tiny programs: one that
makes the request and then becomes the real command, which is its arguments, and the guard.
(`preexec_fn` would do the former without a program, but is not safe in a process that has threads.)
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


class Child:
    """A running command that ends when this process does, at the latest.

    It has `patience` seconds to end by itself, once it has been asked to.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        output: IO[bytes],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        patience: float = 10.0,
    ) -> None:
        """Start `command` with both output streams in `output` and nothing on standard input."""
        self._patience = patience
        # The guard comes first, so that it misses nothing. Until it has been told of the child, the
        # launcher notices by itself when there is no parent any more.
        self._guard = _start_guard(patience) if sys.platform == "linux" else None
        launcher = _program("become", os.getpid()) if self._guard else []
        try:
            self._process = subprocess.Popen(
                [*launcher, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        except BaseException:
            self._dismiss_guard()
            raise
        if self._guard and self._guard.stdin:
            # A guard that could not start is no reason to do without the child.
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.write(b"%d\n" % self._process.pid)
                self._guard.stdin.flush()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit status, or None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to end, and make it if it does not. Safe to call again."""
        if self.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(self._patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._end()

    def kill(self) -> None:
        """End it at once, giving it no chance to clean up."""
        self._process.kill()
        self._end()

    def _end(self) -> None:
        self._process.wait()
        self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        if self._guard:
            self._guard.kill()
            self._guard.communicate()


def _program(name: str, *arguments: object) -> list[str]:
    """Return the command that runs one of the programs in this file, on a bare interpreter."""
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve()), name, *map(str, arguments)]


def _start_guard(patience: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _program("guard", patience),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _become(parent: int, command: Sequence[str]) -> None:
    """Turn this process into `command`, to be asked to end when the process `parent` ends."""
    # Ignoring or blocking a signal is inherited, and would make the request void.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        # It died before the request was made, so no signal will come.
        raise SystemExit(1)
    try:
        os.execvp(command[0], list(command))
    except OSError as error:
        raise SystemExit(f"cannot run {command[0]}: {error.strerror}") from None


def _guard(patience: float) -> None:
    """Wait until the parent is gone, then see to it that the child is gone soon after.

    The child's process id comes on standard input, whose end is the parent's.
    """
    announced = sys.stdin.readline()
    if not announced:
        return
    # Unlike a number, this still means the same process when that has ended.
    child = os.pidfd_open(int(announced))
    sys.stdin.read()
    ended, _, _ = select.select([child], [], [], patience)
    if not ended:
        signal.pidfd_send_signal(child, signal.SIGKILL)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["become", parent, *command]:
            _become(int(parent), command)
        case ["guard", patience]:
            _guard(float(patience))
