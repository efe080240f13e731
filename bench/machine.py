"""What Linux tells of memory and processor time. Of other systems nothing is known."""

import contextlib
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

AVAILABLE = sys.platform == "linux"
"""Whether this system can tell."""
_PROC = Path("/proc")
_RESET_PEAK = "5"
_SCHEDULED = 2
"""The kind of clock that counts the time for which a process ran."""


class ResidentMemory:
    """How much of one process is in RAM, in bytes."""

    def __init__(self, pid: int) -> None:
        self._directory = _PROC / str(pid)

    def now(self) -> int:
        """What it has now."""
        return self._field("VmRSS")

    def peak(self) -> int:
        """The most it had at any moment since `reset_peak`."""
        return self._field("VmHWM")

    def reset_peak(self) -> None:
        """Forgets the peak so far."""
        (self._directory / "clear_refs").write_text(_RESET_PEAK)

    def _field(self, name: str) -> int:
        for line in (self._directory / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(f"no {name} in {self._directory}/status")


class OtherLoad:
    """How busy others keep this machine, from the moment this is made."""

    def __init__(self, ours: Sequence[int]) -> None:
        self._ours = ours
        self._began = time.monotonic()
        self._before = self._others()

    def processors(self) -> float:
        """How many processors all processes but `ours` took on average; 0 if unknown."""
        return (self._others() - self._before) / (time.monotonic() - self._began)

    def _others(self) -> float:
        """Seconds of processor time since the machine started."""
        if not AVAILABLE:
            return 0.0
        user, nice, system, _idle, _iowait, *rest = _ticks((_PROC / "stat").read_text(), 1)
        interrupts_and_stolen = sum(rest[:3])
        ticks = user + nice + system + interrupts_and_stolen
        return ticks / os.sysconf("SC_CLK_TCK") - processor_seconds(self._ours)


def processor_seconds(pids: Iterable[int]) -> float:
    """What these processes have taken since they started, as user and for the system; 0 if unknown.

    Read from each process's own clock, which counts nanoseconds and all threads, also those that
    have ended (clock_getcpuclockid(3)); /proc counts in hundredths of a second.
    """
    if not AVAILABLE:
        return 0.0
    return sum(time.clock_gettime((~pid << 3) | _SCHEDULED) for pid in pids)


def _ticks(text: str, first: int) -> list[int]:
    """The numbers of a line, from field `first`, counted from 0."""
    return [int(field) for field in text.partition("\n")[0].split()[first:]]


def processor_name() -> str:
    """The model of the processor, as the system calls it."""
    info = _PROC / "cpuinfo"
    for line in info.read_text().splitlines() if info.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if AVAILABLE else os.cpu_count() or 1


def can_separate() -> bool:
    """Whether processes can be given processors of their own here."""
    return AVAILABLE and processors() > 1


@contextlib.contextmanager
def apart(pid: int, others: Iterable[int]) -> Iterator[None]:
    """Gives a process half of the processors, and the others the rest, until the end of the block.

    Only where `can_separate`.
    """
    all_ = sorted(os.sched_getaffinity(0))
    middle = len(all_) // 2
    others = tuple(others)
    try:
        _bind([pid], all_[:middle])
        _bind(others, all_[middle:])
        yield
    finally:
        _bind([pid, *others], all_)


def _bind(pids: Iterable[int], to: Iterable[int]) -> None:
    """Of every thread: what it starts later is bound as it is."""
    for pid in pids:
        for thread in (_PROC / str(pid) / "task").iterdir():
            # One that ends meanwhile needs nothing.
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), to)


def memory_bytes() -> int:
    """All of the machine's."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
