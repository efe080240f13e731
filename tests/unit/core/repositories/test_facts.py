"""Rows by name and by time tell the same."""

from datetime import UTC, datetime, timedelta

import pytest

from registry_core.http.acr import answers
from registry_core.model.digest import Digest
from registry_core.model.names import Tag
from registry_core.repositories import rows
from registry_core.repositories.facts import ManifestFacts, TagFacts
from registry_core.repositories.timeline import place_of
from registry_core.storage import tables
from registry_core.storage.tables import Row

DIGEST = Digest.of(b"x")
CREATED = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
TIMES = [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 11, 28, 12, 0, 0, 123456, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]


def row(key: str, **values: object) -> Row:
    return Row("p", key, {"Created": tables.time_value(CREATED), **values}, "e", CREATED)


@pytest.mark.parametrize("time", TIMES)
def test_a_key_by_time_has_the_time_and_the_name(time: datetime) -> None:
    for key, name in (
        (rows.tag_time(time, Tag("v1")), "v1"),
        (rows.manifest_time(time, DIGEST), str(DIGEST)),
    ):
        assert (rows.time_in(key), rows.name_in(key)) == (time, name)


@pytest.mark.parametrize("time", TIMES)
def test_a_tag_is_the_same_by_name_and_by_time(time: datetime) -> None:
    told = {"Digest": str(DIGEST), "ReadEnabled": False}
    by_name = row(rows.tag_key(Tag("v1")), Updated=tables.time_value(time), **told)
    by_time = row(rows.tag_time(time, Tag("v1")), **told)
    assert TagFacts.from_row(by_name) == TagFacts.from_row(by_time)
    assert TagFacts.from_row(by_time).updated == time


@pytest.mark.parametrize("time", TIMES)
def test_a_manifest_is_the_same_by_digest_and_by_time(time: datetime) -> None:
    told = {"MediaType": "m", "ConfigMediaType": "c", "Os": "linux", "ImageSize": 7}
    by_name = row(rows.manifest_key(DIGEST), Updated=tables.time_value(time), **told)
    by_time = row(rows.manifest_time(time, DIGEST), **told)
    assert ManifestFacts.from_row(by_name) == ManifestFacts.from_row(by_time)


def test_a_time_has_seven_digits_and_sorts_as_it_is() -> None:
    times = [CREATED + timedelta(microseconds=step) for step in range(20)]
    shown = list(map(answers.time, times))
    assert shown[0] == "2026-01-02T03:04:05.0000060Z"
    assert shown == sorted(set(shown))
    assert list(map(datetime.fromisoformat, shown)) == times


def test_a_place_names_the_entry_and_its_time() -> None:
    assert place_of("v1", CREATED) == "v1@2026-01-02T03:04:05.000006Z"
