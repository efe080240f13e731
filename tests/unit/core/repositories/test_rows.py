import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.data.tables import EntityProperty
from hypothesis import given
from hypothesis import strategies as st

from registry_core.model.attributes import Attributes
from registry_core.model.digest import Digest
from registry_core.model.manifest import Descriptor, Manifest, Platform
from registry_core.model.media_types import OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.push import MAX_TAGS
from registry_core.repositories.rows import (
    INLINE_BYTES,
    StoredManifest,
    StoredTag,
    manifest_changes,
    referrer_changes,
    referrer_descriptor,
    tag_changes,
    untag_changes,
)
from registry_core.storage import tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row, RowChange

KIB = 1024
NOW = datetime(2026, 3, 1, 12, 0, 0, 7, UTC)
EARLIER = NOW - timedelta(days=1)
STAMP = "0123456789ab-0000-local"
LOCATION = Location("acct", "content", "uploads/2026-03-01/x")
SIZES = [0, 1, *(n * 64 * KIB + d for n in (1, 2, 8) for d in (-1, 0, 1) if n * d != 8)]
MAX_PROPERTY_BYTES = 64 * KIB
MAX_ROW_BYTES = 1024 * KIB


def manifest(content: bytes = b"{}", **changes: Any) -> Manifest:
    return Manifest(content, Digest.of(content), OCI_MANIFEST, **changes)


def stored_tag(name: str, digest: Digest, updated: datetime = EARLIER) -> StoredTag:
    return StoredTag(name, digest, OCI_MANIFEST, 2, updated, STAMP, Attributes(), "etag")


def read_back(change: RowChange) -> Row:
    """The row that a change leaves, as it is read."""
    values = {
        name: value.value if isinstance(value, EntityProperty) else value
        for name, value in change.values.items()
        if value is not None
    }
    return Row("p", change.key, values, "etag", NOW)


def row_keys(changes: Sequence[RowChange]) -> list[str]:
    return [change.key for change in changes]


def write(
    of: Manifest, location: Location | None = None, known: Row | None = None
) -> list[RowChange]:
    platform = Platform("linux", "arm", "", "v7")
    return manifest_changes(of, platform, location, known, NOW, STAMP)


def property_bytes(value: object) -> int:
    if isinstance(value, bytes):
        return len(value)
    return len(value.encode("utf-16-le")) if isinstance(value, str) else 8


