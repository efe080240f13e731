"""What the host does to requests and responses, seen through a real socket."""

import contextlib
import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPMessage, IncompleteRead
from typing import Any

import pytest

from devhost.processes.process import HostProcess
from tests.patience import PATIENCE


class Answer:
    def __init__(self, status: int, headers: HTTPMessage, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Ask = Callable[..., Answer]


def address(host: HostProcess) -> tuple[str, int]:
    name, _, port = host.base_url.removeprefix("http://").partition(":")
    return name, int(port)


@pytest.fixture
def ask(host: HostProcess) -> Iterator[Ask]:
    """Send a request whose path is not touched, unlike by most clients."""
    connection = HTTPConnection(*address(host), timeout=PATIENCE)

    def send(method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=named)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    yield send
    connection.close()


@pytest.fixture
def raw(host: HostProcess) -> Iterator[socket.socket]:
    with socket.create_connection(address(host), timeout=PATIENCE) as connection:
        yield connection


@pytest.fixture(autouse=True)
def _no_events(ask: Ask) -> None:
    ask("GET", "/events")


def wait_for_event(ask: Ask, event: str) -> list[str]:
    seen: list[str] = []
    deadline = time.monotonic() + PATIENCE
    while event not in seen:
        assert time.monotonic() < deadline, f"no {event} among {seen}"
        seen += ask("GET", "/events").json
    return seen


def head(line: str, *fields: str) -> bytes:
    return "".join(f"{each}\r\n" for each in (f"{line} HTTP/1.1", "host: x", *fields, "")).encode()


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def values(answer: Answer, name: str) -> list[str]:
    return [value for key, value in answer.json["headers"] if key == name]


# Routing


def test_head_answers_with_the_length_and_no_body(ask: Ask) -> None:
    answer = ask("HEAD", "/head")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "123456789", b"")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/head"), ("HEAD", "/item/a"), ("GET", "/no")]
)
def test_a_wrong_method_is_an_empty_404_like_an_unknown_path(
    ask: Ask, method: str, path: str
) -> None:
    answer = ask(method, path)
    assert (answer.status, answer.body) == (404, b"")
    assert "allow" not in answer.headers


def test_a_function_without_methods_takes_every_method(ask: Ask) -> None:
    assert ask("PROPFIND", "/every").body == b"PROPFIND"


def test_functions_are_tried_by_name_and_not_by_precision(ask: Ask) -> None:
    assert ask("GET", "/order/exact").body == b"a_first"
    assert ask("POST", "/order/exact").body == b"b_second"


@pytest.mark.parametrize("path", ["/echo", "/echo/", "/ECHO/"])
def test_an_empty_catch_all_has_no_parameter(ask: Ask, path: str) -> None:
    assert ask("GET", path).json["path"] is None


@pytest.mark.parametrize("path", ["//echo/x", "/echo//x"])
def test_an_empty_segment_before_the_catch_all_is_404(ask: Ask, path: str) -> None:
    assert ask("GET", path).status == 404


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("library%2Fapp/", "library%2Fapp/"),
        ("library%252Fapp", "library%2Fapp"),
        ("sha256%3Aabc", "sha256:abc"),
        ("a//b", "a//b"),
        ("a/../b", "b"),
        ("a/%2e%2e/b", "b"),
    ],
)
def test_the_function_sees_the_path_decoded_except_for_slashes(
    ask: Ask, sent: str, seen: str
) -> None:
    answer = ask("GET", f"/echo/{sent}").json
    assert (answer["path"], answer["url_path"].replace("%25", "%")) == (seen, f"/echo/{seen}")


def test_an_encoded_nul_is_400(ask: Ask) -> None:
    assert ask("GET", "/echo/%00").status == 400


def test_the_query_is_passed_on_untouched(ask: Ask) -> None:
    assert ask("GET", "/echo?a=%2F&a=%41&b=+").json["query"] == "a=%2F&a=%41&b=+"


def test_a_function_that_is_not_async_runs_too(ask: Ask) -> None:
    assert ask("GET", "/sync").body == b"sync"


# Headers


def test_hop_by_hop_headers_stop_at_the_host(ask: Ask) -> None:
    answer = ask("GET", "/echo", te="trailers", proxy_authorization="x", keep_alive="x", x_kept="1")
    names = {name for name, _ in answer.json["headers"]}
    assert not names & {"te", "proxy-authorization", "keep-alive", "connection"}
    assert "x-kept" in names


def test_response_headers_are_filtered_and_repeated_ones_stay_apart(ask: Ask) -> None:
    headers = ask("GET", "/headers").headers
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert headers["x-kept"] == "1"
    assert "alt-svc" not in headers
    assert "keep-alive" not in headers


def test_the_invocation_id_is_the_hosts_own(ask: Ask) -> None:
    [first] = values(ask("GET", "/echo", x_ms_invocation_id="mine"), "x-ms-invocation-id")
    [second] = values(ask("GET", "/echo", x_ms_invocation_id="mine"), "x-ms-invocation-id")
    assert "mine" not in {first, second}
    assert first != second


# Bodies


