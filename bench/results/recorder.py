"""Where a run leaves what it has measured."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.client import UnexpectedAnswerError
from bench.machine import memory_bytes, processor_name, processors
from bench.results.store import Figures, Key, Result, Results, ResultsError
from devhost.errors import DevhostError
from registry_core.storage.faults import StorageFault

_ROOT = Path(__file__).resolve().parents[2]
_REFUSALS = (
    UnexpectedAnswerError,
    DevhostError,
    StorageFault,
    asyncio.IncompleteReadError,
    OSError,
)
"""By what a server refuses what it is asked, or is not there to be asked."""
_MEASURED = ("function_app.py", "functions", "registry_core", "devhost", "bench", "requirements")
"""What makes a difference to what is measured; the file of results itself does not."""


class Recorder:
    """Adds results to a file, and says what it has already."""

    def __init__(
        self, path: Path, say: Callable[[str], None], *, quick: bool, resume: bool
    ) -> None:
        """Raises `ResultsError` if the file is of another machine, or too good for a quick run."""
        self._path, self._quick, self._resume = path, quick, resume
        self._say = say
        self.failures: list[str] = []
        """What could not be measured, and why."""
        self._commit = commit()
        self.results = Results.read(path) if path.exists() else Results(this_machine(), {})
        if self.results.machine != this_machine():
            raise ResultsError(
                f"{path} was measured on another machine. Name another file with --results"
            )
        if not quick:
            self.results.drop_quick()
        elif any(not each.quick for each in self.results):
            raise ResultsError(
                f"{path} is of a whole run, which a quick one would spoil. "
                "Name another file with --results"
            )

    def has(self, part: str, key: Key) -> bool:
        """Whether a run that was stopped has left this one, and it need not be measured again."""
        found = self.results.result(part, key)
        return (
            self._resume
            and found is not None
            and (found.commit, found.quick) == (self._commit, self._quick)
        )

    def put(self, part: str, key: Key, figures: Figures) -> None:
        """Keeps a result."""
        today = datetime.now(UTC).date().isoformat()
        self.results.put(Result(part, key, figures, self._commit, today, self._quick))
        self.results.write(self._path)

    @contextlib.asynccontextmanager
    async def attempt(self, what: str) -> AsyncIterator[None]:
        """What a server refuses is noted, and the run goes on."""
        try:
            yield
        except* _REFUSALS as group:
            self.fail(f"{what}: {_first(group)}")

    def fail(self, text: str) -> None:
        """Notes that something could not be measured."""
        self.failures.append(text)
        self._say(text)

    def name_versions(self, versions: Mapping[str, str]) -> None:
        """Notes of which releases the results are."""
        self.results.versions |= versions


def _first(error: BaseException) -> BaseException:
    """What went wrong, of several things at once the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def commit() -> str:
    """Of the sources, with a `+` where what is measured was changed; empty outside of git."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--", *_MEASURED) else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607
        cwd=_ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


def this_machine() -> dict[str, Any]:
    """What counts of it for times."""
    return {
        "processor": processor_name(),
        "processors": processors(),
        "memory_gib": round(memory_bytes() / 1024**3),
        "system": f"{platform.system()} {platform.machine()}",
    }
