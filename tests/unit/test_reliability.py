"""The promises of docs/reliability.md have the tests that the page names."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
TABLE = re.compile(r"^\| promise \| test \|\n\|---\|---\|\n((?:\|.+\n)+)", re.MULTILINE)


@cache
def functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {each.name for each in tree.body if isinstance(each, kinds)}


def test_every_test_that_a_promise_names_is_there() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 20
    for file, name in named:
        assert name.startswith("test_")
        assert name in functions(file), f"{file}::{name}"


def test_every_promise_names_a_test() -> None:
    rows = [row for table in TABLE.findall(PAGE) for row in table.splitlines()]
    assert len(rows) > 15
    for row in rows:
        _, promise, proof, _ = row.split("|")
        assert NAMED.search(proof), promise
