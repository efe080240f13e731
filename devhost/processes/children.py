"""Child processes that do not outlive this one, and are asked to end exactly once.

A child is started by a guard: a small process of one thread that waits for the end of the child or
of a pipe that only this process holds. The pipe ends when this process wants the child to stop and
when this process dies, however it dies. The guard treats both alike: it sends `SIGTERM`, once,
waits, and sends `SIGKILL` to what is still there. So no two senders can meet: a program that saves
its data on `SIGTERM` is commonly ended by a second one while it saves.

Guard and child have sessions of their own: neither Ctrl-C in the terminal nor a signal to this
process's group reaches them. If the guard itself is killed, Linux sends `SIGTERM` to the child
(`prctl(2)`, `PR_SET_PDEATHSIG`), also once, because the guard has one thread; elsewhere the child
then lives on.

The guard is a program of its own, this file, on a bare interpreter: it starts in a few
milliseconds, and may fork, which a process with threads may not.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

_PR_SET_PDEATHSIG = 1
_CANNOT_RUN = 127
# The signals by which a process is asked to end.
_REQUESTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# The order that a guard is given; without one, the end of its input means: stop the child.
_KILL = b"kill\n"
# How much longer than the guard's patience with its child is this process's with the guard.
_MARGIN = 5.0


class Child:
    """A running command that ends when this process does, at the latest.

    It has `patience` seconds to end by itself, once it has been asked to. The file descriptor
    `keep_open` stays open until the child has ended, even if this process ends before: a lock on
    its file is held for as long.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        output: IO[bytes],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        patience: float = 10.0,
        keep_open: int | None = None,
    ) -> None:
        """Start `command` with both output streams in `output` and nothing on standard input."""
        self._patience = patience
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(patience), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=env,
            cwd=cwd,
            start_new_session=True,
            pass_fds=() if keep_open is None else (keep_open,),
        )
        orders, answer = self._guard.stdin, self._guard.stdout
        if orders is None or answer is None:
            raise RuntimeError("Popen was asked for both pipes and has not made them")
        self._orders = orders
        with answer:
            announced = answer.readline()
        # A guard that was killed before it had a child is all there is.
        self._pid = int(announced or self._guard.pid)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._pid

    def poll(self) -> int | None:
        """Return its exit status, negative if by a signal, or None while it runs."""
        return self._guard.poll()

    def stop(self) -> None:
        """Ask it to end, and make it if it does not. Safe to call again."""
        self._order(b"")

    def kill(self) -> None:
        """End it at once, giving it no chance to clean up."""
        self._order(_KILL)

    def _order(self, order: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):  # It has ended, or was told before.
            self._orders.write(order)
            self._orders.flush()
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        try:
            self._guard.wait(self._patience + _MARGIN)
        except subprocess.TimeoutExpired:
            # Only a guard that was itself stopped (SIGSTOP) does not do its work.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._guard.kill()
            self._guard.wait()


def _guard(patience: float, command: Sequence[str]) -> NoReturn:
    """Run `command` until it ends or standard input does, then end as it has ended."""
    # What is sent to all of a service's processes at once must not end the guard before its child.
    # Blocked and not ignored, so that a child cannot miss what is sent to it before it unblocks.
    for number in _REQUESTS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, _REQUESTS)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = _start(command)
    with contextlib.suppress(BrokenPipeError):  # The parent has died: its orders have ended, too.
        os.write(sys.stdout.fileno(), b"%d\n" % child)
    orders = sys.stdin.fileno()
    watched = [woken, orders]
    deadline: float | None = None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _end_with(status)
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select(watched, [], [], remaining)
        if woken in ready:
            os.read(woken, 64)
        if orders in ready:
            if os.read(orders, 64):
                os.kill(child, signal.SIGKILL)
            else:
                watched = [woken]
                deadline = time.monotonic() + patience
                os.kill(child, signal.SIGTERM)
        if not ready:
            deadline = None
            os.kill(child, signal.SIGKILL)


def _start(command: Sequence[str]) -> int:
    """Fork a process that becomes `command`; return its id."""
    guard = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        # What this interpreter ignores, a program would go on ignoring.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        # Whatever the parent did not listen to: a blocked signal stays blocked in what a process
        # becomes.
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != guard:
                os._exit(_CANNOT_RUN)  # It died before the request was made: no signal will come.
        os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        os.execvp(command[0], list(command))
    except OSError as error:
        os.write(sys.stderr.fileno(), f"cannot run {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(_CANNOT_RUN)


def _end_with(status: int) -> NoReturn:
    """End this process with the status that its child has ended with."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    _guard(float(sys.argv[1]), sys.argv[2:])
