"""The documentation agrees with the code and with itself."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from slipway_cli import main

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
_SETTING = re.compile(r"\b(?:REGISTRY_[A-Z0-9_]+[A-Z0-9]|RegistryStorage(?:__[A-Za-z]+)?)\b")


def test_every_setting_that_is_read_is_documented_and_the_reverse() -> None:
    modules = (ROOT / "registry_core" / "settings").glob("*.py")
    source = "".join(module.read_text() for module in modules)
    # The one pair of names that the code puts together.
    source = source.replace(
        "RegistryStorage__{service}ServiceUri", "RegistryStorage__tableServiceUri"
    )
    read = set(_SETTING.findall(source))
    documented = set(_SETTING.findall((ROOT / "docs" / "settings.md").read_text()))
    assert read == documented


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_and_named_file_exists(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), target
    for name in re.findall(
        r"`((?:registry_core|slipway_cli|functions|devhost|tests|docs|infra|requirements"
        r"|http|auth|lifecycle|repositories|blobs|access|storage|model)/[\w./]*)`",
        text,
    ):
        assert any((base / name).exists() for base in (ROOT, ROOT / "registry_core")), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_section_leads_to_one(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text()):
        linked = page.parent / target if target else page
        headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
        assert anchor in map(_anchor, headings), f"{target}#{anchor}"


def _anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_the_readme_and_the_architecture_lead_to_every_page() -> None:
    """The first for who uses it, the second for who changes it."""
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        from_readme = f"]({name})" in (ROOT / "README.md").read_text()
        from_map = f"]({page.name})" in (ROOT / "docs" / "architecture.md").read_text()
        is_mapped = from_map and page.parent.name == "docs"
        assert name == "README.md" or from_readme or is_mapped, name


def _make_targets(page: str) -> set[str]:
    text = (ROOT / page).read_text()
    return set(re.findall(r"(?:^|`|^[A-Z].*)make ([a-z0-9-]+)(?=`|$|  )", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("README.md", {"run", "test", "test-quick", "test-all", "cert", "e2e"}),
        ("CONTRIBUTING.md", {"setup", "run", "test", "test-quick", "test-all", "check", "e2e"}),
    ],
)
def test_every_make_target_that_a_page_names_exists(page: str, told: set[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    named = _make_targets(page)
    assert told <= named
    assert named <= targets


def test_every_test_that_contributors_are_told_to_run_exists() -> None:
    """A path that pytest does not find would be noticed by whoever tries it, and by nobody else."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"\.venv/bin/pytest (tests/\S+)", text)
    assert len(paths) >= 3
    for path in paths:
        assert (ROOT / path).exists(), path


_SAID = re.compile(
    r"`((?:storage|slipway:|health check|the keys|unhandled|devhost:|Entra ID|REGISTRY_CACHE_TLL)"
    r"[^`]* [^`]*)`"
)
"""What the runbook quotes from logs and answers."""


def test_every_message_that_the_runbook_quotes_is_one_that_the_code_has() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    fences = re.findall(r"^```(\w*)\n(.*?)\n```$", runbook, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```$", "", runbook, flags=re.DOTALL | re.MULTILINE)
    quoted = {*_SAID.findall(prose), *(text for language, text in fences if not language)}
    assert len(quoted) >= 10
    source = _messages()
    for message in quoted:
        # What the code puts in is a number, a name or a path: the words around it are the code's.
        for part in re.split(r"[.:;] |…|\(\w+\)|\b[A-Z]+(?:_[A-Z]+)+\b|\d+|\.\S+/\S+", message):
            words = part.strip(" .,:;?()/")
            assert words in source, f"{message}: {words}"


def _messages() -> str:
    """All text that the code has, with strings that stand side by side joined."""
    files = [
        path
        for folder in ("registry_core", "slipway_cli", "devhost")
        for path in (ROOT / folder).rglob("*.py")
    ]
    found = []
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (getattr(part, "value", "") for part in node.values)
                found.append("".join(p for p in parts if isinstance(p, str)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_slipway_is_one(page: Path) -> None:
    """As printed, with something in the place of what is to be filled in."""
    for line in re.findall(r"^\./slipway (.+)$", page.read_text(), re.MULTILINE):
        filled = re.sub(r"<[^>]+>", "00000000-0000-0000-0000-000000000000", line)
        main.parser().parse_args(shlex.split(filled))  # Exits if it is none.
