import ctypes
import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.blobs import hashing
from registry_core.blobs.hashing import RunningHash
from registry_core.model.digest import Digest

NAMES = ["sha256", "sha512"]
ROOT = Path(__file__).resolve().parents[4]
# The longest message whose length SHA-256 can count: 2^64 - 1 bits.
TOO_LONG = 1 << 61

names = st.sampled_from(NAMES)
pieces = st.lists(st.binary(max_size=300), max_size=8)


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_library", lambda: None)


@pytest.fixture
def fresh_search() -> Iterator[None]:
    hashing._library.cache_clear()
    yield
    hashing._library.cache_clear()


def restored(state: bytes) -> RunningHash:
    running = hashing.restore(state)
    assert running is not None
    return running


def test_libcrypto_is_found_here() -> None:
    assert hashing._library() is not None


@given(names, pieces)
def test_however_content_is_split_saved_and_restored_the_digest_is_hashlibs(
    name: str, content: list[bytes]
) -> None:
    running, expected, length = hashing.start(name), hashlib.new(name), 0
    for piece in content:
        running.update(piece)
        expected.update(piece)
        length += len(piece)
        state = running.save()
        assert len(state) == hashing.saved_size(name, length)
        running = restored(state)
        assert (running.name, running.length) == (name, length)
        assert running.hexdigest() == expected.hexdigest()
    assert hashing.digest_of(running, name) == Digest(name, expected.hexdigest())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 127, 128, 129, 1 << 20])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda b: memoryview(bytearray(b))])
