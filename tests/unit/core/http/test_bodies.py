from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message

from registry_core.errors import LengthInvalid, SizeInvalid
from registry_core.http import bodies
from tests.unit.core.http.requests import Body, request

LIMIT = 10
DRAINED = 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0", 0),
        ("12", 12),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        ("abc", None),
        ("", None),
        ("²", None),
        ("1, 1", None),
    ],
)
def test_an_announced_length_is_a_number_or_none(text: str, length: int | None) -> None:
    assert bodies.content_length(request(headers={"Content-Length": text})) == length


def test_without_the_header_no_length_is_announced() -> None:
    assert bodies.content_length(request()) is None


@pytest.mark.parametrize("chunks", [[], [b"x" * LIMIT], [b"x"] * LIMIT, [b"", b"x", b""]])
async def test_a_body_up_to_the_limit_is_read_whole(chunks: list[bytes]) -> None:
    asked = request(body=Body(chunks))
    assert await bodies.read_limited(asked, LIMIT, "it") == b"".join(chunks)
    assert bodies.received(asked) == sum(map(len, chunks))


@pytest.mark.parametrize("announced", ["11", "999999999999999999"])
async def test_a_body_announced_as_too_large_is_refused_before_a_byte_is_read(
    announced: str,
) -> None:
    body = Body([b"x"] * 20)
    with pytest.raises(SizeInvalid, match="it"):
        await bodies.read_limited(
            request(headers={"Content-Length": announced}, body=body), 10, "it"
        )
    assert body.taken == 0


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "5"}, {"Content-Length": "9" * 30}])
async def test_a_body_that_grows_too_large_is_refused_without_reading_on(
    headers: dict[str, str],
) -> None:
    body = Body([b"xx"] * 20)
    with pytest.raises(SizeInvalid):
        await bodies.read_limited(request(headers=headers, body=body), LIMIT, "it")
    assert body.taken == 6


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "3"}])
async def test_a_body_flows_as_it_comes_without_empty_chunks(headers: dict[str, str]) -> None:
    asked = request(headers=headers, body=Body([b"a", b"", b"bc"]))
    assert [chunk async for chunk in bodies.flow(asked)] == [b"a", b"bc"]
    assert bodies.received(asked) == 3


@pytest.mark.parametrize("length", [None, 4])
async def test_a_body_that_is_too_short_is_refused_at_its_end(length: int | None) -> None:
    headers = {"Content-Length": "4"} if length is None else {}
    flow = bodies.flow(request(headers=headers, body=Body([b"abc"])), length)
    assert await anext(flow) == b"abc"
    with pytest.raises(LengthInvalid):
        await anext(flow)


@pytest.mark.parametrize("length", [None, 4])
async def test_of_a_body_that_is_too_long_nothing_more_is_passed_on(length: int | None) -> None:
    headers = {"Content-Length": "4"} if length is None else {}
    flow = bodies.flow(request(headers=headers, body=Body([b"abc", b"de", b"f"])), length)
    assert await anext(flow) == b"abc"
    with pytest.raises(LengthInvalid):
        await anext(flow)


async def test_a_client_that_goes_away_does_not_end_the_body_like_one_that_is_done() -> None:
    flow = bodies.flow(request(body=Body([b"abc", None])))
    assert await anext(flow) == b"abc"
    with pytest.raises(ClientDisconnect):
        await anext(flow)


async def answered(asked: Request) -> list[dict[str, Any]]:
    """What is sent, in order."""
    sent: list[dict[str, Any]] = []

    async def send(message: Message) -> None:
        sent.append(dict(message))

    answer = bodies.EarlyAnswer(Response(b"no", 401, {"X-Why": "because"}), asked)
    await answer(asked.scope, asked.receive, send)
    return sent


async def test_an_early_answer_is_whole_before_the_body_is_read_off() -> None:
    body = Body([b"x"] * 20)
    taken: list[int] = []

    async def send(message: Message) -> None:
        taken.append(body.taken)
        if message["type"] == "http.response.start":
            assert (message["status"], dict(message["headers"])[b"x-why"]) == (401, b"because")

    asked = request(body=body)
    answer = bodies.EarlyAnswer(Response(b"no", 401, {"X-Why": "because"}), asked)
    await answer(asked.scope, asked.receive, send)
    assert taken == [0, 0, 21]


async def test_what_is_left_of_a_body_is_read_off() -> None:
    body = Body([b"x"] * 20)
    asked = request(body=body)
    with pytest.raises(SizeInvalid):
        await bodies.read_limited(asked, LIMIT, "it")
    await answered(asked)
    assert body.taken == 21


async def test_reading_off_has_an_end() -> None:
    chunk = bytes(1024 * 1024)
    body = Body([chunk] * 40)
    await answered(request(body=body))
    assert body.taken == DRAINED // len(chunk) + 1


@pytest.mark.parametrize("chunks", [[], [b"x"], [None], [b"x", None]])
async def test_to_read_off_a_body_that_was_read_or_broke_off_is_no_fault(
    chunks: list[bytes | None],
) -> None:
    asked = request(body=Body(chunks))
    await answered(asked)
    assert [message["type"] for message in await answered(asked)] == [
        "http.response.start",
        "http.response.body",
        "http.response.body",
    ]


async def test_a_client_that_waits_to_be_told_to_send_is_not_told() -> None:
    body = Body([b"x"] * 20)
    await answered(request(headers={"Expect": "100-Continue"}, body=body))
    assert body.taken == 0


async def test_a_client_that_was_told_to_send_has_its_body_read_off() -> None:
    body = Body([b"x"] * 20)
    asked = request(headers={"Expect": "100-continue"}, body=body)
    assert await anext(bodies.flow(asked)) == b"x"
    await answered(asked)
    assert body.taken == 21
