"""The rules that the pages of `docs/` name, and the tests that are marked with them."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "tests").rglob("*.py"))
RULE = re.compile(r"^- \*\*([A-Z]\d)\*\* ", re.MULTILINE)


def _described() -> list[str]:
    """The names of all rules. Each belongs to one page."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    return [rule for page in pages for rule in RULE.findall(page.read_text())]


def _named_in(tests: Path) -> Iterator[tuple[str, bool]]:
    """The arguments of `pytest.mark.rule(…)` and of the explorer's `@scenario(…)`.

    With each, whether `make test` leaves the test out.
    """
    tree = ast.parse(tests.read_text())
    for statement in tree.body:
        marks = getattr(statement, "decorator_list", [])
        if isinstance(statement, ast.Assign):
            marks = [statement.value]
        is_long = any(
            re.search(r"pytest\.mark\.long\b|is_long=True", ast.unparse(mark)) for mark in marks
        )
        for node in itertools.chain.from_iterable(map(ast.walk, marks)):
            if isinstance(node, ast.Call):
                function = ast.unparse(node.func)
                if function in ("pytest.mark.rule", "scenario"):
                    for argument in node.args:
                        if isinstance(argument, ast.Constant):
                            yield str(argument.value), is_long


def test_every_rule_has_a_test_that_names_it_and_no_test_names_another() -> None:
    described = _described()
    assert len(described) == len(set(described)) > 20
    named = {rule for file in FILES for rule, _ in _named_in(file)}
    assert named == set(described)


def test_every_rule_is_forced_by_make_test() -> None:
    """Not by what takes long alone, which nobody runs before a commit."""
    named = {rule for file in FILES for rule, is_long in _named_in(file) if not is_long}
    assert named == set(_described())
