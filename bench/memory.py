"""How much memory a process has in RAM, as Linux tells it (proc(5))."""

import sys
from pathlib import Path

AVAILABLE = sys.platform == "linux"
"""Whether this system can tell."""
_RESET_PEAK = "5"


class ResidentMemory:
    """The resident memory of one process, all in bytes."""

    def __init__(self, pid: int) -> None:
        self._directory = Path("/proc") / str(pid)

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
