"""The documentation agrees with the code and with itself."""

import re
import shlex
from pathlib import Path

import pytest

from slipway_cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
_SETTING = re.compile(r"\b(?:REGISTRY_[A-Z0-9_]+[A-Z0-9]|RegistryStorage(?:__[A-Za-z]+)?)\b")


def test_every_setting_that_is_read_is_documented_and_the_reverse() -> None:
    source = (ROOT / "registry_core" / "settings.py").read_text()
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
        r"`((?:registry_core|devhost|tests|docs|storage|http|auth|model)/[\w./]*)`", text
    ):
        assert any((base / name).exists() for base in (ROOT, ROOT / "registry_core")), name


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"(?:^|`|^[A-Z].*)make ([a-z0-9-]+)(?=`|$|  )", readme, re.MULTILINE))
    assert {"run", "test", "test-quick", "test-all", "cert", "e2e"} <= named
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_slipway_is_one(page: Path) -> None:
    """As printed, with something in the place of what is to be filled in."""
    for line in re.findall(r"^\./slipway (.+)$", page.read_text(), re.MULTILINE):
        filled = re.sub(r"<[^>]+>", "00000000-0000-0000-0000-000000000000", line)
        main.parser().parse_args(shlex.split(filled))  # Exits if it is none.
