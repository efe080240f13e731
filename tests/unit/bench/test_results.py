"""Results are merged by key and read as they were written; those of something else are refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bench.client import UnexpectedAnswerError
from bench.results.recorder import Recorder, this_machine
from bench.results.store import SCHEMA, Result, Results, ResultsError


def result(size: int, p50: float = 1.0, part: str = "times") -> Result:
    key: dict[str, str | float] = {"operation": "push", "size": size}
    return Result(part, key, {"p50": p50}, "abc", "2026-11-28", quick=False)


def test_what_is_measured_again_replaces_and_all_else_stays() -> None:
    results = Results({}, {})
    for each in (result(1), result(2), result(1, 9.0), result(1, part="calls")):
        results.put(each)
    assert len(results) == 3
    assert results.find("times", operation="push", size=1) == {"p50": 9.0}
    assert results.find("times", size=2, operation="push") == {"p50": 1.0}
    assert results.find("times", operation="pull", size=1) is None


def test_a_file_reads_as_it_was_written_whatever_the_order(tmp_path: Path) -> None:
    first, second = Results({"processors": 2}, {"Go": "1"}), Results({"processors": 2}, {"Go": "1"})
    every = [result(100), result(20), result(3), result(20, part="calls")]
    for each in every:
        first.put(each)
    for each in reversed(every):
        second.put(each)
    assert first.to_json() == second.to_json()
    first.write(tmp_path / "new" / "results.json")
    again = Results.read(tmp_path / "new" / "results.json")
    assert again.to_json() == first.to_json()
    assert list(again) == list(first)
    # Sizes are in the order of numbers.
    assert [each.key["size"] for each in again.of("times")] == [3, 20, 100]


def test_results_of_a_part_are_found_by_some_of_their_key() -> None:
    results = Results({}, {})
    results.put(result(1))
    results.put(result(2))
    assert [each.key["size"] for each in results.of("times", operation="push")] == [1, 2]
    assert [each.key["size"] for each in results.of("times", size=2)] == [2]
    assert list(results.of("times", size=3)) == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"schema": 1}', json.dumps({"schema": SCHEMA + 1, "results": []})],
)
def test_another_document_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ResultsError):
        Results.read(path)


def recorder(path: Path, *, quick: bool = False, resume: bool = True) -> Recorder:
    return Recorder(path, lambda _: None, quick=quick, resume=resume)


def test_a_run_goes_on_where_one_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    key = {"operation": "push"}
    recorder(path).put("times", key, {"p50": 1})
    assert recorder(path).has("times", key)
    assert not recorder(path).has("times", {"operation": "pull"})
    # Without --resume all is measured again.
    assert not recorder(path, resume=False).has("times", key)


def test_what_was_measured_with_other_sources_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results = Results(this_machine(), {})
    results.put(result(1))
    results.write(path)
    assert not recorder(path).has("times", result(1).key)


def test_a_quick_run_spoils_no_whole_one_and_a_whole_one_keeps_nothing_of_a_quick_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "results.json"
    recorder(path, quick=True).put("growth", {"size": 20}, {"ms": 1})
    whole = recorder(path)
    assert len(whole.results) == 0
    whole.put("growth", {"size": 50}, {"ms": 1})
    with pytest.raises(ResultsError, match="whole run"):
        recorder(path, quick=True)


async def test_what_a_server_refuses_is_told_and_does_not_end_the_run(tmp_path: Path) -> None:
    run = recorder(tmp_path / "results.json")
    async with run.attempt("push"), asyncio.TaskGroup() as group:
        group.create_task(refused())
    assert run.failures == ["push: 503 instead of 201"]


async def refused() -> None:
    raise UnexpectedAnswerError("503 instead of 201")


def test_results_of_another_machine_are_not_mixed_with_those_of_this(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    Results({"processor": "another"}, {}).write(path)
    with pytest.raises(ResultsError, match="another machine"):
        recorder(path)
