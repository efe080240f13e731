"""How the rows of table `repositories` are spelt: what is written comes back, and fits."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.model.attributes import COLUMNS
from registry_core.model.digest import Digest
from registry_core.model.manifest import MAX_DESCRIPTORS, Descriptor, Manifest, Platform
from registry_core.model.media_types import OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.rows import (
    INLINE_BYTES,
    Described,
    Range,
    State,
    StoredBlob,
    StoredManifest,
    StoredTag,
    referrer_descriptor,
    state_of,
)
from registry_core.storage import keys, tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row
from tests.unit.core.values import digests, repository_names, storage_refuses, tags, times

KIB = 1024
NOW = datetime(2026, 3, 1, 12, 0, 0, 7, UTC)
LOCATION = Location("acct", "content", "uploads/2026-03-01/x")
SIZES = [0, 1, *(n * 64 * KIB + d for n in (1, 2, 8) for d in (-1, 0, 1) if n * d != 8)]
MAX_PROPERTY_BYTES = 64 * KIB
MAX_ROW_BYTES = 1024 * KIB
PLATFORM = Platform("linux", "arm", "", "v7")
SMALL = Described(PLATFORM, ())
SUBJECT = Descriptor(OCI_MANIFEST, Digest.of(b"subject"), 7)


def manifest(content: bytes = b"{}", **changes: Any) -> Manifest:
    return Manifest(content, Digest.of(content), OCI_MANIFEST, **changes)


def read_back(key: str, columns: Mapping[str, Any]) -> Row:
    """A row with these columns, as it is read."""
    values = dict(columns)
    return Row("p", key, values, "etag", NOW)


def manifest_row(of: Manifest, described: Described = SMALL) -> Row:
    times_ = dict.fromkeys(("Created", "Updated"), tables.time_value(NOW))
    columns = rows.manifest_columns(of, described) | times_ | {rows.LIVE: True}
    return read_back(rows.manifest_key(of.digest), columns)


def property_bytes(value: object) -> int:
    if isinstance(value, bytes):
        return len(value)
    return len(value.encode("utf-16-le")) if isinstance(value, str) else 8


def fits(row: Row) -> bool:
    sizes = [property_bytes(value) for value in row.values.values()]
    return max(sizes) <= MAX_PROPERTY_BYTES and sum(sizes) < MAX_ROW_BYTES


# Keys.


@given(repository_names, repository_names)
def test_partitions_sort_as_the_names_do(one: RepositoryName, other: RepositoryName) -> None:
    assert (rows.partition(one) < rows.partition(other)) is (one.text < other.text)


def test_a_partition_is_spelt_without_slashes() -> None:
    assert rows.partition(RepositoryName("a/b-c")) == "a.b,c"


@given(tags, tags)
def test_tags_sort_as_themselves(one: Tag, other: Tag) -> None:
    assert (rows.tag_key(one) < rows.tag_key(other)) is (one.text < other.text)


@given(repository_names, tags, digests, digests, times)
def test_no_key_holds_what_storage_refuses_nor_is_too_long(
    name: RepositoryName, tag: Tag, one: Digest, other: Digest, time: datetime
) -> None:
    every = [
        rows.partition(name),
        rows.REPOSITORY,
        *rows.GUARDS,
        rows.LAST_UPDATE,
        rows.USAGE,
        rows.manifest_key(one),
        rows.tag_key(tag),
        rows.manifest_tag(one, tag),
        rows.tag_time(time, tag),
        rows.manifest_time(time, one),
        rows.child(one, other),
        rows.referrer(one, other),
    ]
    assert not [key for key in every if storage_refuses(key)]


def test_the_longest_keys_are_short_enough() -> None:
    tag, digest = Tag.parse("a" * 128), Digest.of(b"", "sha512")
    assert not storage_refuses(rows.referrer(digest, digest))
    assert not storage_refuses(rows.manifest_tag(digest, tag))


@given(times, times, tags, digests)
def test_rows_by_time_begin_with_the_latest(
    one: datetime, other: datetime, tag: Tag, digest: Digest
) -> None:
    assert len(rows.inverted(one)) == 19
    assert (rows.inverted(one) < rows.inverted(other)) is (one > other)
    assert (rows.tag_time(one, tag) < rows.tag_time(other, tag)) is (one > other)
    assert (rows.manifest_time(one, digest) < rows.manifest_time(other, digest)) is (one > other)


@given(times)
def test_neighbouring_microseconds_have_different_rows(time: datetime) -> None:
    later = time + timedelta(microseconds=1)
    assert rows.microseconds(later) == rows.microseconds(time) + 1
    assert int(rows.inverted(time)) == 2**63 - 1 - rows.microseconds(time)


@pytest.mark.parametrize(
    ("range_of", "key", "other"),
    [
        (rows.tags_of, rows.manifest_tag, Tag("v1")),
        (rows.referrers_of, rows.referrer, Digest.of(b"r")),
        (rows.parents_of, rows.child, Digest.of(b"p")),
    ],
)
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_rows_that_follow_from_a_manifest_are_one_range(
    range_of: Callable[[Digest], Range],
    key: Callable[[Digest, Any], str],
    other: Tag | Digest,
    algorithm: str,
) -> None:
    digest, stranger = Digest.of(b"d", algorithm), Digest.of(b"e", algorithm)
    range_ = range_of(digest)
    assert key(digest, other) in range_
    assert key(stranger, other) not in range_
    assert range_.first <= key(digest, other) < range_.end
    assert range_.rest(key(digest, other)) == str(other)


@given(tags, digests, digests, times)
def test_every_key_is_of_one_kind(tag: Tag, one: Digest, other: Digest, time: datetime) -> None:
    ranges = [rows.MANIFESTS, rows.TAGS, *rows.INDEX_ROWS]
    kinds = {
        rows.manifest_key(one): rows.MANIFESTS,
        rows.tag_key(tag): rows.TAGS,
        rows.tag_time(time, tag): rows.TAG_TIMES,
        rows.manifest_time(time, one): rows.MANIFEST_TIMES,
        rows.manifest_tag(one, tag): rows.MANIFEST_TAGS,
        rows.child(one, other): rows.CHILDREN,
        rows.referrer(one, other): rows.REFERRERS,
    }
    for key, kind in kinds.items():
        assert [range_ for range_ in ranges if key in range_] == [kind]
    for key in (rows.REPOSITORY, *rows.GUARDS, rows.LAST_UPDATE, rows.USAGE):
        assert not [range_ for range_ in ranges if key in range_]
    assert len({rows.REPOSITORY, *rows.GUARDS, rows.LAST_UPDATE, rows.USAGE}) == 5


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("of_subject", ["sha256", "sha512"])
def test_digests_are_read_off_keys(algorithm: str, of_subject: str) -> None:
    digest, subject = Digest.of(b"r", algorithm), Digest.of(b"s", of_subject)
    key = rows.referrer(subject, digest)
    assert (rows.last_digest(key), rows.subject_of(key)) == (digest, subject)
    assert rows.last_digest(rows.child(subject, digest)) == digest
    assert rows.last_digest(rows.manifest_time(NOW, digest)) == digest


@given(tags, tags)
def test_what_comes_after_a_tag_are_the_greater_ones(one: Tag, other: Tag) -> None:
    assert (rows.tag_key(other) >= rows.TAGS.after(str(one))) is (other.text > one.text)


# States.


@pytest.mark.parametrize(
    ("values", "state"),
    [
        (None, State.GONE),
        ({rows.LIVE: True}, State.LIVE),
        ({rows.GONE: tables.time_value(NOW), "Stamp": "x"}, State.GONE),
        ({rows.LIVE: True, rows.GONE: tables.time_value(NOW)}, State.GONE),
        ({"Digest": "x"}, State.RESTORABLE),
        ({rows.LIVE: False}, State.RESTORABLE),
    ],
)
def test_a_row_says_how_much_there_is_of_it(values: Any, state: State) -> None:
    row = None if values is None else read_back("t:v1", values)
    assert state_of(row) is state
    assert rows.is_live(row) is (state is State.LIVE)
    assert rows.live(row) is (row if state is State.LIVE else None)


def test_a_tombstone_is_of_what_has_gone() -> None:
    buried = rows.tombstone(NOW, "stamp")
    assert state_of(read_back("t:v1", buried)) is State.GONE
    assert buried == {rows.GONE: tables.time_value(NOW), "Stamp": "stamp"}
    stood = rows.tombstone(NOW, "stamp", NOW - timedelta(days=1))
    assert state_of(read_back("t:v1", stood)) is State.GONE
    assert stood == {**buried, "Updated": tables.time_value(NOW - timedelta(days=1))}


# Manifests.


@pytest.mark.parametrize("size", SIZES)
def test_a_manifests_bytes_come_back_from_their_row(size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    before = manifest(content[:size], subject=SUBJECT)
    row = manifest_row(before)
    after = StoredManifest.from_row(row)
    assert after.content == before.content
    assert (after.digest, after.media_type, after.size) == (before.digest, OCI_MANIFEST, size)
    assert (after.location, after.subject) == (None, SUBJECT.digest)
    assert (after.updated, after.timestamp, after.etag) == (NOW, NOW, "etag")
    assert fits(row)


def test_a_manifest_too_large_for_its_row_lies_elsewhere() -> None:
    row = manifest_row(manifest(b"x" * (INLINE_BYTES + 1)), Described(PLATFORM, (), LOCATION))
    after = StoredManifest.from_row(row)
    assert (after.content, after.location) == (None, LOCATION)
    assert sum(map(property_bytes, row.values.values())) < 8 * KIB


def test_a_manifest_says_all_that_listings_show() -> None:
    config = Descriptor(OCI_CONFIG, Digest.of(b"c"), 5)
    new = manifest(config=config, layers=(config,), subject=SUBJECT, artifact_type="a/b")
    values = manifest_row(new).values
    platform = [values[name] for name in ("Os", "Architecture", "OsVersion", "Variant")]
    assert platform == ["linux", "arm", "", "v7"]
    assert (values["ConfigMediaType"], values["ArtifactType"]) == (OCI_CONFIG, "a/b")
    assert (values["Subject"], values["ImageSize"]) == (str(SUBJECT.digest), 10)
    locked = {**values, "WriteEnabled": False}
    listed = read_back("M:x", rows.manifest_time_columns(new, locked)).values
    assert listed["WriteEnabled"] is False
    assert {name: listed[name] for name in listed if name != "WriteEnabled"} == {
        name: values[name]
        for name in (
            "MediaType",
            "ConfigMediaType",
            "ArtifactType",
            "ImageSize",
            "Os",
            "Architecture",
            "OsVersion",
            "Variant",
            "Created",
        )
    }


locations = st.none() | st.just(LOCATION)


@given(st.lists(st.builds(StoredBlob, digests, st.integers(0, 2**50), locations), max_size=20))
def test_the_blobs_of_a_manifest_come_back_from_its_row(blobs: list[StoredBlob]) -> None:
    row = manifest_row(manifest(), Described(PLATFORM, tuple(blobs)))
    assert StoredManifest.from_row(row).blobs == tuple(blobs)


def test_as_many_blobs_as_a_manifest_may_name_fit_beside_the_largest_bytes() -> None:
    blobs = tuple(
        StoredBlob(
            Digest.of(str(number).encode(), "sha512"),
            2**40 + number,
            Location("a" * 24, "content", f"uploads/2026-03-01/{Digest.of(str(number).encode())}"),
        )
        for number in range(MAX_DESCRIPTORS)
    )
    row = manifest_row(manifest(b"x" * INLINE_BYTES), Described(PLATFORM, blobs))
    assert fits(row)
    after = StoredManifest.from_row(row)
    assert after.blobs == blobs
    assert after.content == b"x" * INLINE_BYTES


def test_a_manifest_of_which_only_the_facts_were_read_needs_nothing_more() -> None:
    row = manifest_row(manifest(subject=SUBJECT))
    facts = {name: row.values[name] for name in rows.MANIFEST_FACTS if name in row.values}
    read = StoredManifest.from_row(read_back(row.key, facts))
    whole = StoredManifest.from_row(row)
    assert (read.digest, read.updated, read.subject, read.size, read.attributes) == (
        whole.digest,
        whole.updated,
        whole.subject,
        whole.size,
        whole.attributes,
    )


# Tags.


def test_a_tag_comes_back_from_its_row() -> None:
    of = manifest()
    times_ = dict.fromkeys(("Created", "Updated"), tables.time_value(NOW))
    columns = {**rows.tag_columns(of), **times_, rows.LIVE: True}
    after = StoredTag.from_row(read_back(rows.tag_key(Tag("v1")), columns))
    assert (after.tag, after.digest, after.media_type, after.size) == (
        Tag("v1"),
        of.digest,
        OCI_MANIFEST,
        2,
    )
    assert (after.created, after.updated, after.etag) == (NOW, NOW, "etag")
    listed = rows.tag_time_columns(of.digest, {**columns, "ListEnabled": False, "Other": 1})
    assert listed == {
        "Digest": str(of.digest),
        "Created": tables.time_value(NOW),
        "ListEnabled": False,
    }


@pytest.mark.parametrize("locked", COLUMNS)
def test_locks_in_the_row_come_along(locked: str) -> None:
    row = manifest_row(manifest())
    of_manifest = StoredManifest.from_row(read_back(row.key, {**row.values, locked: False}))
    assert of_manifest.attributes.columns == {locked: False}
    columns = {**rows.tag_columns(manifest()), **dict(row.values), locked: False}
    tag = StoredTag.from_row(read_back("t:v1", {**columns, "Digest": str(manifest().digest)}))
    assert tag.attributes.columns == {locked: False}


# Referrers.

annotations = st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=5)


def referrer_row(of: Manifest) -> Row:
    return read_back(rows.referrer(SUBJECT.digest, of.digest), rows.referrer_columns(of))


@given(annotations, st.sampled_from(["", "application/spdx+json"]))
def test_a_referrers_descriptor_comes_back_with_its_annotations(
    of_referrer: dict[str, str], artifact_type: str
) -> None:
    referrer = manifest(subject=SUBJECT, annotations=of_referrer, artifact_type=artifact_type)
    row = referrer_row(referrer)
    expected: dict[str, Any] = {
        "mediaType": OCI_MANIFEST,
        "digest": str(referrer.digest),
        "size": len(referrer.content),
    }
    if artifact_type:
        expected["artifactType"] = artifact_type
    if of_referrer:
        expected["annotations"] = of_referrer
    assert referrer_descriptor(row) == expected
    assert "AnnotationsInManifest" not in row.values


@pytest.mark.parametrize("size", [0, 1, *(8 * KIB + d for d in (-9, -8, -7)), 64 * KIB])
@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_annotations_come_back_or_are_left_in_the_manifest(size: int, character: str) -> None:
    texts = {"a": character * size}
    row = referrer_row(manifest(subject=SUBJECT, annotations=texts))
    if row.values.get("AnnotationsInManifest"):
        assert len(json.dumps(texts)) > 8 * KIB
        assert "annotations" not in referrer_descriptor(row)
    else:
        assert len(json.dumps(texts)) <= 8 * KIB
        assert referrer_descriptor(row)["annotations"] == texts
    assert fits(row)


def test_an_index_that_is_a_referrer_is_listed_as_an_index() -> None:
    content = json.dumps(
        {
            "schemaVersion": 2,
            "manifests": [],
            "subject": {"mediaType": OCI_EMPTY, "digest": str(SUBJECT.digest), "size": 7},
        }
    ).encode()
    row = referrer_row(Manifest.parse(content, OCI_INDEX))
    assert referrer_descriptor(row)["mediaType"] == OCI_INDEX


@given(st.sampled_from([rows.MANIFESTS, rows.TAGS, *rows.INDEX_ROWS]), st.text("az:-~", max_size=5))
def test_a_range_holds_what_begins_with_its_prefix(range_: Range, rest: str) -> None:
    assert range_.prefix + rest in range_
    assert range_.end == keys.end_of(range_.prefix)
    assert range_.end not in range_
