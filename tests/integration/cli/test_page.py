"""The page about the command line: its examples work, and it names every command."""

from __future__ import annotations

import argparse
import re

import pytest

from slipway_cli.main import parser
from tests.integration.cli.conftest import ROOT, Slipway
from tests.integration.cli.shelf import Shelf

PAGE = (ROOT / "docs" / "command-line.md").read_text()


def verbs(noun: str) -> set[str]:
    """The commands of a noun, as the parser has them."""
    whole = parser(noun)
    for _ in range(2):
        (choices,) = (a for a in whole._actions if isinstance(a, argparse._SubParsersAction))
        if noun not in choices.choices:
            return set(choices.choices)
        whole = choices.choices[noun]
    raise AssertionError(noun)


def test_every_example_of_the_page_works_one_after_the_other(
    shelf: Shelf, admin: object, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.image("team/web", "v1", seed=1)
    shelf.image("team/api", "v1", seed=3)
    shelf.index("team/web", "v2", [shelf.image("team/web", "", seed=2)])
    (block,) = re.findall(r"^## Examples\n\n```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (first, *lines) = block.replace("registry.example.com", shelf.netloc).splitlines()
    name, _, value = first.removeprefix("export ").partition("=")
    monkeypatch.setenv(name, value)
    assert len(lines) >= 12
    for line in lines:
        status, out, err = slipway(line.removeprefix("./slipway "))
        assert status == 0, f"{line}: {err}"
        assert out or line.endswith("--yes"), line
    assert shelf.tags("team/web") == []


@pytest.mark.parametrize("noun", ["repository", "tag", "manifest"])
def test_the_page_names_every_command(noun: str) -> None:
    rows = re.findall(rf"^\| (`{noun} .*?) \|", PAGE, re.MULTILINE)
    named = {
        verb for row in rows for verb in re.findall(r"`(?:\w+ )?([a-z-]+)(?: \[[^]]+\])?`", row)
    }
    assert named == verbs(noun)


@pytest.mark.parametrize("noun", ["repository", "tag", "manifest"])
def test_every_help_has_examples_that_are_commands(noun: str, slipway: Slipway) -> None:
    for verb in verbs(noun):
        status, out, _ = slipway(f"{noun} {verb} --help")
        assert status == 0
        examples = re.findall(r"^  slipway (.+)$", out.partition("example")[2], re.MULTILINE)
        assert examples, verb
        for example in examples:
            words = example.split()
            assert words[:2] == [noun, verb]
            parser(noun).parse_args(words)