@pytest.mark.parametrize("size", SIZES)
def test_a_manifests_bytes_come_back_from_their_row(size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    before = manifest(content[:size])
    row = read_back(write(before)[0])
    after = StoredManifest.from_row(row)
    assert after.content == before.content
    assert (after.digest, after.media_type, after.size) == (
        str(before.digest),
        OCI_MANIFEST,
        size,
    )
    assert after.location is None
    assert all(property_bytes(value) <= MAX_PROPERTY_BYTES for value in row.values.values())
    assert sum(map(property_bytes, row.values.values())) < MAX_ROW_BYTES


def test_a_manifest_too_large_for_its_row_lies_elsewhere() -> None:
    large = manifest(b"x" * (INLINE_BYTES + 1))
    row = read_back(write(large, LOCATION)[0])
    after = StoredManifest.from_row(row)
    assert (after.content, after.location) == (None, LOCATION)
    assert sum(map(property_bytes, row.values.values())) < 8 * KIB


def test_a_new_manifest_is_inserted_with_all_that_listings_show() -> None:
    config = Descriptor(OCI_CONFIG, Digest.of(b"c"), 5)
    subject = Descriptor(OCI_MANIFEST, Digest.of(b"s"), 7)
    new = manifest(config=config, layers=(config,), subject=subject, artifact_type="a/b")
    row, by_time = write(new)
    assert (row.kind, row.key) == ("create", repository_rows.manifest_key(new.digest))
    values = read_back(row).values
    assert {name: values[name] for name in ("Os", "Architecture", "OsVersion", "Variant")} == {
        "Os": "linux",
        "Architecture": "arm",
        "OsVersion": "",
        "Variant": "v7",
    }
    assert values["Created"] == values["Updated"] == tables.time_value(NOW)
    assert (values["ConfigMediaType"], values["ArtifactType"]) == (OCI_CONFIG, "a/b")
    assert (values["Subject"], values["ImageSize"]) == (str(subject.digest), 10)
    assert values["Stamp"] == STAMP
    assert (by_time.kind, by_time.key) == ("create", repository_rows.manifest_time(NOW, new.digest))


@pytest.mark.parametrize("updated", [NOW, EARLIER, NOW - timedelta(microseconds=1)])
def test_a_manifest_pushed_again_keeps_its_bytes_locks_and_age(updated: datetime) -> None:
    again = manifest()
    known = Row(
        "p",
        repository_rows.manifest_key(again.digest),
        {"Updated": tables.time_value(updated)},
        "v1",
        NOW,
    )
    changes = write(again, known=known)
    merge = changes[0]
    assert (merge.kind, merge.key, merge.etag) == (
        "update",
        repository_rows.manifest_key(again.digest),
        "v1",
    )
    assert merge.values.keys() == {"Updated", "Stamp", "Untagged"}
    before, after = (repository_rows.manifest_time(time, again.digest) for time in (updated, NOW))
    moved = [] if before == after else [("delete", before), ("create", after)]
    assert [(change.kind, change.key) for change in changes[1:]] == moved


def test_a_new_tag_is_inserted() -> None:
    of = manifest()
    changes = tag_changes(Tag("v1"), of, None, NOW, STAMP)
    assert [(change.kind, change.key) for change in changes] == [
        ("create", "t:v1"),
        ("upsert", repository_rows.tag_time(NOW, "v1")),
        ("upsert", repository_rows.manifest_tag(of.digest, "v1")),
    ]
    after = StoredTag.from_row(read_back(changes[0]))
    assert (after.name, after.digest, after.media_type, after.size) == (
        "v1",
        of.digest,
        OCI_MANIFEST,
        2,
    )
    assert (after.updated, after.stamp, after.attributes) == (NOW, STAMP, Attributes())


@pytest.mark.parametrize("updated", [NOW, EARLIER])
@pytest.mark.parametrize("moved", [True, False])
def test_a_tag_written_again_leaves_no_row_of_before(updated: datetime, moved: bool) -> None:
    of = manifest()
    before = stored_tag("v1", Digest.of(b"before") if moved else of.digest, updated)
    changes = tag_changes(Tag("v1"), of, before, NOW, STAMP)
    kinds = {change.key: change.kind for change in changes}
    assert len(kinds) == len(changes)
    merged = changes[0]
    assert (merged.kind, merged.key, merged.etag) == ("update", "t:v1", "etag")
    assert "Created" not in merged.values
    assert kinds[repository_rows.tag_time(NOW, "v1")] == "upsert"
    assert kinds[repository_rows.manifest_tag(of.digest, "v1")] == "upsert"
    deleted = {key for key, kind in kinds.items() if kind == "delete"}
    assert deleted == {
        *([repository_rows.tag_time(updated, "v1")] if updated != NOW else []),
        *([repository_rows.manifest_tag(before.digest, "v1")] if moved else []),
    }


def test_taking_a_tag_away_takes_all_its_rows_if_it_is_unchanged() -> None:
    digest = Digest.of(b"x")
    changes = untag_changes(stored_tag("v1", digest))
    assert {(change.kind, change.key, change.etag) for change in changes} == {
        ("delete", "t:v1", "etag"),
        ("delete", repository_rows.manifest_tag(digest, "v1"), None),
        ("delete", repository_rows.tag_time(EARLIER, "v1"), None),
    }


olds = st.lists(
    st.none() | st.tuples(st.integers(-1, 2), st.integers(-2, 2)), min_size=1, max_size=MAX_TAGS
)


@given(olds, st.booleans(), st.integers(-2, 2), st.booleans())
def test_a_push_names_each_row_once_and_fits_one_transaction(
    befores: list[tuple[int, int] | None], is_known: bool, pushed: int, is_referrer: bool
) -> None:
    subject = Descriptor(OCI_MANIFEST, Digest.of(b"s"), 7) if is_referrer else None
    of = manifest(subject=subject)
    digests = [of.digest, *(Digest.of(bytes([n])) for n in range(3))]
    known = None
    if is_known:
        updated = tables.time_value(NOW + timedelta(microseconds=pushed))
        known = Row("p", repository_rows.manifest_key(of.digest), {"Updated": updated}, "v1", NOW)
    changes = write(of, known=known)
    moved = set[Digest]()
    for number, before in enumerate(befores):
        tag, old = Tag(f"v{number}"), None
        if before is not None:
            digest = digests[before[0] + 1]
            old = stored_tag(tag.text, digest, NOW + timedelta(microseconds=before[1]))
            moved.add(digest)
        changes += tag_changes(tag, of, old, NOW, STAMP)
    changes += [
        tables.merge(repository_rows.manifest_key(d), Untagged="x") for d in moved - {of.digest}
    ]
    changes += referrer_changes(of)
    combined = tables.combine(changes)
    assert sorted(row_keys(combined)) == sorted(set(row_keys(changes)))


def test_the_most_tags_that_move_at_once_fit_one_transaction() -> None:
    of = manifest(subject=Descriptor(OCI_MANIFEST, Digest.of(b"s"), 7))
    known = Row(
        "p",
        repository_rows.manifest_key(of.digest),
        {"Updated": tables.time_value(EARLIER)},
        "v1",
        NOW,
    )
    changes = [tables.merge(repository_rows.WRITABLE, Updated="x"), *write(of, known=known)]
    for number in range(MAX_TAGS):
        before = Digest.of(bytes([number]))
        changes += tag_changes(Tag(f"v{number}"), of, stored_tag(f"v{number}", before), NOW, STAMP)
        changes.append(tables.merge(repository_rows.manifest_key(before), Untagged="x"))
    changes += referrer_changes(of)
    assert len(tables.combine(changes)) == len(changes) <= tables.MAX_TRANSACTION_ROWS


def test_a_manifest_without_a_subject_refers_to_nothing() -> None:
    assert referrer_changes(manifest()) == []


SUBJECT = Descriptor(OCI_MANIFEST, Digest.of(b"subject"), 7)
annotations = st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=5)


