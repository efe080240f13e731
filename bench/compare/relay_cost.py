"""What the relay in front of storage costs by itself, and how exactly it holds calls back."""

from __future__ import annotations

import http.client
import statistics
import time

from bench.contenders.field import Field
from bench.proxy.process import Proxy
from bench.results.recorder import Recorder

RELAY = "relay"
"""The part of the results."""
_CALLS = 300
_WARM = 20


def measure(field: Field, delays: tuple[int, ...], recorder: Recorder) -> None:
    """Asks storage for the same, past the relay and through it."""
    with Proxy.of(field.azurite) as proxy:
        port = field.azurite.blob_port
        direct = _median_ms(port)
        for delay in delays:
            proxy.delay(delay)
            proxy.take(0)
            through = _median_ms(proxy.ports[port])
            held = proxy.take(0).held * 1000
            figures = {
                "direct_ms": round(direct, 4),
                "through_ms": round(through, 4),
                "held_ms": round(held, 4),
            }
            recorder.put(RELAY, {"delay": delay}, figures)


def _median_ms(port: int) -> float:
    """Of a call that storage refuses at once, on a connection that is kept."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    taken = []
    for _ in range(_CALLS):
        began = time.perf_counter()
        connection.request("GET", "/devstoreaccount1/none/none")
        connection.getresponse().read()
        taken.append(time.perf_counter() - began)
    connection.close()
    return statistics.median(taken[_WARM:]) * 1000
