from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.access.tokens import PASSWORD_NAMES, StoredPassword, StoredToken, new_password
from registry_core.storage.tables import Row

NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
passwords = st.builds(StoredPassword, st.text(), st.text(), times, st.none() | times, st.text())
tokens = st.builds(
    StoredToken,
    name=st.just("reader"),
    scope_map=st.text(),
    enabled=st.booleans(),
    created=times,
    generation=st.text(),
    passwords=st.lists(passwords, max_size=2).map(tuple),
)


@given(tokens)
def test_a_token_comes_back_from_its_row_as_it_was(token: StoredToken) -> None:
    row = Row("tokens", token.name, token.columns(), "version", NOW)
    found = StoredToken.from_row(row)
    assert found == token
    assert found.etag == "version"


def test_a_row_without_a_status_is_a_token_that_is_switched_off() -> None:
    columns = StoredToken("reader", "map", True, NOW, "g").columns()
    del columns["Enabled"]
    assert not StoredToken.from_row(Row("tokens", "reader", columns, "version", NOW)).enabled


@pytest.mark.parametrize("name", PASSWORD_NAMES)
def test_a_password_is_right_until_it_ends_and_only_its_hash_is_kept(name: str) -> None:
    expiry = NOW + timedelta(days=1)
    stored, password = new_password(name, expiry, NOW)
    assert stored.is_right(password, expiry - timedelta(microseconds=1))
    assert not stored.is_right(password, expiry)
    assert not stored.is_right(password + "x", NOW)
    token = StoredToken("reader", "map", True, NOW, "g", (stored,))
    assert password not in str(token.columns())
    assert stored.hash not in repr(token)


def test_no_two_passwords_are_alike() -> None:
    first, second = (new_password("password1", None, NOW) for _ in range(2))
    assert first[1] != second[1]
    assert first[0].hash != second[0].hash
    assert first[0].is_right(first[1], datetime.max.replace(tzinfo=UTC))
    assert not first[0].is_right(second[1], NOW)
