"""The time left follows from the steps that are done."""

from __future__ import annotations

from bench.compare.progress import Progress


def test_the_time_left_is_in_proportion_to_what_was_done_and_skipped_steps_do_not_count() -> None:
    said: list[str] = []
    now = [0.0]
    progress = Progress(said.append, 10, now=lambda: now[0])
    progress.step("first", 2)
    now[0] = 60.0
    progress.step("second", 2)
    now[0] = 120.0
    progress.skip(3)
    progress.step("third", 3)
    assert said == ["  0%  first", " 20%, 4 min left  second", " 57%, 2 min left  third"]
