"""The rules of the protocol in `docs/architecture.md`, and the tests that are marked with them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULE = re.compile(r"^- \*\*([A-Z]\d)\*\* ", re.MULTILINE)


def _described() -> list[str]:
    return RULE.findall((ROOT / "docs" / "architecture.md").read_text())


def _named_in(tests: Path) -> Iterator[str]:
    """The arguments of `pytest.mark.rule(…)`, and of the explorer's `@scenario(…)`."""
    for node in ast.walk(ast.parse(tests.read_text())):
        if isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            if function in ("pytest.mark.rule", "scenario"):
                yield from (str(a.value) for a in node.args if isinstance(a, ast.Constant))


def test_every_rule_has_a_test_that_names_it_and_no_test_names_another() -> None:
    described = _described()
    assert len(described) == len(set(described)) > 20
    named = {rule for file in (ROOT / "tests").rglob("*.py") for rule in _named_in(file)}
    assert named == set(described)