def test_every_buffer_counts_alike(
    name: str, length: int, kind: Callable[[bytes], hashing.Buffer]
) -> None:
    content = b"\x00\xff" * (length // 2) + b"x" * (length % 2)
    running = hashing.start(name)
    running.update(kind(content))
    assert running.length == length
    assert running.hexdigest() == hashlib.new(name, content).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_a_slice_of_a_buffer_is_hashed_and_no_more(name: str) -> None:
    buffer = bytearray(b"abcdefgh")
    running = hashing.start(name)
    running.update(memoryview(buffer)[2:5])
    running.update(memoryview(bytes(buffer))[5:6])
    assert running.hexdigest() == hashlib.new(name, b"cdef").hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_other_threads_run_while_a_block_is_hashed(name: str) -> None:
    began, seen = threading.Event(), threading.Event()
    block = bytearray(8 * 1024 * 1024)

    def hash_until_seen() -> None:
        running = hashing.start(name)
        began.set()
        for _ in range(200):
            if seen.is_set():
                break
            running.update(block)

    interval = sys.getswitchinterval()
    # Nobody is made to give up the interpreter lock: it is had only if `update` releases it.
    sys.setswitchinterval(1000)
    try:
        thread = threading.Thread(target=hash_until_seen)
        thread.start()
        began.wait()
        still_hashing = thread.is_alive()
        seen.set()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert still_hashing


@pytest.mark.parametrize("name", NAMES)
def test_a_digest_asked_for_in_between_changes_nothing(name: str) -> None:
    running = hashing.start(name)
    running.update(b"one")
    assert running.hexdigest() == running.hexdigest()
    state = running.save()
    running.update(b"two")
    assert running.hexdigest() == hashlib.new(name, b"onetwo").hexdigest()
    assert restored(state).hexdigest() == hashlib.new(name, b"one").hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_hash_goes_on_in_another_process(name: str) -> None:
    content = b"\x01\x02" * 1000
    running = hashing.start(name)
    running.update(content[:777])
    program = (
        "import sys; from registry_core.blobs import hashing;"
        "h = hashing.restore(bytes.fromhex(sys.argv[1])); h.update(bytes.fromhex(sys.argv[2]));"
        "print(h.length, h.hexdigest())"
    )
    arguments = [running.save().hex(), content[777:].hex()]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["2000", hashlib.new(name, content).hexdigest()]


@pytest.mark.parametrize("length", [2**32 // 8 - 1, 2**32 // 8, 2**32, TOO_LONG - 128])
@pytest.mark.parametrize("name", NAMES)
def test_a_hash_of_gigabytes_counts_on_where_it_was_saved(name: str, length: int) -> None:
    pending = length % (64 if name == "sha256" else 128)
    code = 1 if name == "sha256" else 2
    words = bytes(range(32 if name == "sha256" else 64))
    state = bytes([code]) + length.to_bytes(8, "big") + words + b"p" * pending
    running = restored(state)
    assert running.save() == state
    # The padding holds the number of bits, which libcrypto keeps in two words.
    low_bits = (length * 8) % (1 << 32 if name == "sha256" else 1 << 64)
    context = running._context  # type: ignore[attr-defined]
    assert (context.bits_low, context.pending) == (low_bits, pending)
    running.update(b"x" * 200)
    assert running.length == length + 200


def saved(name: str, content: bytes) -> bytes:
    running = hashing.start(name)
    running.update(content)
    return running.save()


@given(names, st.binary(max_size=200), st.data())
def test_a_state_of_another_length_is_refused(
    name: str, content: bytes, data: st.DataObject
) -> None:
    state = saved(name, content)
    cut = data.draw(st.integers(0, len(state) - 1))
    extra = data.draw(st.binary(min_size=1, max_size=100))
    assert hashing.restore(state[:cut]) is None
    assert hashing.restore(state + extra) is None


@given(names, st.binary(max_size=200), st.data())
def test_a_flipped_bit_is_refused_or_gives_another_hash_but_never_crashes(
    name: str, content: bytes, data: st.DataObject
) -> None:
    state = bytearray(saved(name, content))
    bit = data.draw(st.integers(0, len(state) * 8 - 1))
    state[bit // 8] ^= 1 << bit % 8
    running = hashing.restore(bytes(state))
    if running is None:
        assert bit < 9 * 8
        return
    assert running.length >= 0
    running.update(b"more")
    assert running.hexdigest() != hashlib.new(name, content + b"more").hexdigest()


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_or_a_usable_hash(state: bytes) -> None:
    running = hashing.restore(state)
    if running is not None:
        running.update(b"x" * 130)
        assert len(running.hexdigest()) in (64, 128)


@pytest.mark.parametrize("code", [0, 3, 255])
def test_an_unknown_algorithm_is_refused(code: int) -> None:
    assert hashing.restore(bytes([code]) + saved("sha256", b"")[1:]) is None


@pytest.mark.parametrize("length", [TOO_LONG, (1 << 64) - 64])
def test_a_length_that_cannot_be_is_refused(length: int) -> None:
    state = saved("sha256", b"")
    assert hashing.restore(state[:1] + length.to_bytes(8, "big") + state[9:]) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_state_fits_into_a_url_with_room_to_spare(name: str) -> None:
    assert max(hashing.saved_size(name, length) for length in range(256)) <= 200


@pytest.mark.usefixtures("without_library")
@pytest.mark.parametrize("name", NAMES)
def test_without_libcrypto_hashes_are_right_and_cannot_be_saved(name: str) -> None:
    running = hashing.start(name)
    running.update(b"on")
    running.update(memoryview(bytearray(b"e")))
    assert (running.name, running.length) == (name, 3)
    assert running.hexdigest() == hashlib.new(name, b"one").hexdigest()
    assert running.save() == b""


def test_without_libcrypto_a_saved_state_is_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    state = saved("sha256", b"one")
    monkeypatch.setattr(hashing, "_library", lambda: None)
    assert hashing.restore(state) is None


class _Wrong:
    """A library whose functions succeed and do nothing."""

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *_: 1


class _Failing:
    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *_: 0


def missing() -> ctypes.CDLL | None:
    return None


def broken() -> ctypes.CDLL | None:
    raise OSError("no such library")


@pytest.mark.usefixtures("fresh_search")
@pytest.mark.parametrize("library", [missing, broken, _Wrong, _Failing, object])
def test_a_library_that_is_missing_or_fails_the_self_test_is_not_used(
    monkeypatch: pytest.MonkeyPatch, library: Callable[[], object]
) -> None:
    for search in ("_linked_library", "_system_library"):
        monkeypatch.setattr(hashing, search, library)
    assert hashing._library() is None
    assert hashing.start("sha256").save() == b""


@pytest.mark.usefixtures("fresh_search")
def test_the_systems_library_stands_in_for_the_linked_one(monkeypatch: pytest.MonkeyPatch) -> None:
    linked = hashing._linked_library
    monkeypatch.setattr(hashing, "_linked_library", broken)
    monkeypatch.setattr(hashing, "_system_library", linked)
    assert hashing._library() is not None
