import pytest

from slipway_cli.relay.chunks import MIB
from slipway_cli.relay.session import Lengths


def headers(least: object = None, most: object = None) -> dict[str, str]:
    found = {"oci-chunk-min-length": least, "oci-chunk-max-length": most}
    return {name: str(value) for name, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ("most", "wanted"),
    [(100 * MIB, 24 * MIB), (16 * MIB, 4 * MIB), (267 * MIB, 64 * MIB), (27 * MIB, 27 * MIB // 4)],
)
def test_a_chunk_is_a_quarter_of_what_the_registry_takes_in_whole_blocks(
    most: int, wanted: int
) -> None:
    assert Lengths.of(headers(4 * MIB, most), None) == Lengths(wanted, 4 * MIB)


def test_a_registry_that_says_nothing_is_taken_for_one_with_the_hosts_default() -> None:
    assert Lengths.of({}, None) == Lengths(24 * MIB, 4 * MIB)


@pytest.mark.parametrize("nonsense", ["", "-1", "many", "9" * 30, "²"])
def test_a_length_that_is_no_number_is_as_good_as_none(nonsense: str) -> None:
    assert Lengths.of(headers(nonsense, nonsense), None) == Lengths(24 * MIB, 4 * MIB)


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [(5 * MIB, 5 * MIB), (1, 4 * MIB), (500 * MIB, 96 * MIB), (33 * MIB, 32 * MIB)],
)
def test_what_the_user_has_chosen_counts_within_what_the_registry_takes(
    chosen: int, wanted: int
) -> None:
    assert Lengths.of(headers(4 * MIB, 100 * MIB), chosen).wanted == wanted


def test_where_the_registry_takes_less_than_it_asks_for_the_most_counts() -> None:
    assert Lengths.of(headers(4 * MIB, 1 * MIB), None) == Lengths(MIB, MIB)
