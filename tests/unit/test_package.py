"""What is deployed: exactly the app, whoever packs it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pathspec
import pytest

from infra import package
from registry_core import __version__

PACKAGE = f"dist/slipway-{__version__}.zip"
MARK = "planted-where-it-must-not-be-packed"


def names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        return set(opened.namelist())


def test_the_app_and_nothing_else_is_packed(copy: Path, tmp_path: Path) -> None:
    for planted in (
        "local.settings.json",
        ".env",
        ".data/admin-password",
        "registry_core/secret.txt",
        "registry_core/__pycache__/errors.cpython-311.pyc",
        ".azure/env/.env",
    ):
        (copy / planted).parent.mkdir(parents=True, exist_ok=True)
        (copy / planted).write_text(MARK)
    target = tmp_path / "app.zip"
    package.build(copy, target)
    packed = names(target)
    assert {
        "function_app.py",
        "host.json",
        "requirements.txt",
        "functions/worker_memory.py",
    } < packed
    assert all("/" not in n or n.startswith(("functions/", "registry_core/")) for n in packed)
    assert all(n.endswith((".py", ".json", "requirements.txt")) for n in packed)
    with zipfile.ZipFile(target) as opened:
        assert all(MARK.encode() not in opened.read(name) for name in packed)


PAGE = "ui/dist"
"""What a build of the page leaves, and beside it what is not deployed."""
BUILT = ("index.html", "index.html.gz", "_assets/index-1a2b3c4d.js", "_assets/index-1a2b3c4d.js.gz")
BESIDE = (".built-123", "other.txt", "_assets/folder/x.js")


def build_page(root: Path) -> None:
    for name in (*BUILT, *BESIDE):
        path = root / PAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('<script type="module" src="/ui/_assets/index-1a2b3c4d.js"></script>')


def test_of_the_page_what_was_built_is_packed_and_no_source(copy: Path, tmp_path: Path) -> None:
    build_page(copy)
    package.check_page(copy)
    package.build(copy, tmp_path / "app.zip")
    packed = {name for name in names(tmp_path / "app.zip") if name.startswith("ui/")}
    assert packed == {f"{PAGE}/{name}" for name in BUILT}


@pytest.mark.parametrize("name", ["index.html", "_assets/index-1a2b3c4d.js"])
def test_a_page_that_is_not_whole_is_told(copy: Path, name: str) -> None:
    build_page(copy)
    (copy / PAGE / name).unlink()
    command = [sys.executable, str(copy / "infra/package.py"), "--with-page"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{PAGE}/{name}: missing")
    assert not (copy / "dist").exists()


def test_the_same_sources_make_the_same_bytes(copy: Path, tmp_path: Path) -> None:
    build_page(copy)
    package.build(copy, tmp_path / "first.zip")
    for path in copy.rglob("*"):
        path.touch()
    (copy / "function_app.py").chmod(0o600)
    package.build(copy, tmp_path / "second.zip")
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_func_and_azd_pack_the_same_by_funcignore(copy: Path) -> None:
    # A virtual environment as `azd restore` makes it, named after the folder.
    (copy / "copy_env/lib").mkdir(parents=True)
    (copy / "copy_env/lib/planted.py").write_text(MARK)
    build_page(copy)
    for name in BESIDE[1:]:  # Which no build leaves.
        (copy / PAGE / name).unlink()
    (copy / "ui/node_modules/x").mkdir(parents=True)
    (copy / "ui/node_modules/x/package.json").write_text("{}")
    ignored = pathspec.GitIgnoreSpec.from_lines((copy / ".funcignore").read_text().splitlines())
    left = {
        path.relative_to(copy).as_posix()
        for path in copy.rglob("*")
        if path.is_file() and not ignored.match_file(path.relative_to(copy).as_posix())
    }
    assert left == set(package.contents(copy))


@pytest.mark.parametrize("name", ["requirements.txt", "host.json", "function_app.py"])
def test_what_cannot_start_is_not_packed(copy: Path, tmp_path: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(package.PackageError, match=name):
        package.build(copy, tmp_path / "app.zip")
    assert not (tmp_path / "app.zip").exists()


def test_the_only_package_in_dist_is_of_the_present_version(copy: Path) -> None:
    """`dist/slipway-*.zip` names it, as the documentation and the pipeline say it."""
    (copy / "dist").mkdir()
    for older in ("slipway.zip", "slipway-0.0.9.zip"):
        (copy / "dist" / older).touch()
    command = [sys.executable, str(copy / "infra/package.py")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"{copy / PACKAGE}: ")
    assert list((copy / "dist").iterdir()) == [copy / PACKAGE]


def test_sources_without_a_version_are_not_packed(copy: Path) -> None:
    (copy / "registry_core/__init__.py").write_text('"""Nothing."""\n')
    command = [sys.executable, str(copy / "infra/package.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("registry_core/__init__.py: ")


TRIGGER = """

@app.queue_trigger(queue_name="q", connection="c", arg_name="m")
async def collect(m: func.QueueMessage) -> None: ...
"""


def test_a_trigger_without_its_extension_is_not_packed(copy: Path, tmp_path: Path) -> None:
    app, host = copy / "function_app.py", copy / "host.json"
    app.write_text(app.read_text() + TRIGGER)
    document = json.loads(host.read_text())
    with_bundle = {"extensionBundle": {"id": "x", "version": "[4.*, 5.0.0)"}, **document}
    for given, is_packed in ((document, "extensionBundle" in document), (with_bundle, True)):
        host.write_text(json.dumps(given))
        told: Any = (
            nullcontext() if is_packed else pytest.raises(package.PackageError, match="queue_trig")
        )
        with told:
            package.build(copy, tmp_path / "app.zip")
        assert (tmp_path / "app.zip").exists() is is_packed


def test_a_broken_host_json_is_told(copy: Path) -> None:
    (copy / "host.json").write_text("{")
    done = subprocess.run(
        [sys.executable, copy / "infra/package.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("host.json: ")
    assert not (copy / "dist").exists()
