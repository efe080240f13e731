"""Programs written in Go: built once, by `go install`, and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

DISTRIBUTION = "3.1.2"
_DISTRIBUTION_PACKAGE = "github.com/distribution/distribution/v3/cmd/registry"
_PATIENCE = 1800


class GoError(Exception):
    """A program cannot be had; the text says why."""


def cache() -> Path:
    """The folder in which they are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "slipway-bench"


def registry() -> Path:
    """CNCF distribution's registry. Raises `GoError`."""
    folder = cache() / f"distribution-v{DISTRIBUTION}"
    program = folder / "registry"
    if not program.is_file():
        package = f"{_DISTRIBUTION_PACKAGE}@v{DISTRIBUTION}"
        _run([_go(), "install", package], {"GOBIN": str(folder)})
    return program


def _go() -> str:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"])
    found = shutil.which("go", path=path)
    if found is None:
        raise GoError("there is no Go on this machine")
    return found


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    try:
        subprocess.run(
            command,
            # Where no go.mod stands that is not meant.
            cwd=tempfile.gettempdir(),
            env={**os.environ, **environment},
            capture_output=True,
            check=True,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:]
        raise GoError(f"{' '.join(command)} failed: {''.join(last)}") from error
    except subprocess.TimeoutExpired as error:
        raise GoError(f"{' '.join(command)} took more than {_PATIENCE} s") from error