@pytest.mark.parametrize("size", [1, 30 * 1024, 30 * 1024 + 1, 3 * 1024 * 1024 + 7])
def test_a_body_with_a_length_arrives_whole(ask: Ask, size: int) -> None:
    body = bytes(index % 251 for index in range(size))
    answer = ask("PUT", "/echo", body).json
    assert (answer["size"], answer["sha256"]) == (size, hashlib.sha256(body).hexdigest())


def test_a_body_with_a_length_is_read_before_the_function_starts(
    ask: Ask, raw: socket.socket
) -> None:
    half = b"x" * 50_000
    raw.sendall(head("PUT /started", "connection: close", "content-length: 100000") + half)
    # The host has had ample opportunity to start the function: these are served after it took the
    # first half in.
    for _ in range(20):
        ask("GET", "/every")
    ask("POST", "/note/half-sent")
    raw.sendall(half)
    assert read_to_end(raw).endswith(b"\r\n\r\n100000")
    assert ask("GET", "/events").json == ["half-sent", "started"]


def test_a_chunked_body_streams_into_the_running_function(ask: Ask, raw: socket.socket) -> None:
    raw.sendall(head("PUT /started", "connection: close", "transfer-encoding: chunked"))
    raw.sendall(b"3\r\nabc\r\n")
    wait_for_event(ask, "started")
    raw.sendall(b"4\r\ndefg\r\n0\r\n\r\n")
    assert read_to_end(raw).endswith(b"\r\n\r\n7")


def test_a_chunked_body_that_nobody_reads_stays_with_the_client(
    ask: Ask, raw: socket.socket
) -> None:
    raw.sendall(head("PATCH /hold", "transfer-encoding: chunked"))
    wait_for_event(ask, "holding")
    chunk = b"%x\r\n" % 65536 + b"x" * 65536 + b"\r\n"
    raw.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 256 * 1024 * 1024:
            sent += raw.send(chunk)
    # What is on its way in the system's own buffers, and no more.
    assert sent < 32 * 1024 * 1024
    ask("POST", "/release")


def test_a_chunked_body_is_known_as_such_to_the_function(ask: Ask) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"abc"
        yield b"defg"

    answer = ask("PUT", "/echo", chunks())
    assert answer.json["size"] == 7
    assert values(answer, "transfer-encoding") == ["chunked"]
    assert not values(answer, "content-length")


def test_a_chunked_body_that_is_refused_unread_can_be_refused_before_it_ends(
    raw: socket.socket,
) -> None:
    raw.sendall(head("PATCH /early", "transfer-encoding: chunked", "expect: 100-continue"))
    assert raw.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_a_client_that_expects_100_gets_it_before_a_body_with_a_length(raw: socket.socket) -> None:
    raw.sendall(
        head("PATCH /early", "connection: close", "content-length: 3", "expect: 100-continue")
    )
    assert raw.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    raw.sendall(b"abc")
    assert read_to_end(raw).startswith(b"HTTP/1.1 401 ")


def test_a_body_whose_length_is_over_the_limit_fails_to_bind(ask: Ask, body_limit: int) -> None:
    assert ask("PUT", "/echo", b"x" * body_limit).json["size"] == body_limit
    answer = ask("PUT", "/started", b"", content_length=str(body_limit + 1))
    assert answer.status == 500
    assert b"Exception binding parameter 'req'" in answer.body
    assert b"Request body too large" in answer.body
    assert ask("GET", "/events").json == []


def test_a_chunked_body_over_the_limit_is_500_and_a_disconnect(
    ask: Ask, raw: socket.socket, body_limit: int
) -> None:
    raw.sendall(head("PATCH /disconnect", "transfer-encoding: chunked"))
    raw.sendall(b"%x\r\n" % (body_limit + 1) + b"x" * (body_limit + 1))
    assert read_to_end(raw).startswith(b"HTTP/1.1 500 ")
    assert "disconnected" in wait_for_event(ask, "disconnected")


def test_a_client_that_hangs_up_in_a_chunked_body_is_a_disconnect_to_the_function(
    ask: Ask, raw: socket.socket
) -> None:
    raw.sendall(head("PATCH /disconnect", "transfer-encoding: chunked") + b"5\r\nabc")
    raw.close()
    assert wait_for_event(ask, "disconnected") == ["disconnected"]


def test_a_client_that_hangs_up_in_a_body_with_a_length_leaves_nothing_behind(
    host: HostProcess, ask: Ask, raw: socket.socket
) -> None:
    before = host.output.count("PUT /started aborted")
    raw.sendall(head("PUT /started", "content-length: 4000000") + b"x" * 3_000_000)
    raw.close()
    deadline = time.monotonic() + PATIENCE
    while host.output.count("PUT /started aborted") == before:
        assert time.monotonic() < deadline
    assert ask("GET", "/events").json == []


# Failures


def test_a_function_that_fails_before_its_response_is_a_500(ask: Ask) -> None:
    for path in ("/fail/before", "/fail/none"):
        answer = ask("GET", path)
        assert (answer.status, answer.body) == (500, b"Internal Server Error")


def test_a_function_that_fails_in_its_response_drops_the_connection(ask: Ask) -> None:
    with pytest.raises((IncompleteRead, ConnectionError)):
        ask("GET", "/fail/after")
