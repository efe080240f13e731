"""No child outlives its parent, however either of them behaves."""

import os
import select
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from devhost.processes.children import Child
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)

# A parent that has one child, says its process id once that is up, and waits to be killed.
PARENT = """
import signal, sys, time
from pathlib import Path
from devhost.processes.children import Child
patience, log, prepare, *command = sys.argv[1:]
exec(prepare)
with Path(log).open("wb") as output:
    child = Child(command, output=output, patience=float(patience))
while b"up" not in Path(log).read_bytes():
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(600)
"""
SLEEP = "import time; print('up', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
TIDY = (
    "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (print('tidy'), sys.exit())); "
    f"{SLEEP}"
)


def has_ended(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], PATIENCE)[0])


def kill_parent_of(tmp_path: Path, child: str, *, patience: float, prepare: str = "") -> bytes:
    """Kill the parent of a child, and return what the child said until it ended."""
    log = tmp_path / "log"
    command = [sys.executable, "-c", PARENT, str(patience), str(log), prepare]
    command += [sys.executable, "-c", child]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pidfd = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert has_ended(pidfd), "the child is still there"
    finally:
        os.close(pidfd)
    return log.read_bytes()


def test_a_child_whose_parent_was_killed_ends_in_order(tmp_path: Path) -> None:
    # Longer than the test waits: it is not the guard that ends it.
    assert b"tidy" in kill_parent_of(tmp_path, TIDY, patience=2 * PATIENCE)


def test_a_child_that_ignores_sigterm_is_killed_after_a_patience(tmp_path: Path) -> None:
    kill_parent_of(tmp_path, DEAF, patience=0.2)


@pytest.mark.parametrize(
    "prepare",
    [
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])",
    ],
)
def test_a_child_hears_of_its_parents_death_though_the_parent_was_deaf_to_sigterm(
    tmp_path: Path, prepare: str
) -> None:
    kill_parent_of(tmp_path, SLEEP, patience=2 * PATIENCE, prepare=prepare)


COUNTING = """
import os, signal, sys, time
def count(*_):
    print("asked", flush=True)
    if not os.fork():  # Ends the process when no second signal can be under way any more.
        time.sleep(0.5)
        os.kill(os.getppid(), signal.SIGKILL)
        os._exit(0)
signal.signal(signal.SIGTERM, count)
print("up", flush=True)
while True:
    time.sleep(600)
"""
THREADS = """
import threading
for _ in range(20):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
"""


def test_a_child_is_asked_once_by_the_death_of_a_parent_with_threads(tmp_path: Path) -> None:
    said = kill_parent_of(tmp_path, COUNTING, patience=2 * PATIENCE, prepare=THREADS)
    assert said.count(b"asked") == 1


def test_a_child_is_asked_once_where_its_parent_dies_while_it_stops_it(tmp_path: Path) -> None:
    stopping = """
import os, threading
def stop():
    os.read(0, 1)
    child.stop()
threading.Thread(target=stop, daemon=True).start()
"""
    log = tmp_path / "log"
    command = [sys.executable, "-c", PARENT, str(2 * PATIENCE), str(log), stopping]
    command += [sys.executable, "-c", COUNTING]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        pidfd = os.pidfd_open(int(parent.stdout.readline()))
        parent.stdin.write(b"!")
        parent.stdin.flush()
        while b"asked" not in log.read_bytes():
            time.sleep(0.01)
        parent.kill()
    try:
        assert has_ended(pidfd), "the child is still there"
    finally:
        os.close(pidfd)
    assert log.read_bytes().count(b"asked") == 1


def test_a_child_whose_guard_was_killed_ends_in_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        child = Child([sys.executable, "-c", TIDY], output=output)
    while b"up" not in log.read_bytes():
        time.sleep(0.01)
    pidfd = os.pidfd_open(child.pid)
    try:
        child._guard.kill()
        assert has_ended(pidfd), "the child is still there"
    finally:
        os.close(pidfd)
    assert b"tidy" in log.read_bytes()
    assert child.poll() == -signal.SIGKILL or child._guard.wait() == -signal.SIGKILL
    child.stop()


