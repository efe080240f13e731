"""How the rows of table `blobs` are spelt, and the objects that they name."""

import uuid
from datetime import UTC, date, datetime

import pytest
from hypothesis import given

from registry_core.blobs import rows
from registry_core.blobs.rows import Link
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.storage import keys, tables
from registry_core.storage.objects import Location
from registry_core.storage.tables import Row
from tests.unit.core.values import digests, repository_names, storage_refuses

NOW = datetime(2026, 3, 1, 12, 0, 0, 7, UTC)
LOCATION = Location("acct", "content", rows.upload_object(NOW.date(), uuid.UUID(int=7)))
LONGEST = RepositoryName.parse("a" * 255)


@given(repository_names, repository_names)
def test_links_sort_as_the_names_of_their_repositories(
    one: RepositoryName, other: RepositoryName
) -> None:
    assert (rows.link(one) < rows.link(other)) is (one.text < other.text)


@given(repository_names)
def test_the_repository_of_a_link_is_read_off_its_key(name: RepositoryName) -> None:
    assert rows.linked(rows.link(name)) == name


@given(repository_names, digests)
def test_no_key_holds_what_storage_refuses(name: RepositoryName, digest: Digest) -> None:
    every = [
        rows.BLOB,
        rows.link(name),
        rows.requirement(name, digest),
        rows.marker(LOCATION),
        rows.doomed(LOCATION),
    ]
    assert not [key for key in every if storage_refuses(key)]
    assert len({key.partition(":")[0] for key in every}) == len(every)


def test_the_longest_keys_are_short_enough() -> None:
    assert not storage_refuses(rows.requirement(LONGEST, Digest.of(b"", "sha512")))
    assert not storage_refuses(rows.link(LONGEST))


@given(repository_names, repository_names, digests)
def test_the_needs_of_one_repository_are_not_anothers(
    one: RepositoryName, other: RepositoryName, digest: Digest
) -> None:
    prefix, key = rows.requirements(one), rows.requirement(other, digest)
    assert (prefix <= key < keys.end_of(prefix)) is (one == other)
    if one == other:
        assert Digest.parse(key.removeprefix(prefix)) == digest


def test_an_object_is_named_after_the_day_and_the_upload() -> None:
    upload = uuid.UUID(int=7)
    assert rows.upload_object(date(2026, 1, 2), upload) == f"uploads/2026-01-02/{upload}"


@pytest.mark.parametrize("going", [None, NOW])
def test_a_link_comes_back_from_its_row(going: datetime | None) -> None:
    before = Link(LOCATION, 2**40)
    values = dict(before.columns)
    if going:
        values[rows.GOING] = tables.time_value(going)
    assert values.keys() <= set(rows.LINK_COLUMNS)
    after = Link.from_row(Row("p", rows.link(LONGEST), values, "e", NOW))
    assert (after.location, after.size) == (LOCATION, 2**40)
    assert (after.timestamp, after.going) == (NOW, going)
