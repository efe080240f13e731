"""What the command line asks for is what is measured."""

from __future__ import annotations

import argparse

import pytest

from bench.__main__ import _with_default
from bench.compare import command
from bench.compare.command import Choice
from bench.compare.operations import OPERATIONS
from bench.compare.plan import FULL, QUICK
from bench.contenders.contender import Kind
from bench.growth.run import CURVES, Depth


def choice(*words: str) -> Choice:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    return Choice.of(parser.parse_args(words))


def test_without_a_word_everything_is_measured() -> None:
    found = choice()
    assert found.plan is FULL
    assert (tuple(found.operations), tuple(found.kinds)) == (OPERATIONS, tuple(Kind))
    assert found.curves == {each.name for each in CURVES}
    assert found.depth is Depth.FULL


def test_only_names_parts_operations_and_curves() -> None:
    found = choice("--only", "push", "--only", "collection")
    assert [each.name for each in found.operations] == ["push"]
    assert (found.curves, found.parts) == ({"collection"}, {"operations", "growth"})
    assert choice("--only", "streams").parts == {"streams"}


def test_quick_and_deep_are_two_plans() -> None:
    assert (choice("--quick").plan, choice("--quick").depth) == (QUICK, Depth.QUICK)
    assert choice("--deep").depth is Depth.DEEP
    with pytest.raises(SystemExit):
        choice("--quick", "--deep")


def test_one_registry_can_be_asked_alone() -> None:
    assert choice("--registry", "devhost").kinds == [Kind.DEVHOST]


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        ([], ["compare"]),
        (["--quick"], ["compare", "--quick"]),
        (["cpu", "--only", "v2"], ["cpu", "--only", "v2"]),
        (["--help"], ["--help"]),
    ],
)
def test_what_is_measured_by_default_is_the_comparison(words: list[str], whole: list[str]) -> None:
    assert _with_default(words) == whole
