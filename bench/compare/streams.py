"""Layers streamed as docker does: one `PATCH` of unknown length, by one client and by four."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from http.client import HTTPResponse
from urllib.parse import urlsplit

from bench import machine
from bench.client import UnexpectedAnswerError
from bench.compare.figures import Latencies
from bench.compare.operations import Stand, new_name
from bench.compare.plan import Plan, Streams
from bench.compare.progress import Progress
from bench.compare.wire import HOST
from bench.contenders.field import Field
from bench.layers import MIB, Layer
from bench.results.recorder import Recorder

STREAMS = "streams"
"""The part of the results."""
_PATIENCE = 600


class StreamsRun:
    """Measures all streams of a plan."""

    def __init__(
        self, field: Field, stands: Sequence[Stand], plan: Plan, recorder: Recorder
    ) -> None:
        self._field, self._stands, self._plan, self._recorder = field, stands, plan, recorder

    async def measure(self, progress: Progress) -> None:
        """All of them, but those that a run before has left."""
        for streams in self._plan.streams:
            keys = [_key(streams, stand) for stand in self._stands]
            weight = _weight(streams)
            if all(self._recorder.has(STREAMS, key) for key in keys):
                progress.skip(weight)
                continue
            mib = streams.size // MIB
            progress.step(f"streams: {streams.at_once} x {mib} MiB, {streams.delay} ms", weight)
            for stand, key in zip(self._stands, keys, strict=True):
                async with self._recorder.attempt(f"streams of {mib} MiB"):
                    self._recorder.put(STREAMS, key, await self._one(stand, streams))

    @staticmethod
    def weight(plan: Plan) -> float:
        """The steps that it makes."""
        return sum(map(_weight, plan.streams))

    async def _one(self, stand: Stand, streams: Streams) -> dict[str, object]:
        name = new_name()
        access = await stand.tokens.of(name)
        # Two to begin with: what the first takes in memory is not growth.
        layers = [Layer(streams.size) for _ in range(streams.repeats)]
        _send(stand, name, access, Layer(MIB))
        load = machine.OtherLoad((os.getpid(), *self._field.pids))
        memory = machine.ResidentMemory(stand.contender.pid)
        resident = memory.now()
        memory.reset_peak()
        before = machine.processor_seconds((stand.contender.pid,))
        proxy = stand.contender.proxy
        proxy.take()
        proxy.delay(streams.delay)
        began = time.perf_counter()
        with ThreadPoolExecutor(streams.at_once) as senders:
            seconds = list(senders.map(lambda layer: _send(stand, name, access, layer), layers))
        took = time.perf_counter() - began
        proxy.delay(0)
        tally = proxy.take()
        mib = streams.size * streams.repeats / MIB
        busy = machine.processor_seconds((stand.contender.pid,)) - before
        return {
            **asdict(Latencies.of(seconds)),
            "mib_per_second": round(mib / took, 2),
            "cpu_ms_per_mib": round(busy / mib * 1000, 4),
            "growth": memory.peak() - resident,
            "calls": round(tally.calls / streams.repeats),
            "other_load": round(load.processors(), 2),
        }


def _weight(streams: Streams) -> float:
    """About as many steps as take as long: a step takes some seconds, and so do 512 MiB."""
    return 0.2 + streams.size * streams.repeats / (512 * MIB)


def _key(streams: Streams, stand: Stand) -> dict[str, str | int | float]:
    return {
        "registry": stand.contender.kind.value,
        "mib": streams.size // MIB,
        "at_once": streams.at_once,
        "delay": streams.delay,
    }


def _send(stand: Stand, name: str, access: Mapping[str, str], layer: Layer) -> float:
    """Streams a layer; answers how many seconds the `PATCH` took. The upload is given up then."""
    host, _, port = stand.client.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=_PATIENCE) as connected:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Blocking(connected, access)
        location = connection.ask(
            202, "POST", f"/v2/{name}/blobs/uploads/", {"Content-Length": "0"}
        )
        began = time.perf_counter()
        fields = {
            "Transfer-Encoding": "chunked",
            "Content-Type": "application/octet-stream",
        }
        location = connection.ask(202, "PATCH", location, fields, layer)
        took = time.perf_counter() - began
        connection.ask(204, "DELETE", location, {})
        return took


class _Blocking:
    """One connection, on a thread of its own: a stream is written as fast as it is taken."""

    def __init__(self, connected: socket.socket, access: Mapping[str, str]) -> None:
        self._socket, self._access = connected, access

    def ask(
        self,
        status: int,
        method: str,
        path: str,
        fields: Mapping[str, str],
        layer: Layer | None = None,
    ) -> str:
        """The path of the location that is answered. Raises `UnexpectedAnswerError`."""
        headers = {"Host": HOST, "User-Agent": "slipway-bench", **self._access, **fields}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._socket.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
        if layer is not None:
            for piece in layer.pieces():
                self._socket.sendall(b"".join([b"%x\r\n" % len(piece), piece, b"\r\n"]))
            self._socket.sendall(b"0\r\n\r\n")
        response = HTTPResponse(self._socket, method=method)
        response.begin()
        text = response.read().decode(errors="replace")
        if response.status != status:
            raise UnexpectedAnswerError(
                f"{method} {path[:200]}: {response.status} instead of {status}: {text[:500]}"
            )
        parts = urlsplit(response.headers.get("Location", ""))
        return f"{parts.path}?{parts.query}"
