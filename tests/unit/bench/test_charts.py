"""Scales of factors, and what is drawn on them."""

from __future__ import annotations

import pytest

from bench.charts.curves import Curves, Panel
from bench.charts.frame import BLUE, Line, LogScale
from bench.charts.rows import Rows

LINE = Line("ours", "Slipway", BLUE)


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([10, 1000], [10, 100, 1000]),
        ([11, 999], [10, 100, 1000]),
        ([0.3, 4], [0.1, 1, 10]),
        ([5], [1, 10]),
        ([10], [10, 100]),
    ],
)
def test_a_scale_goes_from_power_to_power_of_ten(values: list[float], marks: list[float]) -> None:
    scale = LogScale.over(values, 0, 100)
    assert scale.marks() == pytest.approx(marks)
    assert (scale.place(marks[0]), scale.place(marks[-1])) == (0, 100)
    assert scale.place(marks[-1] * 1000) == 100


def test_each_factor_of_ten_is_as_long_as_the_other() -> None:
    scale = LogScale.over([1, 1000], 0, 300)
    assert [scale.place(10**power) for power in range(4)] == pytest.approx([0, 100, 200, 300])


def test_bars_below_one_go_to_the_left_and_bars_above_it_to_the_right() -> None:
    svg = Rows("t", "", [LINE], {"slow": [0.1], "fast": [10.0]}, from_one=True).draw()
    slow, fast = [line for line in svg.splitlines() if 'class="ours-area"' in line]
    left, width = (float(slow.split(f'{name}="')[1].split('"')[0]) for name in ("x", "width"))
    assert left + width == pytest.approx(float(fast.split('x="')[1].split('"')[0]))


def test_what_was_not_measured_has_no_bar() -> None:
    svg = Rows("t", "", [LINE, Line("theirs", "x", BLUE)], {"a": [1.0, None]}).draw()
    assert svg.count("<rect") == 1 + 1  # With that of the background.


def test_a_picture_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        Rows("t", "", [LINE], {"a": [None]}).draw()
    with pytest.raises(ValueError, match="nothing to draw"):
        Curves("t", "tags", [LINE], [Panel("ms", {"ours": []})]).draw()


def test_what_takes_nothing_is_drawn_at_the_lower_end() -> None:
    points = [(1.0, 0.0), (10.0, 5.0)]
    svg = Curves("t", "tags", [LINE], [Panel("calls", {"ours": points})]).draw()
    circles = [line for line in svg.splitlines() if "<circle" in line]
    lowest, higher = (float(each.split('cy="')[1].split('"')[0]) for each in circles)
    assert lowest > higher


def test_titles_are_escaped() -> None:
    assert "a &lt; b" in Rows("a < b", "", [LINE], {"x": [1.0]}).draw()
