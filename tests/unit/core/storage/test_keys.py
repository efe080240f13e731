import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core import system
from registry_core.blobs import rows as blob_rows
from registry_core.model import names as names_
from registry_core.model.digest import DIGEST_ALPHABET, Digest
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows as repository_rows
from registry_core.storage import keys
from registry_core.storage.objects import Location

MAX_KEY_BYTES = 1024
"""Azure Tables: a key is at most 1 KiB, and storage keeps it as UTF-16."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

plain = st.text("ab09", min_size=1, max_size=3)
names = st.lists(
    st.lists(plain, min_size=1, max_size=3).flatmap(
        lambda words: st.sampled_from([".", "_", "__", "-", "--"]).map(lambda s: s.join(words))
    ),
    min_size=1,
    max_size=3,
).map(lambda levels: RepositoryName.parse("/".join(levels)))
tags = st.from_regex(r"\A[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z").map(Tag.parse)
digests = st.builds(Digest.of, st.binary(max_size=8), st.sampled_from(["sha256", "sha512"]))
times = st.integers(0, 2**53).map(lambda n: EPOCH + timedelta(microseconds=n))


@given(names, names)
def test_partitions_sort_as_the_names_do(one: RepositoryName, other: RepositoryName) -> None:
    assert (repository_rows.partition(one) < repository_rows.partition(other)) is (
        one.text < other.text
    )
    assert (blob_rows.link(one) < blob_rows.link(other)) is (one.text < other.text)


@given(names)
def test_a_name_comes_back_from_its_key(name: RepositoryName) -> None:
    assert keys.decode(keys.encode(name.text)) == name.text
    assert keys.encode(name.text) == repository_rows.partition(name)


@given(tags, tags)
def test_tags_sort_as_themselves(one: Tag, other: Tag) -> None:
    assert (repository_rows.tag_key(one) < repository_rows.tag_key(other)) is (
        one.text < other.text
    )


any_tag = st.text(names_.TAG_ALPHABET, min_size=1, max_size=6)
any_repository = st.text(names_.REPOSITORY_ALPHABET, min_size=1, max_size=6)
lasts = st.text(max_size=6) | any_tag | st.tuples(any_tag, st.text(max_size=3)).map("".join)


@given(lasts, any_tag)
def test_after_whatever_a_client_sends_come_the_greater_tags_and_no_others(
    last: str, name: str
) -> None:
    assert (name >= keys.following(last, names_.TAG_ALPHABET)) is (name > last)


@given(lasts, any_repository)
def test_after_whatever_a_client_sends_come_the_greater_repositories(last: str, name: str) -> None:
    bound = keys.encode(keys.following(last, names_.REPOSITORY_ALPHABET))
    assert (keys.encode(name) >= bound) is (name > last)
    assert keys.encode(name) < keys.AFTER_ALL


@given(lasts)
def test_nothing_that_a_client_sends_as_last_gets_into_a_filter_raw(last: str) -> None:
    for alphabet in (names_.TAG_ALPHABET, names_.REPOSITORY_ALPHABET, DIGEST_ALPHABET):
        assert set(keys.following(last, alphabet)) <= {*alphabet, "\x20", keys.AFTER_ALL}


@given(names, tags, digests, digests, times)
def test_no_key_holds_what_storage_refuses_nor_is_too_long(
    name: RepositoryName, tag: Tag, one: Digest, other: Digest, time: datetime
) -> None:
    every = [
        repository_rows.partition(name),
        repository_rows.manifest_key(one),
        repository_rows.tag_key(tag),
        repository_rows.manifest_tag(one, tag),
        repository_rows.tag_time(time, tag),
        repository_rows.manifest_time(time, one),
        repository_rows.child(one, other),
        repository_rows.referrer(one, other),
        blob_rows.link(name),
        blob_rows.requirement(name, one),
        repository_rows.REPOSITORY,
        repository_rows.WRITABLE,
        blob_rows.BLOB,
    ]
    for key in every:
        assert not set(key) & set("/\\#?%")
        assert all(0x20 < ord(character) < 0x7F for character in key)
        assert len(key.encode("utf-16-le")) <= MAX_KEY_BYTES


def test_the_longest_keys_are_short_enough() -> None:
    name, tag = RepositoryName.parse("a" * 255), Tag.parse("a" * 128)
    digest = Digest.of(b"", "sha512")
    for key in (
        blob_rows.requirement(name, digest),
        repository_rows.referrer(digest, digest),
        repository_rows.manifest_tag(digest, tag),
    ):
        assert len(key.encode("utf-16-le")) <= MAX_KEY_BYTES


@given(times, times, tags, digests)
def test_rows_by_time_begin_with_the_latest(
    one: datetime, other: datetime, tag: Tag, digest: Digest
) -> None:
    assert len(repository_rows.inverted(one)) == 19
    assert (repository_rows.inverted(one) < repository_rows.inverted(other)) is (one > other)
    assert (repository_rows.tag_time(one, tag) < repository_rows.tag_time(other, tag)) is (
        one > other
    )
    assert (
        repository_rows.manifest_time(one, digest) < repository_rows.manifest_time(other, digest)
    ) is (one > other)


@given(times)
def test_neighbouring_microseconds_have_different_rows(time: datetime) -> None:
    later = time + timedelta(microseconds=1)
    assert repository_rows.microseconds(later) == repository_rows.microseconds(time) + 1
    assert int(repository_rows.inverted(time)) == 2**63 - 1 - repository_rows.microseconds(time)


@given(st.text("ab:,;-.~ ", min_size=1, max_size=6), st.text("ab:,;-.~ ", max_size=6))
def test_the_end_of_a_prefix_comes_after_its_keys_and_before_all_others(
    prefix: str, key: str
) -> None:
    assert prefix <= prefix + key < keys.end_of(prefix)
    if key >= prefix and not key.startswith(prefix):
        assert key >= keys.end_of(prefix)


@given(names, names, digests)
def test_the_needs_of_one_repository_are_not_anothers(
    one: RepositoryName, other: RepositoryName, digest: Digest
) -> None:
    prefix, key = blob_rows.requirements(one), blob_rows.requirement(other, digest)
    assert (prefix <= key < keys.end_of(prefix)) is (one == other)
    if one == other:
        assert Digest.parse(key.removeprefix(prefix)) == digest


@pytest.mark.parametrize(
    ("prefix", "of", "other"),
    [
        (repository_rows.manifest_tags, repository_rows.manifest_tag, "v1"),
        (repository_rows.referrers, repository_rows.referrer, Digest.of(b"r")),
        (repository_rows.child_parents, repository_rows.child, Digest.of(b"p")),
    ],
)
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_manifests_rows_are_one_range(
    prefix: object, of: object, other: object, algorithm: str
) -> None:
    assert callable(prefix)
    assert callable(of)
    digest, stranger = Digest.of(b"d", algorithm), Digest.of(b"e", algorithm)
    begin = prefix(digest)
    assert begin <= of(digest, other) < keys.end_of(begin)
    assert not begin <= of(stranger, other) < keys.end_of(begin)


def test_kinds_of_rows_do_not_mix() -> None:
    digest = Digest.of(b"")
    kinds = [
        repository_rows.REPOSITORY,
        repository_rows.WRITABLE,
        repository_rows.manifest_key(digest),
        repository_rows.tag_key(Tag("h")),
        repository_rows.manifest_tag(digest, "h"),
        repository_rows.tag_time(datetime.now(UTC), "h"),
        repository_rows.manifest_time(datetime.now(UTC), digest),
        repository_rows.child(digest, digest),
        repository_rows.referrer(digest, digest),
    ]
    prefixes = {key.partition(":")[0] for key in kinds}
    assert prefixes == {"h", "hw", "m", "t", "g", "T", "M", "c", "s"}


def test_an_object_is_named_after_the_day_and_the_upload() -> None:
    upload = uuid.UUID(int=7)
    assert blob_rows.upload_object(date(2026, 1, 2), upload) == f"uploads/2026-01-02/{upload}"


@given(
    st.from_regex(r"\A[a-z0-9]{3,24}\Z"),
    st.sampled_from(system.CONTAINERS),
    st.text("ab/-.", min_size=1),
)
def test_a_location_survives_its_text(account: str, container: str, name: str) -> None:
    location = Location(account, container, name)
    assert Location.parse(str(location)) == location
