"""What the page on the check says is what the check does; and how far it is told to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from registry_core.lifecycle.fsck.advice import advice
from registry_core.lifecycle.fsck.report import Report
from registry_core.lifecycle.fsck.settle import READINGS, Unsettled, settled
from registry_core.model.invariants import Finding, Invariant
from slipway_cli.fsck import Told
from slipway_cli.output.progress import Progress

PAGE = Path(__file__).parents[4] / "docs" / "check-and-repair.md"
ROW = re.compile(r"^\| (I\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)


def test_the_page_names_every_invariant_and_what_repair_does_about_it() -> None:
    told = dict(ROW.findall(PAGE.read_text()))
    assert list(told) == [each.value for each in Invariant]
    for invariant in set(Invariant) - {Invariant.DOCUMENTS}:
        is_left = bool(advice(Finding(invariant, "key", "text")))
        assert told[invariant].startswith("no") is is_left, invariant


class Reading:
    def __init__(self, version: int) -> None:
        self.versions: Mapping[object, str] = {"row": str(version)}


@pytest.mark.parametrize(
    ("versions", "expected", "is_over"),
    [
        ([1, 1], 1, False),
        ([1, 2, 3, 3], 3, False),
        ([1, 2, 2, 9], 2, False),
        ([1], 1, True),
    ],
)
async def test_what_was_read_twice_alike_was_there_at_one_moment(
    versions: list[int], expected: int, *, is_over: bool
) -> None:
    left = iter(versions)

    async def read() -> Reading:
        return Reading(next(left))

    found = await settled(read, lambda _: is_over)
    assert isinstance(found, Reading)
    assert found.versions == {"row": str(expected)}


async def test_what_is_another_each_time_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("registry_core.lifecycle.fsck.settle._LONGEST_WAIT", 0)
    read_so_far = 0

    async def read() -> Reading:
        nonlocal read_so_far
        read_so_far += 1
        return Reading(read_so_far)

    assert isinstance(await settled(read, lambda _: False), Unsettled)
    assert read_so_far == READINGS + 1


def test_the_time_left_follows_from_the_bytes_that_were_read() -> None:
    times = iter([0.0, 0.0, 30.0])
    told = Told(Progress(), now=lambda: next(times))
    report = Report(size=4_000_000_000, verified=1_000)
    assert told.verified(report) == "1.0 kB of 4.0 GB read"
    report.verified = 1_000_000_000
    assert told.verified(report) == "1.0 GB of 4.0 GB read, 1 min left"
