from types import SimpleNamespace
from typing import Any, cast

import pytest

from slipway_cli.relay.uploads import Upload
from slipway_cli.relay.watch import Watch

DIGEST = "sha256:" + "ab" * 32


def upload(received: int, sent: int) -> Upload:
    """What a line reads of an upload."""
    stand_in: Any = SimpleNamespace(received=received, session=SimpleNamespace(sent=sent))
    return cast("Upload", stand_in)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_layer_is_shown_by_how_much_has_gone_out_how_fast_and_how_long_it_takes_yet() -> None:
    clock = Clock()
    line = Watch(clock).begin("team/web")
    line.expect(0, 100_000_000)
    clock.now = 10
    line.sent(25_000_000)
    shown = str(line)
    assert shown.startswith("team/web ")
    assert "25.0 MB of 100.0 MB" in shown
    assert "2.5 MB/s" in shown
    assert "30 s left" in shown


def test_of_a_stream_nobody_knows_how_long_it_takes() -> None:
    clock = Clock()
    line = Watch(clock).begin("team/web")
    line.expect(0, None)
    clock.now = 1
    line.sent(1000)
    assert "left" not in str(line)


def test_a_line_is_as_wide_at_any_time_so_that_nothing_jumps() -> None:
    clock = Clock()
    lines = [Watch(clock).begin(name) for name in ("a", "team/" * 40)]
    widths = set()
    for line in lines:
        line.expect(0, 999_900_000)
        for clock.now, position in ((1, 0), (2, 1), (100, 999_000_000)):
            line.sent(position)
            widths.add(len(str(line)))
    assert len(widths) == 1


def test_layers_that_arrived_are_counted_and_what_went_out_twice_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    watch = Watch(Clock())
    for sent in (5_000_000, 7_000_000):
        watch.begin("team/web").done(DIGEST, upload(5_000_000, sent))
    watch.begin("team/web").end()
    watch.pushed("team/web:v1", DIGEST)
    assert watch.active == {}
    assert watch.summary() == (
        "2 layers of 10.0 MB and 1 manifest pushed; 2.0 MB were sent again after faults"
    )
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3  # A line for each that arrived; without a terminal, nothing changes.
    assert said[0].startswith(f"team/web  {DIGEST}  5.0 MB")


def test_names_of_others_do_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    watch = Watch(Clock())
    line = watch.begin("a\x1b[2Jb")
    assert "\x1b" not in str(line)
    watch.pushed("a\x1b[2Jb:v1", "\x1b[2J")
    assert "\x1b" not in capsys.readouterr().err
