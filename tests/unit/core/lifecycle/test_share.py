"""The parts of a walk: together they are everything, and no two have anything in common."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.lifecycle.collection.share import Place, Stretch, of_digests, of_names
from registry_core.model.digest import Digest

SHARDS = st.integers(1, 64)
KEYS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7D), min_size=1)


def holders(stretches: list[list[Stretch]], key: str) -> list[int]:
    return [
        shard
        for shard, found in enumerate(stretches)
        for each in found
        if each.first <= key < each.end
    ]


@pytest.mark.rule("G10")
@given(SHARDS, KEYS | st.binary().map(lambda b: str(Digest.of(b, "sha512"))))
def test_every_digest_and_whatever_is_none_is_in_one_shard(of: int, key: str) -> None:
    assert len(holders([of_digests(shard, of) for shard in range(of)], key)) == 1


@pytest.mark.rule("G10")
@given(SHARDS, st.sets(KEYS).map(sorted), KEYS)
def test_every_name_is_in_one_shard_whatever_the_catalog_has(
    of: int, entries: list[str], key: str
) -> None:
    shards = [[of_names(Place.CATALOG, shard, of, entries)] for shard in range(of)]
    assert len(holders(shards, key)) == 1


def test_shards_are_about_as_large_as_one_another() -> None:
    digests = [str(Digest.of(b"%d" % number)) for number in range(3000)]
    names = sorted(f"team{number % 3},app{number:04d}" for number in range(3000))
    for of in (1, 7, 30):
        cut = [of_digests(shard, of) for shard in range(of)]
        named = [[of_names(Place.REPOSITORIES, shard, of, names)] for shard in range(of)]
        for shards, keys in ((cut, digests), (named, names)):
            counts = [0] * of
            for key in keys:
                counts[holders(shards, key)[0]] += 1
            assert max(counts) < 1.5 * len(keys) / of


@given(KEYS, KEYS)
def test_a_stretch_is_read_as_it_was_written_and_goes_on_after_a_key(first: str, key: str) -> None:
    for place in Place:
        stretch = Stretch(place, first, "~")
        assert Stretch.parse(str(stretch)) == stretch
        after = stretch.after(key)
        assert not after.first <= key
        assert after.first <= f"{key} "
