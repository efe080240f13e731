"""A small cache of positive answers: bounded in entries, bytes and time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Generic, NamedTuple, TypeVar

V = TypeVar("V")


class Ticket(NamedTuple):
    """When a value began to be read, in a cache's own time, and what had been discarded by then."""

    begun: float
    discarded: int


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
        self._discarded = 0

    def ticket(self) -> Ticket:
        """To be taken before a value is read that is to be put: see `put`."""
        return Ticket(self._now(), self._discarded)

    def is_current(self, ticket: Ticket) -> bool:
        """Whether nothing was discarded since it was taken."""
        return ticket.discarded == self._discarded

    def get(self, key: Hashable) -> V | None:
        """The value, unless it was never put, is too old or made room for others."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._now():
            self._remove(key)
            return None
        self._entries.move_to_end(key)
        return entry[2]

    def put(self, key: Hashable, value: V, size: int = 0, *, ticket: Ticket | None = None) -> None:
        """Keeps `value`, of `size` bytes, from now on, or from when `ticket` was taken.

        Unless something was discarded since then: it may have been this value, which was read
        before it was deleted.
        """
        self._remove(key)
        ticket = ticket or self.ticket()
        if self._ttl <= 0 or size > self._max_bytes // 4 or not self.is_current(ticket):
            return
        self._entries[key] = (ticket.begun + self._ttl, size, value)
        self._bytes += size
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self._remove(next(iter(self._entries)))

    def discard(self, key: Hashable) -> None:
        """Forgets the value, if it is there, and keeps those from being put that are being read."""
        self._discarded += 1
        self._remove(key)

    def _remove(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry[1]