@given(annotations, st.sampled_from(["", "application/spdx+json"]))
def test_a_referrers_descriptor_comes_back_with_its_annotations(
    of_referrer: dict[str, str], artifact_type: str
) -> None:
    referrer = manifest(subject=SUBJECT, annotations=of_referrer, artifact_type=artifact_type)
    (change,) = referrer_changes(referrer)
    row = read_back(change)
    assert (change.kind, change.key) == (
        "upsert",
        repository_rows.referrer(SUBJECT.digest, referrer.digest),
    )
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
    (change,) = referrer_changes(manifest(subject=SUBJECT, annotations=texts))
    row = read_back(change)
    if row.values.get("AnnotationsInManifest"):
        assert len(json.dumps(texts)) > 8 * KIB
        assert "annotations" not in referrer_descriptor(row)
    else:
        assert len(json.dumps(texts)) <= 8 * KIB
        assert referrer_descriptor(row)["annotations"] == texts
    assert all(property_bytes(value) <= MAX_PROPERTY_BYTES for value in row.values.values())
    assert sum(map(property_bytes, row.values.values())) < MAX_ROW_BYTES


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("of_subject", ["sha256", "sha512"])
def test_a_referrers_digest_is_read_off_its_key(algorithm: str, of_subject: str) -> None:
    digest = Digest.of(b"r", algorithm)
    row = Row("p", repository_rows.referrer(Digest.of(b"s", of_subject), digest), {}, "e", NOW)
    assert repository_rows.referrer_digest(row) == str(digest)


def test_an_index_that_is_a_referrer_is_listed_as_an_index() -> None:
    content = json.dumps(
        {
            "schemaVersion": 2,
            "manifests": [],
            "subject": {"mediaType": OCI_EMPTY, "digest": str(SUBJECT.digest), "size": 7},
        }
    ).encode()
    (change,) = referrer_changes(Manifest.parse(content, OCI_INDEX))
    assert referrer_descriptor(read_back(change))["mediaType"] == OCI_INDEX


def test_locks_in_the_row_come_along() -> None:
    row = read_back(write(manifest())[0])
    locked = Row("p", row.key, {**row.values, "WriteEnabled": False}, "e", NOW)
    assert not StoredManifest.from_row(locked).attributes.write_enabled
    tag = read_back(tag_changes(Tag("v1"), manifest(), None, NOW, STAMP)[0])
    locked = Row("p", tag.key, {**tag.values, "DeleteEnabled": False}, "e", NOW)
    assert not StoredTag.from_row(locked).attributes.delete_enabled


def test_rows_of_a_repository_fit_its_partitions_key() -> None:
    assert repository_rows.partition(RepositoryName("a/b-c")) == "a.b,c"
