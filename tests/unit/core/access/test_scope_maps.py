from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from registry_core.access import scope_maps
from registry_core.access.scope_maps import MAX_ACTIONS, StoredScopeMap
from registry_core.model.roles import ScopeMap
from registry_core.storage.tables import Row

NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def back(scope_map: ScopeMap) -> StoredScopeMap:
    columns = scope_maps.columns(scope_map, NOW)
    return StoredScopeMap.from_row(Row("scope-maps", scope_map.name, columns, "version", NOW))


@given(st.lists(st.text(max_size=50), max_size=20), st.text())
def test_a_scope_map_comes_back_from_its_row_as_it_was(
    actions: list[str], description: str
) -> None:
    scope_map = ScopeMap("mine", tuple(actions), description)
    found = back(scope_map)
    assert (found.scope_map, found.created, found.etag) == (scope_map, NOW, "version")


def test_as_many_of_the_longest_actions_as_are_allowed_fit_into_a_row() -> None:
    longest = "repositories/" + "a" * 255 + "/content/delete"
    scope_map = ScopeMap("mine", (longest,) * MAX_ACTIONS, "")
    assert back(scope_map).scope_map == scope_map


def test_every_row_that_is_written_has_a_generation_of_its_own() -> None:
    scope_map = ScopeMap("mine", ("repositories/a/content/read",), "")
    assert len({back(scope_map).generation for _ in range(100)}) == 100
