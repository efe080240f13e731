import base64
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devhost.host_json import QueuesOptions
from devhost.triggers.queue_listener import Backoff
from devhost.triggers.queue_messages import decode
from devhost.triggers.queues import QueueFunction
from devhost.triggers.worker import Function

BASE64 = QueuesOptions()
PLAIN = QueuesOptions(base64=False)


def trigger(queue_name: str) -> QueueFunction:
    return QueueFunction(Function("work", print, "message"), queue_name, "")


@pytest.mark.parametrize(
    ("queue_name", "poison"),
    [
        ("jobs", "jobs-poison"),
        ("q" * 56, "q" * 56 + "-poison"),
        # Its name would be too long.
        ("q" * 57, None),
        ("jobs-poison", None),
    ],
)
def test_a_queue_has_a_poison_queue_where_the_host_gives_it_one(
    queue_name: str, poison: str | None
) -> None:
    assert trigger(queue_name).poison_queue_name == poison


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ("", b""),
        (None, b""),
        ("d29yaw==", b"work"),
        (" d29y\r\naw==\t", b"work"),
        (base64.b64encode(bytes(range(256))).decode(), bytes(range(256))),
    ],
)
def test_base64_is_read_as_dotnet_reads_it(content: str | None, body: bytes) -> None:
    assert decode(content, BASE64) == body


@pytest.mark.parametrize(
    "content",
    ["work!", "d29yaw", "d29yaw=", "d29yaw===", "d29yaw==d29yaw==", "====", "d2_y", "wörk"],
)
def test_what_is_not_base64_to_dotnet_is_refused(content: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which of its kinds does not matter
        decode(content, BASE64)


def test_without_an_encoding_the_body_is_the_content() -> None:
    assert decode(" wörk == ", PLAIN) == " wörk == ".encode()


@given(st.lists(st.floats(0.8, 1.2), min_size=10, max_size=10))
def test_pauses_grow_up_to_the_maximum_whatever_the_jitter_and_start_again_when_reset(
    jitter: list[float],
) -> None:
    backoff = Backoff(timedelta(seconds=2))
    with pytest.MonkeyPatch.context() as patch:
        drawn = iter(jitter)
        patch.setattr(random, "uniform", lambda low, high: next(drawn))
        pauses = [backoff.next() for _ in range(10)]
    assert pauses[0] == 0.1
    assert 0.18 <= pauses[1] <= 0.22
    assert 0.26 <= pauses[2] <= 0.34
    assert pauses == sorted(pauses)
    assert pauses[-1] == 2
    backoff.reset()
    assert backoff.next() == 0.1


def test_the_longest_pause_stays_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the jitter that reached it was large, and what follows is small."""
    jitter = iter([1.2, 0.8, 0.8, 0.8])
    monkeypatch.setattr(random, "uniform", lambda low, high: next(jitter))
    backoff = Backoff(timedelta(seconds=0.22))
    assert [backoff.next() for _ in range(4)] == [0.1, 0.22, 0.22, 0.22]


def test_pauses_differ_from_one_host_to_the_next() -> None:
    def second_pause() -> float:
        backoff = Backoff(timedelta(minutes=1))
        backoff.next()
        return backoff.next()

    assert len({second_pause() for _ in range(10)}) > 1


def test_a_maximum_below_the_first_pause_is_kept_to() -> None:
    assert Backoff(timedelta(seconds=0.1)).next() == 0.1
