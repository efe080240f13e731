"""A small cache of positive answers: bounded in entries, bytes and time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """Keeps values for `ttl`, the least recently used going first."""

    def __init__(
        self,
        ttl: timedelta,
        max_entries: int = 4096,
        max_bytes: int = 16 * 1024 * 1024,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl = ttl.total_seconds()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._now = now
        self._entries: OrderedDict[Hashable, tuple[float, int, V]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> V | None:
        """The value, unless it was never put, is too old or made room for others."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._now():
            self.discard(key)
            return None
        self._entries.move_to_end(key)
        return entry[2]

    def put(self, key: Hashable, value: V, size: int = 0) -> None:
        """Keeps `value`, of `size` bytes, from now on."""
        self.discard(key)
        if self._ttl <= 0 or size > self._max_bytes // 4:
            return
        self._entries[key] = (self._now() + self._ttl, size, value)
        self._bytes += size
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self.discard(next(iter(self._entries)))

    def discard(self, key: Hashable) -> None:
        """Forgets the value, if it is there."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry[1]
