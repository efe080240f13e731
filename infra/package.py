"""Writes the package that is deployed: `dist/slipway-<version>.zip`, for Azure's remote build.

What goes in is listed here, so that nothing can slip in: no settings, no data, no tests. The same
sources make the same bytes. `.funcignore`, by which `func` and azd choose, says the same; a test
holds the two against each other. Needs nothing but Python's standard library.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
FILES = ("function_app.py", "host.json", "requirements.txt")
FOLDERS = ("functions", "registry_core")
PAGE = "ui/dist"
"""What `make page` builds. Its own sources are not deployed."""
PAGE_FILES = ("index.html", "index.html.gz", "_assets/*")
VERSION_FILE = "registry_core/__init__.py"
KINDS = (".py", ".json")
"""Code, and data that it reads."""
BUILT_IN_TRIGGERS = ("timer_trigger",)
"""Those of the programming model that need no extension, beside `route`."""
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_ASSET = re.compile(r'"/ui/(_assets/[^"]+)"')
_TIME = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can tell: a file's own would make every build another."""
_MODE = 0o100644 << 16


class PackageError(Exception):
    """The sources cannot be deployed as they are."""


def version(root: Path) -> str:
    """The version of the sources. Raises `PackageError` if they have none."""
    try:
        found = _VERSION.search((root / VERSION_FILE).read_text())
    except OSError:
        found = None
    if found is None:
        raise PackageError(f"{VERSION_FILE}: __version__ is missing")
    return found[1]


def contents(root: Path) -> Iterator[str]:
    """The paths of what is deployed, relative to `root`, in order."""
    yield from sorted(
        [
            *FILES,
            *(
                path.relative_to(root).as_posix()
                for folder in FOLDERS
                for path in (root / folder).rglob("*")
                if path.suffix in KINDS and path.is_file() and not path.is_symlink()
            ),
            *page(root),
        ]
    )


def page(root: Path) -> list[str]:
    """The paths of the built page; none if it was not built."""
    return [
        path.relative_to(root).as_posix()
        for pattern in PAGE_FILES
        for path in (root / PAGE).glob(pattern)
        if path.is_file() and not path.is_symlink()
    ]


def check_page(root: Path) -> None:
    """Raises `PackageError` if the page is missing, or a file that it names."""
    names = set(page(root))
    index = root / PAGE / "index.html"
    if not index.is_file():
        raise PackageError(f"{PAGE}/index.html: missing; `make page` builds it")
    for asset in _ASSET.findall(index.read_text()):
        if f"{PAGE}/{asset}" not in names:
            raise PackageError(f"{PAGE}/{asset}: missing, and {PAGE}/index.html needs it")


def check(root: Path) -> None:
    """Raises `PackageError` if a file is missing, or is not what its name says."""
    triggers: set[str] = set()
    for name in contents(root):
        path = root / name
        if not path.is_file():
            raise PackageError(f"{name}: missing; an app cannot start without it")
        try:
            if path.suffix == ".json":
                json.loads(path.read_bytes())
            elif path.suffix == ".py":
                triggers |= extension_triggers(path.read_bytes())
        except (ValueError, SyntaxError) as error:
            raise PackageError(f"{name}: {error}") from error
    if triggers and "extensionBundle" not in json.loads((root / "host.json").read_bytes()):
        raise PackageError(
            f"host.json: {', '.join(sorted(triggers))} needs an extensionBundle. Without it, the "
            "functions would never run in Azure, and nothing would say so"
        )


def extension_triggers(source: bytes | str) -> set[str]:
    """The triggers in a source that the Functions host has only with an extension bundle.

    Raises `SyntaxError` if it is not Python.
    """
    return {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and node.attr.endswith("_trigger")
        and node.attr not in BUILT_IN_TRIGGERS
    }


def build(root: Path, target: Path) -> int:
    """Writes the zip, and answers how many files are in it."""
    check(root)
    names = list(contents(root))
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _MODE
            entry.create_system = 3  # Unix, wherever it is built.
            archive.writestr(entry, (root / name).read_bytes())
    unfinished.replace(target)
    return len(names)


def _remove_others(target: Path) -> None:
    """Leaves one package in `dist/`, so that `dist/slipway-*.zip` names it."""
    for path in target.parent.glob("slipway*.zip"):
        if path != target:
            path.unlink()


def main() -> int:
    """Builds, and says what was built."""
    parser = argparse.ArgumentParser(description="Writes the package that is deployed.")
    parser.add_argument("--output", type=Path, help="default: dist/slipway-<version>.zip")
    parser.add_argument("--with-page", action="store_true", help="refuse to pack without the page")
    arguments = parser.parse_args()
    given: Path | None = arguments.output
    try:
        if arguments.with_page:
            check_page(ROOT)
        target = given or DIST / f"slipway-{version(ROOT)}.zip"
        count = build(ROOT, target)
        if given is None:
            _remove_others(target)
    except PackageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    content = target.read_bytes()
    sys.stdout.write(
        f"{target}: {count} files, {len(content):,} bytes, "
        f"sha256:{hashlib.sha256(content).hexdigest()}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
