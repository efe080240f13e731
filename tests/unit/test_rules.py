"""The rules that the pages of `docs/` name, and the tests that are marked with them."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "tests").rglob("*.py"))
RULE = re.compile(r"^- \*\*([A-Z]\d+)\*\* ", re.MULTILINE)
TEXT = re.compile(r"^- \*\*([A-Z]\d+)\*\* (.*?)(?=\n\n|\n- |\n#|\Z)", re.MULTILINE | re.DOTALL)


def _described() -> list[str]:
    """The names of all rules. Each belongs to one page."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    return [rule for page in pages for rule in RULE.findall(page.read_text())]


def _told() -> Iterator[tuple[str, list[str]]]:
    """Each rule, with the files that its last sentence says prove it, below `tests/`."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for rule, text in TEXT.findall(page.read_text()):
            yield rule, re.findall(r"`([\w/]+\.py)`", text.rpartition("Tests:")[2])


def _named_in(tests: Path) -> Iterator[tuple[str, bool]]:
    """The arguments of `pytest.mark.rule(…)` and of the explorer's `@scenario(…)`.

    With each, whether `make test` leaves the test out.
    """
    tree = ast.parse(tests.read_text())
    for statement in tree.body:
        marks = getattr(statement, "decorator_list", [])
        if isinstance(statement, ast.Assign):
            marks = [statement.value]
        is_long = any(map(_is_long, marks))
        for node in itertools.chain.from_iterable(map(ast.walk, marks)):
            if isinstance(node, ast.Call):
                function = ast.unparse(node.func)
                if function in ("pytest.mark.rule", "scenario"):
                    for argument in node.args:
                        if isinstance(argument, ast.Constant):
                            yield str(argument.value), is_long


def _is_long(mark: ast.expr) -> bool:
    """Whether `make test` leaves out what is marked; not if it leaves out some parameters only."""
    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.parametrize":
        values = mark.args[1]
        if isinstance(values, ast.List):
            return all("pytest.mark.long" in ast.unparse(value) for value in values.elts)
    return bool(re.search(r"pytest\.mark\.long\b|is_long=True", ast.unparse(mark)))


def test_every_rule_has_a_test_that_names_it_and_no_test_names_another() -> None:
    described = _described()
    assert len(described) == len(set(described)) > 20
    named = {rule for file in FILES for rule, _ in _named_in(file)}
    assert named == set(described)


def test_every_rule_ends_with_files_whose_tests_name_it() -> None:
    told = dict(_told())
    assert set(told) == set(_described())
    for rule, names in told.items():
        assert names, rule
        for name in names:
            assert rule in dict(_named_in(ROOT / "tests" / name)), f"{rule}: {name}"


def test_every_rule_is_forced_by_make_test() -> None:
    """Not by what takes long alone, which nobody runs before a commit."""
    named = {rule for file in FILES for rule, is_long in _named_in(file) if not is_long}
    assert named == set(_described())
