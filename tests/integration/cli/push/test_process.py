"""`slipway push` as a process: Ctrl-C, memory and disk, and what a terminal shows."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.archives import LayoutFiles, docker_files, write_folder, written
from tests.e2e.images import Image, Layer, incompressible, tar
from tests.integration.cli.shelf import Shelf
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[4]
MIB = 1024 * 1024
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(autouse=True)
def _heeds_ctrl_c() -> Iterator[None]:
    """As a terminal starts it: whoever runs the tests in the background has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def start(admin: Path) -> Iterator[Start]:
    """Starts a push as the admin; kills what is left of it."""
    started: list[subprocess.Popen[bytes]] = []

    def call(*words: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "slipway_cli", "push", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        with process:
            pass


def image(seed: str, *sizes: int) -> Image:
    return Image([Layer(tar({"data": incompressible(size, seed + str(size))})) for size in sizes])


def test_ctrl_c_says_how_to_go_on_and_what_has_arrived_is_not_sent_again(
    start: Start, shelf: Shelf
) -> None:
    files, one = LayoutFiles(), image("ctrl-c", 5 * MIB, 6 * MIB)
    files.list(files.image(one))
    whole = written(files.files())
    begun = start("--archive", "-", "push/ctrl-c:v1")
    assert begun.stdin
    assert begun.stderr
    begun.stdin.write(whole[: whole.index(one.layers[1].content) + MIB])
    begun.stdin.flush()
    assert b"5.2 MB  sent" in begun.stderr.readline()
    begun.send_signal(signal.SIGINT)
    out, err = begun.communicate(timeout=PATIENCE)
    assert (begun.returncode, out) == (130, b"")
    assert b"slipway: interrupted. To go on, repeat the command" in err
    assert b"Traceback" not in err
    assert shelf.tags("push/ctrl-c") == []

    out, err = start("--archive", "-", "push/ctrl-c:v1").communicate(whole, PATIENCE)
    assert out.decode() == f"{shelf.netloc}/push/ctrl-c@{one.digest}\n"
    assert b"1 blob there already (5.2 MB)" in err


def feed(process: subprocess.Popen[bytes], size: int, watch: Callable[[], None]) -> None:
    """Writes an archive whose only layer is of a size, piece by piece."""
    assert process.stdin
    piece = incompressible(MIB, "piece")
    member = tarfile.TarInfo("layer/layer.tar")
    member.size = size
    process.stdin.write(member.tobuf())
    for number in range(size // MIB):
        process.stdin.write(piece)
        if number % 20 == 0:
            watch()
    process.stdin.write(bytes(1024))
    process.stdin.close()


def test_memory_does_not_grow_with_the_archive_and_nothing_is_written_to_disk(
    start: Start, shelf: Shelf
) -> None:
    resident, octets = [], []

    def figure(file: str, name: str) -> int:
        text = Path(f"/proc/{process.pid}/{file}").read_text()
        found = re.search(rf"^{name}:\s*(\d+)", text, re.MULTILINE)
        assert found
        return int(found[1])

    def watch() -> None:
        resident.append(figure("status", "VmHWM") * 1024)
        octets.append(figure("io", "write_bytes"))

    process = start("--archive", "-", "push/memory:v1")
    feed(process, 160 * MIB, watch)
    process.wait(PATIENCE)
    assert process.stderr
    # It was all taken in: only the end shows that there is no manifest.
    assert b"neither an OCI layout nor one of docker" in process.stderr.read()
    assert max(resident) < 150 * MIB
    assert max(octets) == octets[0]


def test_a_terminal_shows_a_line_for_each_layer_and_then_what_was_done(
    start: Start, shelf: Shelf, tmp_path: Path
) -> None:
    one = image("terminal", 20 * MIB, 21 * MIB)
    path = tmp_path / "archive"
    path.write_bytes(written(docker_files(one)))
    terminal, other_side = pty.openpty()
    process = start("--archive", str(path), "push/terminal:v1", stderr=other_side)
    os.close(other_side)
    shown = b""
    while piece := _read(terminal):
        shown += piece
    os.close(terminal)
    assert process.wait(PATIENCE) == 0, shown
    text = shown.decode()
    for layer in one.layers:
        name = layer.diff_id[7:19]
        under_way = re.compile(
            rf"{name} +[0-9.]+ .?B of  +2[0-9.]+ MB +\d+ %  +[0-9.]+ .?B/s +[0-9:.]+ s|min left"
        )
        assert under_way.search(text), text
        assert re.search(rf"{name} +2[0-9.]+ MB  sent in ", text), text
    # They go at the same time.
    first, second = (layer.diff_id[7:19] for layer in one.layers)
    assert re.search(rf"{first} [^\x1b]*%[^\x1b]*\r\n{second} [^\x1b]*%", text), text
    assert re.search(r"3 blobs sent \(43\.\d MB\) in ", text), text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # How a terminal says that nobody writes to it any more.
        return b""


def test_nothing_but_the_layout_itself_is_read_of_a_folder(
    start: Start, shelf: Shelf, tmp_path: Path
) -> None:
    """A link that leads elsewhere counts only if its digest is right, and is never repeated."""
    files, one = LayoutFiles(), image("folder", 1000)
    files.list(files.image(one))
    folder = write_folder(tmp_path / "layout", files.files())
    digest = one.digest.removeprefix("sha256:")
    (folder / "blobs" / "sha256" / digest).unlink()
    (folder / "blobs" / "sha256" / digest).symlink_to("/etc/hostname")
    process = start("--archive", str(folder), "push/folder:v1")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, b"")
    assert Path("/etc/hostname").read_bytes().strip() not in err
