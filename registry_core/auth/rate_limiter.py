"""How many requests are answered in a minute, by kind: of one caller, and of all together.

As Azure Container Registry does it: each caller has a bucket for each kind of request. It is full
at the first request, each one takes something out, and a minute later it is full again. Who finds
it empty is told how long that will take, which is less each time they ask.

It is counted on one instance, in memory: nothing is awaited, and no storage is asked. What is
remembered is bounded, and nothing is forgotten before its minute is over: to come as many callers
empties nobody's bucket and fills nobody's.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from registry_core.errors import TooManyRequests
from registry_core.model.requests import RequestKind
from registry_core.settings import RateLimits

MINUTE = 60.0
"""For how many seconds a bucket lasts."""
MAX_CALLERS = 4_096
"""How many callers of a kind have a bucket of their own; those who come on top share one."""


@dataclass(slots=True)
class _Bucket:
    left: int
    until: float
    """When it is full again."""


class _Buckets:
    """The buckets of one limit, by caller. They all last equally long, so the oldest ends first."""

    def __init__(self, setting: str, size: int) -> None:
        self.setting = setting
        self.size = size
        self._by_caller: OrderedDict[Hashable, _Bucket] = OrderedDict()
        self._shared = _Bucket(size, 0.0)

    def of(self, caller: Hashable, now: float) -> _Bucket:
        """The caller's bucket, as it is at `now`."""
        found = self._by_caller.get(caller)
        if found is not None and now < found.until:
            return found
        while self._by_caller and next(iter(self._by_caller.values())).until <= now:
            self._by_caller.popitem(last=False)
        if len(self._by_caller) < MAX_CALLERS:
            found = self._by_caller[caller] = _Bucket(self.size, now + MINUTE)
            return found
        if self._shared.until <= now:
            self._shared = _Bucket(self.size, now + MINUTE)
        return self._shared

    @property
    def callers(self) -> int:
        """How many callers have a bucket of their own."""
        return len(self._by_caller)


class RateLimiter:
    """Counts requests on one instance, and refuses those that are too many."""

    def __init__(
        self, limits: RateLimits | None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._own: Mapping[RequestKind, _Buckets] = _made(limits, "")
        self._total: Mapping[RequestKind, _Buckets] = _made(limits, "_total")

    def take(self, kinds: Sequence[RequestKind], caller: Hashable) -> int | None:
        """Counts a request of `kinds`, and answers how many more there may be in this minute.

        None: there is no limit. Raises `TooManyRequests` with the seconds until the request would
        be answered; then it is not counted.
        """
        if not (self._own or self._total):
            return None
        now, concerned = self._now(), []
        for kind in kinds:
            if own := self._own.get(kind):
                concerned.append((own, own.of(caller, now)))
            if total := self._total.get(kind):
                concerned.append((total, total.of(None, now)))
        empty = [(bucket.until - now, limit) for limit, bucket in concerned if not bucket.left]
        if empty:
            seconds, limit = max(empty, key=lambda each: each[0])
            raise _refusal(limit, seconds)
        for _, bucket in concerned:
            bucket.left -= 1
        return min((bucket.left for _, bucket in concerned), default=None)

    def remembered(self) -> int:
        """How many buckets of callers there are."""
        return sum(limit.callers for limit in self._own.values())


def _made(limits: RateLimits | None, suffix: str) -> dict[RequestKind, _Buckets]:
    """The buckets of each limit that is set, by the kind of request."""
    made = {}
    for kind in RequestKind:
        name = f"{kind}{suffix}"
        size = getattr(limits, name) if limits else 0
        if size:
            made[kind] = _Buckets(f"REGISTRY_RATE_LIMIT_{name.upper()}", size)
    return made


def _refusal(limit: _Buckets, seconds: float) -> TooManyRequests:
    whole = math.ceil(seconds)
    return TooManyRequests(
        f"more than {limit.size} requests in a minute ({limit.setting}); try again in {whole} s",
        seconds=whole,
    )
