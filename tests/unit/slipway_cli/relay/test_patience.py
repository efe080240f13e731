import pytest

from slipway_cli.registry.server import Answer
from slipway_cli.relay.patience import TRIES, Patience


def answer(status: int, retry_after: str = "") -> Answer:
    return Answer(status, {"retry-after": retry_after} if retry_after else {}, b"")


def test_each_pause_may_be_longer_than_the_one_before_up_to_a_quarter_of_a_minute() -> None:
    patience = Patience()
    pauses = [patience.pause() for _ in range(TRIES - 1)]
    for number, seconds in enumerate(pauses):
        longest = min(0.5 * 2**number, 15)
        assert seconds is not None
        assert longest / 2 <= seconds <= longest


def test_after_so_many_tries_that_got_nowhere_it_is_over() -> None:
    patience = Patience(3)
    assert [patience.pause() is None for _ in range(3)] == [False, False, True]


def test_where_something_got_on_the_tries_are_counted_anew() -> None:
    patience = Patience(2)
    for _ in range(10):
        assert patience.pause() is not None
        patience.renew()


@pytest.mark.parametrize(("asked", "seconds"), [("7", 7), ("0", 0), ("9999", 60)])
def test_a_registry_that_says_how_long_to_wait_is_heeded_up_to_a_minute(
    asked: str, seconds: int
) -> None:
    assert Patience().pause(answer(429, asked)) == seconds


@pytest.mark.parametrize("asked", ["-1", "soon", "²", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_time_to_wait_that_is_no_number_is_as_good_as_none(asked: str) -> None:
    seconds = Patience().pause(answer(503, asked))
    assert seconds is not None
    assert seconds <= 0.5


def test_an_answer_that_may_be_for_good_is_not_tried_as_often() -> None:
    patience = Patience()
    assert [patience.pause(answer(500)) is None for _ in range(4)] == [False, False, False, True]