def test_a_guard_does_not_end_by_what_asks_all_processes_to_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        child = Child([sys.executable, "-c", TIDY], output=output)
    while b"up" not in log.read_bytes():
        time.sleep(0.01)
    child._guard.send_signal(signal.SIGTERM)
    child.stop()
    assert child.poll() == 0
    assert b"tidy" in log.read_bytes()


def ignored(status: str) -> int:
    """The signals that a process ignores, by what /proc tells of it."""
    return int(dict(line.split(":\t", 1) for line in status.splitlines())["SigIgn"], 16)


def test_a_child_blocks_no_signal_and_ignores_none_but_those_of_the_test_run(
    tmp_path: Path,
) -> None:
    """As a program that a shell starts, whatever the guard's interpreter has set.

    Whoever runs the tests in the background has SIGINT and SIGQUIT ignored by all of them.
    """
    plain = subprocess.run(["cat", "/proc/self/status"], stdout=subprocess.PIPE, check=True)
    log = tmp_path / "log"
    with log.open("wb") as output:
        child = Child(["cat", "/proc/self/status"], output=output)
    while child.poll() is None:
        time.sleep(0.01)
    child.stop()
    masks = dict(line.split(":\t", 1) for line in log.read_text().splitlines())
    assert int(masks["SigBlk"], 16) == 0
    assert ignored(log.read_text()) & ~ignored(plain.stdout.decode()) == 0


def test_a_descriptor_that_is_kept_open_closes_when_the_child_has_ended(tmp_path: Path) -> None:
    """Its end of the pipe outlives the parent's copy: a lock would be held for as long."""
    reading, writing = os.pipe()
    with (tmp_path / "log").open("wb") as output:
        child = Child([sys.executable, "-c", SLEEP], output=output, keep_open=writing)
    os.close(writing)
    assert not select.select([reading], [], [], 0)[0]
    child.stop()
    assert os.read(reading, 1) == b""
    os.close(reading)


def is_running(marker: str) -> bool:
    """Whether any process has `marker` among its arguments."""
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and marker in (process / "cmdline").read_text():
                return True
        except OSError:
            continue
    return False


@pytest.mark.parametrize("milliseconds", range(0, 60, 6))
def test_a_parent_killed_while_it_starts_a_child_leaves_nothing(
    tmp_path: Path, milliseconds: int
) -> None:
    marker = str(uuid.uuid4())
    program = "import sys; print(flush=True); exec(sys.argv[1])"
    start = PARENT.replace("sys.argv[1:]", "sys.argv[2:]")
    command = [sys.executable, "-c", program, start, "0.2", str(tmp_path / "log"), ""]
    command += [sys.executable, "-c", DEAF, marker]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        time.sleep(milliseconds / 1000)
        parent.kill()
    deadline = time.monotonic() + PATIENCE
    while is_running(marker):
        assert time.monotonic() < deadline, "the child is still there"
        time.sleep(0.01)


def test_a_child_that_was_stopped_leaves_no_guard(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as output:
        child = Child(["sleep", "600"], output=output)
    guard = child._guard
    assert guard.poll() is None
    child.stop()
    assert child.poll() == -signal.SIGTERM
    assert guard.poll() is not None
    child.stop()


def test_a_child_deaf_to_its_parent_is_killed_when_it_is_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        child = Child([sys.executable, "-c", DEAF], output=output, patience=0.1)
    while b"up" not in log.read_bytes():
        time.sleep(0.01)
    child.stop()
    assert child.poll() == -signal.SIGKILL


def test_a_command_that_does_not_exist_ends_at_once_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        child = Child(["/nowhere/command"], output=output)
    while child.poll() is None:
        time.sleep(0.01)
    child.stop()
    assert b"cannot run /nowhere/command: No such file" in log.read_bytes()
