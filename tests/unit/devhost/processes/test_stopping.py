"""The end of a process, in processes of their own."""

import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[4]

BLOCKED = """
import threading
from devhost.processes import stopping
stopping.LAST_RESORT = 0.0
last_resort = stopping.LastResort(lambda: print("cleaned up", flush=True))
last_resort.arm()
last_resort.arm()
threading.Event().wait()
"""
FREE = BLOCKED.replace("threading.Event().wait()", "last_resort.disarm(); print('free')").replace(
    "LAST_RESORT = 0.0", "LAST_RESORT = 600.0"
)


def run(program: str) -> tuple[int, str]:
    command = [sys.executable, "-c", program]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return result.returncode, result.stdout


def test_a_process_that_is_blocked_ends_by_its_last_resort_and_cleans_up_before() -> None:
    assert run(BLOCKED) == (1, "cleaned up\n")


def test_a_last_resort_that_was_disarmed_ends_nothing() -> None:
    assert run(FREE) == (0, "free\n")
