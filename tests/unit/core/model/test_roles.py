import pytest

from registry_core.model.actions import REPOSITORY_ACTIONS, Action
from registry_core.model.names import RepositoryName
from registry_core.model.roles import (
    ROLES,
    SCOPE_MAP_ACTIONS,
    SYSTEM_SCOPE_MAPS,
    ScopeMap,
    ScopeMapError,
    parse_action,
)

APP = RepositoryName("team/app")


def test_the_roles_are_acrs_and_each_allows_what_its_name_says() -> None:
    assert ROLES.keys() == {"AcrPull", "AcrPush", "AcrDelete", "Owner"}
    assert Action.PUSH not in ROLES["AcrPull"]
    assert ROLES["AcrPush"] >= {Action.PULL, Action.PUSH}
    assert Action.DELETE not in ROLES["AcrPush"]
    assert ROLES["AcrDelete"] & {Action.PULL, Action.PUSH} == set()
    assert ROLES["Owner"] == REPOSITORY_ACTIONS


def test_the_system_scope_maps_are_acrs_five() -> None:
    actions = frozenset(SCOPE_MAP_ACTIONS.values())
    # What was deleted can be listed and restored by no token, as in ACR.
    assert actions == REPOSITORY_ACTIONS - {Action.DELETED_READ, Action.DELETED_RESTORE}
    everywhere = {name: each.grants.on(APP) for name, each in SYSTEM_SCOPE_MAPS.items()}
    assert everywhere == {
        "_repositories_admin": actions,
        "_repositories_pull": {Action.PULL},
        "_repositories_pull_metadata_read": {Action.PULL, Action.METADATA_READ},
        "_repositories_push": {Action.PULL, Action.PUSH},
        "_repositories_push_metadata_write": actions - {Action.DELETE},
    }


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("repositories/team/app/content/read", "team/app", "team/app/web"),
        ("repositories/team/*/content/read", "team/app", "team"),
        ("repositories/*/content/read", "anything", None),
        ("repositories/content/read/content/read", "content/read", "content"),
    ],
)
def test_an_action_is_for_a_repository_those_below_it_or_all(
    text: str, inside: str, outside: str | None
) -> None:
    pattern, action = parse_action(text)
    assert action is Action.PULL
    assert pattern.matches(RepositoryName(inside))
    assert outside is None or not pattern.matches(RepositoryName(outside))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "repositories",
        "repositories/content/read",
        "repositories//content/read",
        "repositories/app/content/fly",
        "repositories/app/read",
        "gateway/app/config/read",
    ],
)
def test_what_is_no_action_is_refused_and_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(ScopeMapError, match="repositories/<repository>/<action>"):
        parse_action(text)


@pytest.mark.parametrize("name", ["App", "a*", "*/app", "**", "team//app"])
def test_what_is_no_repository_is_told_apart_from_what_is_no_action(name: str) -> None:
    with pytest.raises(ScopeMapError, match="is not a repository: use a name such as"):
        parse_action(f"repositories/{name}/content/read")


def test_a_scope_map_never_allows_to_list_the_repositories() -> None:
    assert not any(each.grants.catalog for each in SYSTEM_SCOPE_MAPS.values())
    assert ScopeMap("empty", ()).grants.on(APP) == set()
