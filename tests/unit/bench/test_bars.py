"""When a figure keeps its bar."""

from bench.cpu.bars import BARS, EACH_LAYER, Bars, Figure
from bench.cpu.operations import OPERATIONS


def test_all_bars_have_to_be_met_and_each_includes_its_limit() -> None:
    pull = BARS["pull"]
    assert pull.are_met({Figure.CALLS: 4, Figure.ROUNDS: 3, Figure.CPU: 1000})
    assert not pull.are_met({Figure.CALLS: 4, Figure.ROUNDS: 4, Figure.CPU: 1000})


def test_of_an_index_one_bar_is_enough() -> None:
    index = BARS["index"]
    assert index.are_met({Figure.CALLS: 500, Figure.CPU: 700})
    assert index.are_met({Figure.CALLS: 150, Figure.CPU: 3000})
    assert not index.are_met({Figure.CALLS: 151, Figure.CPU: 701})


def test_what_has_no_bar_is_neither_met_nor_missed() -> None:
    assert Bars().are_met({Figure.CALLS: 1}) is None


def test_every_bar_is_of_a_row_that_there_is() -> None:
    rows = {*(operation.name for operation in OPERATIONS), EACH_LAYER, "at-rest", "uploads"}
    assert set(BARS) <= rows
