from hypothesis import given
from hypothesis import strategies as st

from registry_core import system
from registry_core.model import names as names_
from registry_core.model.digest import DIGEST_ALPHABET
from registry_core.model.names import RepositoryName
from registry_core.storage import keys
from registry_core.storage.objects import Location
from tests.unit.core.values import repository_names

any_tag = st.text(names_.TAG_ALPHABET, min_size=1, max_size=6)
any_repository = st.text(names_.REPOSITORY_ALPHABET, min_size=1, max_size=6)
lasts = st.text(max_size=6) | any_tag | st.tuples(any_tag, st.text(max_size=3)).map("".join)


@given(repository_names)
def test_a_name_comes_back_from_its_key(name: RepositoryName) -> None:
    assert keys.decode(keys.encode(name.text)) == name.text


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


@given(st.text("ab:,;-.~ ", min_size=1, max_size=6), st.text("ab:,;-.~ ", max_size=6))
def test_the_end_of_a_prefix_comes_after_its_keys_and_before_all_others(
    prefix: str, key: str
) -> None:
    assert prefix <= prefix + key < keys.end_of(prefix)
    if key >= prefix and not key.startswith(prefix):
        assert key >= keys.end_of(prefix)


@given(
    st.from_regex(r"\A[a-z0-9]{3,24}\Z"),
    st.sampled_from(system.CONTAINERS),
    st.text("ab/-.", min_size=1),
)
def test_a_location_survives_its_text(account: str, container: str, name: str) -> None:
    location = Location(account, container, name)
    assert Location.parse(str(location)) == location
