"""How far transfers are, where there is no terminal: a line for each that is done."""

from __future__ import annotations

import pytest

from slipway_cli.output.transfers import MOUNTED, SENT, THERE, Transfers

MB = 1_000_000


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_each_is_told_when_it_is_done_and_all_of_them_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    with Transfers(clock) as transfers:
        with transfers.begin("0123456789ab", 100 * MB) as first:
            for second in range(11):
                clock.now = 1000 + second
                first.at(second * 10 * MB)
            first.end(SENT, 100 * MB)
        with transfers.begin("ba9876543210", MB) as another:
            another.end(THERE, MB)
        with transfers.begin("x" * 100, 2 * MB) as third:
            third.end(MOUNTED, 2 * MB)
        with pytest.raises(ValueError, match="broken"), transfers.begin("broken", 5):
            raise ValueError("broken")
        transfers.tell(transfers.summary("blob"))
    assert capsys.readouterr().err.splitlines() == [
        "0123456789ab          100.0 MB  sent in 10 s, 10.0 MB/s",
        "ba9876543210            1.0 MB  there already",
        "xxxxxxxxxxxxxxxxxxxx    2.0 MB  mounted",
        "1 blob sent (100.0 MB), 1 blob there already (1.0 MB), 1 blob mounted (2.0 MB) in 10 s",
    ]


def test_a_log_shows_life_while_one_takes_long(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Transfers(clock) as transfers, transfers.begin("0123456789ab", 6000 * MB) as one:
        for second in range(121):
            clock.now = 1000 + second
            one.at(second * 10 * MB)
    assert capsys.readouterr().err.splitlines() == [
        "0123456789ab          600.0 MB of    6.0 GB   10 %    10.0 MB/s  9:00 min left",
        "0123456789ab            1.2 GB of    6.0 GB   20 %    10.0 MB/s  8:00 min left",
    ]


def test_one_that_goes_on_is_as_fast_as_what_it_has_sent_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    with Transfers(clock) as transfers, transfers.begin("0123456789ab", 6000 * MB) as one:
        one.at(5000 * MB)
        clock.now += 50
        one.at(5500 * MB)
        assert "10.0 MB/s" in one.line()
        assert one.line().endswith("50 s left")
        clock.now += 50
        one.end(SENT, 6000 * MB)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("sent in 1:40 min, 10.0 MB/s")


def test_columns_keep_their_width_and_a_name_does_no_harm() -> None:
    clock = Clock()
    transfers = Transfers(clock)
    lines = set[int]()
    for name, position in (("a", 1), ("b" * 50, 999), ("\x1b[31mred", 10 * MB)):
        transfer = transfers.begin(name, 20 * MB)
        transfer.at(0)
        clock.now += 1
        transfer.at(position)
        assert "\x1b" not in transfer.line()
        lines.add(transfer.line().index("%"))
    assert len(lines) == 1


def test_what_has_nothing_to_send_says_so() -> None:
    assert Transfers(Clock()).summary("blob") == "no blob sent in 0.0 s"
