"""The text of a message: what was written is read, whatever else comes is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.model.digest import Digest
from registry_core.model.messages import Kind, Message
from registry_core.model.names import RepositoryName

pytestmark = [pytest.mark.rule("G12")]

DUE = datetime(2027, 1, 31, 2, 43, 10, 123456, tzinfo=UTC)
DIGESTS = st.one_of(
    st.binary(min_size=32, max_size=32).map(lambda data: Digest("sha256", data.hex())),
    st.binary(min_size=64, max_size=64).map(lambda data: Digest("sha512", data.hex())),
    st.just(Digest("multihash+base58", "QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8")),
)


def message(digests: list[Digest], repository: str = "team/web") -> Message:
    return Message(Kind.FREED, RepositoryName(repository), tuple(digests), DUE)


@given(st.lists(DIGESTS, max_size=20))
def test_what_was_written_is_read(digests: list[Digest]) -> None:
    assert Message.parse(str(message(digests))) == message(digests)


@given(st.lists(DIGESTS, max_size=50, unique=True), st.integers(500, 5000))
def test_the_parts_of_a_message_name_all_that_it_names_once_and_none_is_too_long(
    digests: list[Digest], size: int
) -> None:
    parts = list(message(digests).split(size))
    assert [digest for part in parts for digest in part.digests] == digests
    assert all(len(str(part)) <= size for part in parts)
    assert {(part.kind, part.repository, part.due) for part in parts} == {
        (Kind.FREED, RepositoryName("team/web"), DUE)
    }


def test_a_message_that_fits_stays_one() -> None:
    digests = [Digest("sha256", f"{number:064x}") for number in range(600)]
    assert len(list(message(digests, "r" * 255).split(48 * 1024))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": None},
        {"kind": "unheard-of"},
        {"kind": None},
        {"repository": "../etc"},
        {"repository": 5},
        {"digests": ["sha256:short"]},
        {"digests": [5]},
        {"digests": None},
        {"due": "tomorrow"},
        {"due": "2027-01-31T02:43:10"},
        {"due": 5},
    ],
)
def test_a_message_that_is_not_ours_is_refused(changes: dict[str, Any]) -> None:
    document = json.loads(str(message([Digest("sha256", "0" * 64)]))) | changes
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        Message.parse(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", '"freed"', "{}"])
def test_what_is_no_message_at_all_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        Message.parse(text)
