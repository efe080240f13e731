"""Patterns of names, which take a time that grows with the name alone, whatever the pattern.

`*` stands for any characters but the slash, `**` for any characters, `?` for one that is no slash,
`[a-z0-9]` for one of a set and `[!a-z]` for one of no set. Everything else stands for itself.

A name is read once, from left to right, with the set of all places of the pattern that may be
reached: nothing is tried twice, as a regular expression does that goes back.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

MAX_LENGTH = 255
"""The most characters in a pattern: as many as in a name."""
CHARACTERS = string.ascii_letters + string.digits + "._-/"
"""All that names of repositories and tags consist of."""
_NO_SLASH = frozenset(CHARACTERS) - {"/"}
_SIGNS = frozenset("*?[]!")


class GlobError(ValueError):
    """A pattern is malformed or too long; the text says why."""


@dataclass(frozen=True)
class _Part:
    """One part of a pattern: a character of a set, once, or any number of times."""

    characters: frozenset[str]
    is_loop: bool = False


@dataclass(frozen=True, order=True)
class Glob:
    """A pattern of names."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Glob:
        """The pattern that `text` spells. Raises `GlobError`."""
        if not 0 < len(text) <= MAX_LENGTH:
            raise GlobError(f"a pattern has 1 to {MAX_LENGTH} characters")
        if unknown := set(text) - set(CHARACTERS) - _SIGNS:
            raise GlobError(
                f"{text}: {min(unknown)!r} is in no name. A pattern has letters, digits, '.', '_', "
                "'-', '/', and the signs * ** ? [a-z] [!a-z]"
            )
        list(_parts(text))
        return cls(text)

    @cached_property
    def _compiled(self) -> tuple[dict[str, tuple[int, int]], int, int]:
        """For each character the parts that take it, once and in a loop; the loops; the end."""
        parts = list(_parts(self.text))
        takes = {
            character: (
                _bits(p for p, part in enumerate(parts) if _takes(part, character, is_loop=False)),
                _bits(p for p, part in enumerate(parts) if _takes(part, character, is_loop=True)),
            )
            for character in CHARACTERS
        }
        return takes, _bits(p for p, part in enumerate(parts) if part.is_loop), 1 << len(parts)

    def matches(self, name: str) -> bool:
        """Whether the whole of a name is as the pattern says. Names have no other characters."""
        takes, loops, end = self._compiled
        # No loop stands next to another, so one step passes by all that may be passed by.
        places = 1 | (1 & loops) << 1
        for character in name:
            once, again = takes.get(character, (0, 0))
            places = (places & once) << 1 | places & again
            places |= (places & loops) << 1
        return bool(places & end)

    def __str__(self) -> str:
        return self.text


def match_all(patterns: Sequence[Glob], names: Iterable[str]) -> bool:
    """Whether each of the names is matched by one of the patterns."""
    return all(any(pattern.matches(name) for pattern in patterns) for name in names)


def _takes(part: _Part, character: str, *, is_loop: bool) -> bool:
    return part.is_loop is is_loop and character in part.characters


def _bits(places: Iterable[int]) -> int:
    return sum(1 << place for place in places)


def _parts(text: str) -> Iterator[_Part]:
    """The parts of a pattern; loops that stand next to one another are one."""
    place = 0
    while place < len(text):
        if text[place] == "*":
            end = place
            while end < len(text) and text[end] == "*":
                end += 1
            yield _Part(frozenset(CHARACTERS) if end - place > 1 else _NO_SLASH, is_loop=True)
            place = end
        elif text[place] == "[":
            characters, place = _set(text, place)
            yield _Part(characters)
        elif text[place] == "?":
            yield _Part(_NO_SLASH)
            place += 1
        elif text[place] in _SIGNS:
            raise GlobError(f"{text}: {text[place]!r} belongs into a set, such as [a-z] or [!a-z]")
        else:
            yield _Part(frozenset(text[place]))
            place += 1


def _set(text: str, begin: int) -> tuple[frozenset[str], int]:
    """The characters of the set that begins there, and where the pattern goes on."""
    end = text.find("]", begin)
    inside = text[begin + 1 : end] if end >= 0 else ""
    is_inverted = inside.startswith("!")
    inside = inside.removeprefix("!")
    if not inside or (_SIGNS | {"/"}) & set(inside):
        raise GlobError(
            f"{text}: a set has an end, and characters that are no sign and no slash, such as "
            "[a-z] or [!a-z]"
        )
    characters = set[str]()
    while inside:
        first = last = inside[0]
        if inside[1:2] == "-" and len(inside) > 2:
            last, inside = inside[2], inside[2:]
        if first > last:
            raise GlobError(f"{text}: {first}-{last} is no range")
        inside = inside[1:]
        characters |= {each for each in _NO_SLASH if first <= each <= last}
    return frozenset(_NO_SLASH - characters if is_inverted else characters), end + 1
