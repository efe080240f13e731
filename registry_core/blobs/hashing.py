"""Hashes whose state can be saved and taken up again, by another process too.

`hashlib` hides its state, so SHA-256 and SHA-512 (FIPS 180-4) are run through libcrypto's own
contexts: the library that Python's `_hashlib` is linked to, called by ctypes, which also releases
the interpreter lock. The saved form is ours, not libcrypto's: algorithm, chaining value, length,
pending bytes. It is checked before any of it reaches libcrypto, and a self-test at the start
compares both functions with `hashlib`; where the library is missing or fails it, `hashlib` does
the work and nothing can be saved: a later request then reads the content again.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import hashlib
import importlib.util
import logging
import struct
from dataclasses import dataclass
from typing import Any, Protocol

from registry_core.model.digest import Digest

Buffer = bytes | bytearray | memoryview

_LOGGER = logging.getLogger("slipway")


@dataclass(frozen=True)
class _Algorithm:
    code: int
    word: type[ctypes.c_uint32 | ctypes.c_uint64]
    word_format: str
    block: int
    function: str


_ALGORITHMS = {
    "sha256": _Algorithm(1, ctypes.c_uint32, "I", 64, "SHA256"),
    "sha512": _Algorithm(2, ctypes.c_uint64, "Q", 128, "SHA512"),
}
_BY_CODE = {algorithm.code: name for name, algorithm in _ALGORITHMS.items()}


class RunningHash(Protocol):
    """A hash of the bytes seen so far."""

    name: str
    length: int

    def update(self, data: Buffer) -> None:
        """Takes in more bytes."""

    def hexdigest(self) -> str:
        """The digest of all bytes so far; more may follow."""

    def save(self) -> bytes:
        """The state; empty if it cannot be saved."""


class _Sha256Context(ctypes.Structure):
    _fields_ = [
        ("h", ctypes.c_uint32 * 8),
        ("bits_low", ctypes.c_uint32),
        ("bits_high", ctypes.c_uint32),
        ("data", ctypes.c_uint8 * 64),
        ("pending", ctypes.c_uint),
        ("digest_length", ctypes.c_uint),
    ]


class _Sha512Context(ctypes.Structure):
    _fields_ = [
        ("h", ctypes.c_uint64 * 8),
        ("bits_low", ctypes.c_uint64),
        ("bits_high", ctypes.c_uint64),
        ("data", ctypes.c_uint8 * 128),
        ("pending", ctypes.c_uint),
        ("digest_length", ctypes.c_uint),
    ]


_CONTEXTS: dict[str, type[_Sha256Context | _Sha512Context]] = {
    "sha256": _Sha256Context,
    "sha512": _Sha512Context,
}
_HEADER = struct.Struct(">BQ")


class _LibcryptoHash:
    """One of libcrypto's low-level contexts (openssl/sha.h)."""

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        self.name = name
        self._algorithm = _ALGORITHMS[name]
        self._library = library
        self._context = _CONTEXTS[name]()
        # Room behind the structure, should a future library's context be larger.
        self._memory = ctypes.create_string_buffer(ctypes.sizeof(self._context) + 256)
        self._context = _CONTEXTS[name].from_buffer(self._memory)
        self._call("Init", ctypes.byref(self._context))
        self.length = 0

    def _call(self, function: str, *arguments: Any) -> None:
        if getattr(self._library, f"{self._algorithm.function}_{function}")(*arguments) != 1:
            raise RuntimeError(f"libcrypto: {self._algorithm.function}_{function} failed")

    def update(self, data: Buffer) -> None:
        view = memoryview(data).cast("B")
        size = len(view)
        if not size:
            return
        pointer: Any
        if view.readonly:
            pointer = ctypes.c_char_p(data if isinstance(data, bytes) else bytes(view))
        else:
            pointer = ctypes.byref((ctypes.c_char * size).from_buffer(view))
        self._call("Update", ctypes.byref(self._context), pointer, ctypes.c_size_t(size))
        self.length += size

    def hexdigest(self) -> str:
        copy = ctypes.create_string_buffer(self._memory.raw, len(self._memory))
        digest = ctypes.create_string_buffer(hashlib.new(self.name).digest_size)
        self._call("Final", digest, copy)
        return digest.raw.hex()

    def save(self) -> bytes:
        words = struct.pack(f">8{self._algorithm.word_format}", *self._context.h)
        pending = bytes(self._context.data[: self.length % self._algorithm.block])
        return _HEADER.pack(self._algorithm.code, self.length) + words + pending

    @classmethod
    def restore(cls, library: ctypes.CDLL, name: str, length: int, rest: bytes) -> _LibcryptoHash:
        hash_ = cls(library, name)
        algorithm = hash_._algorithm
        words = struct.Struct(f">8{algorithm.word_format}")
        pending = rest[words.size :]
        context = hash_._context
        context.h[:] = words.unpack_from(rest)
        bits, width = length * 8, 8 * ctypes.sizeof(algorithm.word)
        context.bits_low, context.bits_high = bits & ((1 << width) - 1), bits >> width
        context.data[: len(pending)] = pending
        context.pending = len(pending)
        hash_.length = length
        return hash_


