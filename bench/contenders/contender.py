"""What every registry that is compared has."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from bench.proxy.process import Proxy


class Family(Enum):
    """Whose registry it is. Those of one family serve the same storage."""

    SLIPWAY = "Slipway"
    DISTRIBUTION = "distribution"


class Kind(Enum):
    """The registries, by the names that results have."""

    DEVHOST = "devhost"
    ENGINE = "engine"
    DISTRIBUTION = "distribution"

    @property
    def family(self) -> Family:
        """Whose it is."""
        return Family.DISTRIBUTION if self is Kind.DISTRIBUTION else Family.SLIPWAY

    @property
    def title(self) -> str:
        """For people."""
        return _TITLES[self]


_TITLES = {
    Kind.DEVHOST: "Slipway",
    Kind.ENGINE: "Slipway, engine",
    Kind.DISTRIBUTION: "distribution",
}


@dataclass(frozen=True)
class Contender:
    """A running registry. Everything it asks of storage passes its proxy."""

    kind: Kind
    base_url: str
    pid: int
    """Of the process whose time and memory count."""
    proxy: Proxy
    stop: Callable[[], None]
    start_seconds: float
    """From the start of the process until it served."""
    front: int | None = None
    """The process that stands in for the Functions host, where that is another."""

    @property
    def pids(self) -> tuple[int, ...]:
        """All processes that work for it."""
        return (self.pid, self.proxy.pid, *(() if self.front is None else (self.front,)))


def free_of_settings(environment: dict[str, str]) -> dict[str, str]:
    """An environment without what a registry would take for its settings."""
    return {
        name: value
        for name, value in environment.items()
        if not re.match(r"REGISTRY|AZURE|OTEL", name)
    }
