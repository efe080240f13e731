"""Tables: whole in a pipe, as wide as the terminal at one, harmless everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from slipway_cli.command import render
from slipway_cli.output.cells import (
    DigestCell,
    Name,
    Names,
    Size,
    Time,
    age,
    count,
    size_text,
    some,
)
from slipway_cli.output.tables import fields, table
from slipway_cli.output.terminal import Terminal
from slipway_cli.output.text import clean

NOW = datetime(2026, 3, 10, 0, 0, 30, tzinfo=UTC)
DIGEST = "sha256:" + "0123456789abcdef" * 4
LONG = "release-" + "x" * 120


def row(name: str = LONG) -> dict[str, object]:
    return {
        "name": Name(name),
        "digest": DigestCell(DIGEST),
        "tags": Names([f"v{number}" for number in range(50)]),
        "updated": Time("2026-03-07T00:00:00.1234567Z", NOW),
        "size": Size(31_400_000),
    }


def test_nothing_is_cut_where_there_is_no_terminal() -> None:
    text = table([row()], None)
    assert LONG in text
    assert DIGEST in text
    assert "v49" in text
    assert "2026-03-07T00:00:00.1234567Z" in text


@pytest.mark.parametrize("width", [200, 80, 60, 52])
def test_a_table_fits_the_terminal(width: int) -> None:
    lines = table([row(), row("short")], Terminal(width)).splitlines()
    assert max(map(len, lines)) <= width
    assert "0123456789ab " in lines[1]
    assert "3 d" in lines[1]


def test_what_has_to_be_whole_is_never_cut_however_narrow_the_terminal() -> None:
    lines = table([row()], Terminal(10)).splitlines()
    assert "0123456789ab" in lines[1]
    assert "31.4 MB" in lines[1]
    secret = {"value": "a-password-that-is-shown-once"}
    assert "a-password-that-is-shown-once" in table([secret], Terminal(10))


def test_programs_get_everything_whole_in_units_of_one() -> None:
    tags = ", ".join(f"v{number}" for number in range(50))
    expected = f"{LONG}\t{DIGEST}\t{tags}\t2026-03-07T00:00:00.1234567Z\t31400000\n"
    assert render([row()], "tsv") == expected
    assert render([{"size": Size(None)}], "tsv") == "\n"


HOSTILE = "v1\x1b[2J\x1b]0;title\x07\x1b]8;;http://x\x1b\\\x9b31m\r\n\t\x00\x7f\u202e\u2028end"


def test_escape_sequences_and_controls_of_others_reach_no_terminal() -> None:
    shown = [
        clean(HOSTILE),
        table([{"name": Name(HOSTILE), "other": HOSTILE}], Terminal(200)).rstrip("\n"),
        table([{"name": Name(HOSTILE)}], None).rstrip("\n"),
        fields({"name": HOSTILE}, Terminal(200)).rstrip("\n"),
    ]
    for text in shown:
        left = [character for character in text if not character.isprintable()]
        assert left in ([], ["\n"])
        assert "v1" in text
        assert "end" in text
        assert "[2J" not in text
        assert "title" not in text
    assert "\x1b" not in render([{"name": HOSTILE}], "tsv")
    assert "\x9b" not in render([{"name": HOSTILE}], "tsv")
    assert "\x1b" not in render([{"name": HOSTILE}], "json")


def test_colours_are_only_where_the_terminal_has_them() -> None:
    assert "\x1b[1m" in table([row()], Terminal(80, has_colour=True))
    assert "\x1b" not in table([row()], Terminal(80))
    assert "\x1b" not in table([row()], None)


class _Stream:
    """What standard output may be."""

    closed = False

    def __init__(self, *, is_terminal: bool) -> None:
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("environment", "has_colour"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
    ],
)
def test_no_color_and_dumb_terminals_are_heeded(
    environment: dict[str, str], has_colour: bool
) -> None:
    terminal = Terminal.of(_Stream(is_terminal=True), environment)  # type: ignore[arg-type]
    assert terminal
    assert terminal.has_colour == has_colour
    assert Terminal.of(_Stream(is_terminal=False), environment) is None  # type: ignore[arg-type]
    assert Terminal.of(None, environment) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86_399, "23 h"),
        (86_400, "1 d"),
        (729 * 86_400, "729 d"),
        (730 * 86_400, "2 y"),
    ],
)
def test_ages_are_told_in_the_unit_that_leaves_a_short_number(seconds: int, text: str) -> None:
    assert age(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (31_400_000, "31.4 MB"),
        (10**13, "10.0 TB"),
        (5 * 10**18, "5000.0 PB"),
    ],
)
def test_sizes_have_three_digits_before_the_point_and_a_unit(size: int, text: str) -> None:
    assert size_text(size) == text


def test_times_that_are_none_are_shown_as_they_came() -> None:
    assert Time("soon", NOW).short == "soon"
    assert Time("2026-03-10T00:00:00", NOW).short == "30 s"


def test_many_names_are_told_by_the_first_and_the_number_of_the_others() -> None:
    assert some(["a", "b"]) == "a, b"
    told = some([str(number) for number in range(1000)])
    assert told.startswith("0, 1, 2,")
    assert told.endswith("19 and 980 more")
    assert (count(1, "tag"), count(1200, "tag")) == ("1 tag", "1,200 tags")


def test_fields_without_a_value_are_left_out_and_names_are_aligned() -> None:
    shown = fields({"name": "web", "locked": Names([]), "manifests": 0}, None)
    assert shown == "NAME       web\nMANIFESTS  0\n"
