"""What an instance can hold: the one rule that joins its memory, its concurrency and its bodies.

The Functions host reads a body with `Content-Length` whole before any function runs, signed in or
not, and keeps it as text. If its heap does not suffice, the host shuts down, and with it every
request of the instance. The numbers were measured on the Functions host 4.1037, with a sixth of the
heap to spare: the heap is three quarters of the memory, 250 MB of it are the host's own, and each
byte of a body takes 4.8. Beside the heap, a Python process needs its share of the memory.

infra/main.bicep computes the same; tests/infra/instance_rule.py compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

MEMORY_MB = (512, 2048, 4096)
"""The instances that Flex Consumption has."""
PROCESS_MB = 175
"""The most that a Python process was seen to take."""


@dataclass(frozen=True)
class Instance:
    """An instance as the templates make it, by their parameters; the defaults are theirs."""

    memory_mb: int = 2048
    """`instanceMemoryMB`."""
    concurrency: int = 2
    """`perInstanceConcurrency`."""
    body_limit_mib: int = 100
    """`requestBodyLimitMiB`."""
    processes: int = 1
    """`workerProcesses`."""

    @property
    def bodies_mib(self) -> int:
        """How many MiB of bodies may be under way at once, all together."""
        of_heap = (75 * self.memory_mb - 25_000) // 480
        beside_it = self.memory_mb - 400 - PROCESS_MB * (self.processes - 1)
        return max(0, min(of_heap, 10 * beside_it // 42))

    @property
    def largest_body_mib(self) -> int:
        """The largest `requestBodyLimitMiB` for this concurrency."""
        return self.bodies_mib // self.concurrency

    @property
    def most_requests(self) -> int:
        """How many requests the host may take at once: any of them may bring the largest body."""
        return self.bodies_mib // self.body_limit_mib

    @property
    def holds(self) -> bool:
        """Whether it survives as many of the largest bodies as it serves requests at once."""
        return self.concurrency <= self.most_requests
