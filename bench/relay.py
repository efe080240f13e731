"""What is measured of the relay: a layer through it, beside the same layer sent directly."""

import contextlib
import json
import os
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import machine
from bench.client import RegistryClient
from bench.layers import MIB, Layer
from bench.stage import Stage

_ROOT = Path(__file__).resolve().parents[1]
_ADDRESS = re.compile(r"relaying (\S+) to ")


@dataclass(frozen=True)
class Pair:
    """A layer sent directly, and another of the same size through the relay, in turn."""

    direct_rate: float
    relayed_rate: float
    """Both in bytes a second, from the first byte until the blob is committed."""
    relay_share: float
    """For which share of that time the relay kept a processor busy."""
    other_load: float
    """How many processors other processes kept busy meanwhile."""

    @property
    def ratio(self) -> float:
        """Through the relay to directly."""
        return self.relayed_rate / self.direct_rate


def measure(stage: Stage, pairs: int, size: int, say: Callable[[str], None]) -> list[Pair]:
    """Sends layers of `size` bytes both ways, and says how far it is."""
    found = []
    with _relaying(stage) as (client, pid):
        _push(client, MIB)
        for number in range(pairs):
            say(f"pair {number + 1}/{pairs}")
            ours = (os.getpid(), stage.azurite.pid, stage.receiving.pid, pid)
            load = machine.OtherLoad(ours)
            direct = 0.0 if number % 2 else _push(stage.receiver, size)
            busy = machine.processor_seconds((pid,))
            relayed = _push(client, size)
            busy = machine.processor_seconds((pid,)) - busy
            direct = direct or _push(stage.receiver, size)
            share = busy / relayed
            found.append(Pair(size / direct, size / relayed, share, load.processors()))
    return found


def as_table(pairs: Sequence[Pair]) -> str:
    """What there is to know, in lines for a terminal."""
    ratios = [pair.ratio for pair in pairs]
    direct = statistics.median(pair.direct_rate for pair in pairs) / MIB
    relayed = statistics.median(pair.relayed_rate for pair in pairs) / MIB
    busy = statistics.median(pair.relay_share for pair in pairs)
    load = statistics.median(pair.other_load for pair in pairs)
    spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f}, {max(ratios):.3f})"
    return (
        "        direct MiB/s  relayed MiB/s  ratio: median (least, most)  processor of the relay"
        "  other load\n"
        f"{len(pairs):>3} pairs {direct:7.1f}  {relayed:13.1f}  {spread:>27}  {busy:22.2f}"
        f"  {load:10.2f}"
    )


def as_json(pairs: Sequence[Pair]) -> str:
    """Everything measured."""
    return json.dumps([asdict(pair) for pair in pairs], indent=2)


def _push(client: RegistryClient, size: int) -> float:
    """Sends a new layer and commits it; answers the seconds."""
    layer = Layer(size)
    layer.digest  # noqa: B018 - found beforehand
    began = time.perf_counter()
    client.commit(client.send(layer))
    return time.perf_counter() - began


@contextlib.contextmanager
def _relaying(stage: Stage) -> Iterator[tuple[RegistryClient, int]]:
    """A relay to the instance that takes in layers: a client of it, and its process id."""
    username, password = stage.receiver.credentials
    command = [str(_ROOT / "slipway"), "relay", "--to", stage.receiving.base_url, "--port", "0"]
    environment = {"SLIPWAY_USERNAME": username, "SLIPWAY_PASSWORD": password}
    with subprocess.Popen(
        [*command, "--open"],
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr  # noqa: S101 - it is a pipe
            said = process.stderr.readline()
            found = _ADDRESS.search(said)
            if found is None:
                raise OSError(said + process.stderr.read())
            yield RegistryClient(found[1], username, password), process.pid
        finally:
            process.kill()
