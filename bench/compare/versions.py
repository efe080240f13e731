"""Of which releases a run tells."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

from bench.contenders import go_tools, slipway
from bench.contenders.contender import Kind
from bench.contenders.field import Field
from registry_core import __version__

_ROOT = Path(__file__).resolve().parents[2]


def versions(field: Field) -> dict[str, str]:
    """The releases of what ran, by name."""
    packages = json.loads((_ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    kinds = {contender.kind for contender in field.contenders}
    found = {
        "Slipway": __version__,
        "Python": platform.python_version(),
        "Azurite": packages["node_modules/azurite"]["version"],
    }
    if Kind.ENGINE in kinds:
        found |= _engine()
    if Kind.DISTRIBUTION in kinds:
        found["distribution"] = go_tools.DISTRIBUTION
    return found


def _engine() -> dict[str, str]:
    """The engine's package and Python."""
    statement = (
        "import importlib.metadata as m, platform as p;"
        "print(m.version('azure-functions-runtime'), p.python_version())"
    )
    done = subprocess.run(
        [str(slipway.ENGINE_PYTHON), "-c", statement], capture_output=True, check=True, text=True
    )
    engine, python = done.stdout.split()
    return {"azure-functions-runtime": engine, "Python of the engine": python}
