"""Programs written in Go: built once, by `go install`, and kept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

DISTRIBUTION = "3.1.2"
ZOT = "1.4.3"
_DISTRIBUTION_PACKAGE = "github.com/distribution/distribution/v3/cmd/registry"
_ZOT_MODULE, _ZOT_PATH = "github.com/project-zot/zot", "zotregistry.io/zot"
"""Where zot's module is to be had, and what it calls itself."""
_ZOT_TAGS = "containers_image_openpgp,exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper"
"""Leave out what needs libraries in C; zb uses nothing of it."""
_PATIENCE = 1800
_REPLACED = re.compile(r"^replace \(.*?^\)", re.MULTILINE | re.DOTALL)


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


def zb() -> Path:
    """The benchmark of zot. Raises `GoError`.

    `go install` refuses it, because its module has another name than its place. A module of our
    own may say so, with the versions and the checksums that zot was released with.
    """
    program = cache() / f"zb-v{ZOT}" / "zb"
    if not program.is_file():
        with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
            _build_zb(Path(folder), program)
    return program


def _build_zb(folder: Path, program: Path) -> None:
    go = _go()
    _run([go, "mod", "init", "zb"], {}, folder)
    found = _run([go, "mod", "download", "-json", f"{_ZOT_MODULE}@v{ZOT}"], {}, folder).partition(
        '"Dir": "'
    )[2]
    source = Path(found.partition('"')[0])
    replaced = _REPLACED.search((source / "go.mod").read_text())
    lines = [
        "module zb",
        "go 1.19",
        f"require {_ZOT_PATH} v{ZOT}",
        f"replace {_ZOT_PATH} => {_ZOT_MODULE} v{ZOT}",
        replaced[0] if replaced else "",
    ]
    (folder / "go.mod").write_text("\n".join(lines) + "\n")
    (folder / "go.sum").write_bytes((source / "go.sum").read_bytes())
    (folder / "tools.go").write_text(
        f'//go:build tools\npackage tools\nimport _ "{_ZOT_PATH}/cmd/zb"\n'
    )
    command = [go, "build", "-tags", _ZOT_TAGS, "-o", str(program), f"{_ZOT_PATH}/cmd/zb"]
    _run(command, {"GOFLAGS": "-mod=mod"}, folder)


def _go() -> str:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"])
    found = shutil.which("go", path=path)
    if found is None:
        raise GoError("there is no Go on this machine")
    return found


def _run(command: Sequence[str], environment: dict[str, str], cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=cwd or tempfile.gettempdir(),
            env={**os.environ, **environment},
            capture_output=True,
            check=True,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:]
        raise GoError(f"{' '.join(command[:2])} failed: {''.join(last)}") from error
    except subprocess.TimeoutExpired as error:
        raise GoError(f"{' '.join(command[:2])} took more than {_PATIENCE} s") from error
    return done.stdout
