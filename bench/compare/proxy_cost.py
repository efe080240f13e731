"""What the proxy in front of storage costs by itself, and how exactly it holds calls back."""

from __future__ import annotations

import http.client
import statistics
import time

from bench.contenders.field import Field
from bench.proxy.process import Proxy
from bench.results.recorder import Recorder

PROXY = "proxy"
"""The part of the results."""
_CALLS = 300
_WARM = 20


def measure(field: Field, delays: tuple[int, ...], recorder: Recorder) -> None:
    """Asks storage for the same, past the proxy and through it, in turn."""
    with Proxy.of(field.azurite) as proxy:
        port = field.azurite.blob_port
        for delay in delays:
            proxy.delay(delay)
            proxy.take(0)
            past, through = _medians_ms(port, proxy.ports[port])
            held = proxy.take(0).held * 1000
            figures = {
                "direct_ms": round(past, 4),
                "through_ms": round(through, 4),
                "held_ms": round(held, 4),
            }
            recorder.put(PROXY, {"delay": delay}, figures)


def _medians_ms(*ports: int) -> list[float]:
    """Of a call that storage refuses at once, at each port, on connections that are kept."""
    connections = [http.client.HTTPConnection("127.0.0.1", port) for port in ports]
    taken: list[list[float]] = [[] for _ in ports]
    for _ in range(_CALLS):
        for connection, seconds in zip(connections, taken, strict=True):
            began = time.perf_counter()
            connection.request("GET", "/devstoreaccount1/none/none")
            connection.getresponse().read()
            seconds.append(time.perf_counter() - began)
    for connection in connections:
        connection.close()
    return [statistics.median(seconds[_WARM:]) * 1000 for seconds in taken]
