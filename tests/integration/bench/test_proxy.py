"""The proxy's time is added to each call, once, whatever the call's size."""

from __future__ import annotations

import http.client
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.proxy.calls import Tally
from bench.proxy.process import Proxy

PARTS, PART = 200, 32 * 1024
DELAY = 100
"""In milliseconds; much more than a machine that is busy adds to a call."""


class Echo(BaseHTTPRequestHandler):
    """Answers what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: ThreadingHTTPServer) -> Iterator[Proxy]:
    with Proxy(server.server_address[1]) as proxy:
        yield proxy


def connect(proxy: Proxy) -> http.client.HTTPConnection:
    (port,) = proxy.ports.values()
    return http.client.HTTPConnection("127.0.0.1", port)


def echo(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("PUT", "/", body=body)
    assert connection.getresponse().read() == body


def test_a_body_of_many_parts_is_delayed_once(proxy: Proxy) -> None:
    proxy.delay(DELAY)
    (port,) = proxy.ports.values()
    body = secrets.token_bytes(PARTS * PART)
    with socket.create_connection(("127.0.0.1", port)) as connected:
        began = time.perf_counter()
        connected.sendall(f"PUT / HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for start in range(0, len(body), PART):
            connected.sendall(body[start : start + PART])
        response = http.client.HTTPResponse(connected, method="PUT")
        response.begin()
        assert response.read() == body
        took = time.perf_counter() - began
    tally = proxy.take()
    assert (tally.calls, tally.rounds) == (1, 1)
    assert DELAY / 1000 <= tally.held <= took
    # If each part, or each read of the proxy's, were delayed, it would be twenty seconds, or three.
    assert took < DELAY / 1000 * PARTS / 10


def test_each_call_on_a_connection_is_delayed_and_calls_in_turn_are_rounds(proxy: Proxy) -> None:
    proxy.delay(DELAY)
    connection = connect(proxy)
    began = time.perf_counter()
    for number in range(5):
        echo(connection, b"x" * number)
    took = time.perf_counter() - began
    connection.close()
    tally = proxy.take()
    assert (tally.calls, tally.rounds) == (5, 5)
    assert took >= 5 * DELAY / 1000


def test_calls_at_once_are_one_round(proxy: Proxy) -> None:
    connections = [connect(proxy) for _ in range(4)]
    for connection in connections:
        echo(connection, b"opened")
    proxy.take()
    # Longer than all four can take to be begun.
    proxy.delay(10 * DELAY)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda each: echo(each, b"at once"), connections))
    for connection in connections:
        connection.close()
    tally = proxy.take()
    assert (tally.calls, tally.rounds) == (4, 1)


def test_without_a_delay_nothing_is_held_and_each_order_tells_what_is_new(proxy: Proxy) -> None:
    connection = connect(proxy)
    echo(connection, b"first")
    assert proxy.take() == Tally(1, 1, 0.0)
    assert proxy.take().calls == 0
    echo(connection, b"second")
    assert proxy.take().calls == 1
    connection.close()


def test_a_server_that_is_not_there_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Proxy(port) as proxy:
        connection = connect(proxy)
        connection.request("GET", "/")
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            connection.getresponse()
        connection.close()