class _HashlibHash:
    """The fallback: as right as the other, but its state stays in the process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._hash = hashlib.new(name, usedforsecurity=False)
        self.length = 0

    def update(self, data: Buffer) -> None:
        self._hash.update(data)
        self.length += len(memoryview(data).cast("B"))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def save(self) -> bytes:
        return b""


def start(name: str) -> RunningHash:
    """A hash of no bytes yet, by the algorithm `name`."""
    library = _library()
    return _LibcryptoHash(library, name) if library else _HashlibHash(name)


def saved_size(name: str, length: int) -> int:
    """How many bytes the saved state takes after `length` bytes."""
    algorithm = _ALGORITHMS[name]
    return _HEADER.size + 8 * ctypes.sizeof(algorithm.word) + length % algorithm.block


def restore(state: bytes) -> RunningHash | None:
    """The hash that `save` made `state` of; None if it is malformed or cannot be used here."""
    library = _library()
    if library is None or len(state) < _HEADER.size:
        return None
    code, length = _HEADER.unpack_from(state)
    name = _BY_CODE.get(code)
    if name is None or length >= 1 << 61 or len(state) != saved_size(name, length):
        return None
    return _LibcryptoHash.restore(library, name, length, state[_HEADER.size :])


def digest_of(running: RunningHash, name: str) -> Digest:
    """The digest of the bytes so far."""
    return Digest(name, running.hexdigest())


def self_test() -> bool:
    """Whether hashes can be saved on this machine; says so in the log where they cannot."""
    if _library() is None:
        _LOGGER.warning(
            "libcrypto cannot save a hash here, so a blob that comes in parts is read again"
        )
        return False
    return True


@functools.cache
def _library() -> ctypes.CDLL | None:
    """libcrypto, if it is there and does what `hashlib` does."""
    for open_library in (_linked_library, _system_library):
        try:
            library = open_library()
            if library is not None and all(_self_test(library, name) for name in _ALGORITHMS):
                return library
        except (OSError, AttributeError, RuntimeError, ImportError):
            continue
    return None


def _linked_library() -> ctypes.CDLL | None:
    """The one that Python's `_hashlib` is linked to: its handle finds the symbols as well."""
    specification = importlib.util.find_spec("_hashlib")
    path = specification.origin if specification else None
    return ctypes.CDLL(path) if path and path != "built-in" else None


def _system_library() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("crypto")
    return ctypes.CDLL(name) if name else None


def _self_test(library: ctypes.CDLL, name: str) -> bool:
    """Whether a hash saved and restored at odd places equals `hashlib`'s."""
    sample = bytes(range(256)) * 5
    running: _LibcryptoHash = _LibcryptoHash(library, name)
    position = 0
    for step in (1, 63, 64, 65, 127, 128, 129, 300):
        running.update(sample[position : position + step])
        position += step
        state = running.save()
        if len(state) != saved_size(name, position):
            return False
        running = _LibcryptoHash.restore(library, name, position, state[_HEADER.size :])
        if running.hexdigest() != hashlib.new(name, sample[:position]).hexdigest():
            return False
    return True
