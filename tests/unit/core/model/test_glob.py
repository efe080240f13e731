"""Patterns of names: what they match, what is refused, and that none takes long."""

from __future__ import annotations

import re
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.model.glob import CHARACTERS, MAX_LENGTH, Glob, GlobError

PARTS = ("*", "**", "***", "?", "[a-c]", "[!a]", "[-.]", "a", "b", "/", ".", "-")
NAMES = st.text(alphabet="abc/.-", max_size=8)


def expected(pattern: str) -> re.Pattern[str]:
    """The same pattern for `re`, whose time nobody limits here: the names are short."""
    translated, place = "", 0
    while place < len(pattern):
        rest = pattern[place:]
        stars = len(rest) - len(rest.lstrip("*"))
        if stars:
            translated, place = translated + ("[^/]*" if stars == 1 else ".*"), place + stars
        elif rest[0] == "?":
            translated, place = f"{translated}[^/]", place + 1
        elif rest[0] == "[":
            inside, _, _ = rest[1:].partition("]")
            sign, inside = ("^/", inside[1:]) if inside[0] == "!" else ("", inside)
            translated, place = (
                f"{translated}[{sign}{inside}]",
                place + 2 + len(inside) + bool(sign),
            )
        else:
            translated, place = translated + re.escape(rest[0]), place + 1
    return re.compile(translated)


@pytest.mark.rule("K7")
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=7).map("".join), NAMES)
def test_a_pattern_matches_what_the_same_regular_expression_does(pattern: str, name: str) -> None:
    assert Glob.parse(pattern).matches(name) is bool(expected(pattern).fullmatch(name))


@pytest.mark.parametrize(
    ("pattern", "matched", "others"),
    [
        ("team/*", ["team/web"], ["team", "team/web/api", "other/web"]),
        ("team/**", ["team/web", "team/web/api"], ["team", "steam/web"]),
        ("**", ["a", "team/web"], []),
        ("*", ["a", "v1.0"], ["team/web"]),
        ("v[0-9]*", ["v1", "v10-rc"], ["v", "latest"]),
        ("*-[!0-9]", ["pr-x"], ["pr-1"]),
        ("pr-?", ["pr-1"], ["pr-12", "pr-"]),
    ],
)
def test_what_the_signs_stand_for(pattern: str, matched: list[str], others: list[str]) -> None:
    glob = Glob.parse(pattern)
    assert [name for name in [*matched, *others] if glob.matches(name)] == matched


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "1 to 255"),
        ("a" * (MAX_LENGTH + 1), "1 to 255"),
        ("team web", "' '"),
        ("^team$", "'$'"),
        ("team/.+", "'+'"),
        ("[", "a set has an end"),
        ("[]", "a set has an end"),
        ("[!]", "a set has an end"),
        ("[a/b]", "no slash"),
        ("[z-a]", "no range"),
        ("a]", "belongs into a set"),
        ("!a", "belongs into a set"),
    ],
)
@pytest.mark.rule("K7")
def test_a_malformed_pattern_is_refused_and_told_why(pattern: str, said: str) -> None:
    with pytest.raises(GlobError, match=re.escape(said)):
        Glob.parse(pattern)


@given(st.text(alphabet=f"{CHARACTERS}*?[]!", max_size=20))
def test_whatever_is_typed_is_a_pattern_or_refused(pattern: str) -> None:
    try:
        glob = Glob.parse(pattern)
    except GlobError:
        return
    assert glob.matches("a") in (True, False)


class Counted(str):
    """A name that counts how often a character of it is looked at."""

    __slots__ = ()
    looked: ClassVar[int] = 0

    def __iter__(self):  # type: ignore[no-untyped-def]
        for character in str(self):
            Counted.looked += 1
            yield character


@pytest.mark.rule("K7")
@pytest.mark.parametrize("pattern", ["*a" * 127, "**a**b" * 40, "?*" * 120, "[ab]*" * 50 + "c"])
def test_a_name_is_read_once_whatever_the_pattern(pattern: str) -> None:
    """A pattern that goes back would look at it thousands of times."""
    Counted.looked = 0
    glob = Glob.parse(pattern)
    assert glob.matches(Counted("a" * 254 + "x")) is glob.matches("a" * 254 + "x")
    assert Counted.looked == 255
