import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.auth.identity import ANONYMOUS, Caller, Identity, IdentityKind, Means
from registry_core.auth.policy import granted, is_allowed
from registry_core.model import grants, roles
from registry_core.model.actions import REPOSITORY_ACTIONS, Action
from registry_core.model.grants import Grants
from registry_core.model.names import RepositoryName, RepositoryPattern
from registry_core.model.scope import Scope, parse_scopes

APP, OTHER = RepositoryName("team/app"), RepositoryName("other")
ADMIN = Identity(IdentityKind.ADMIN, "admin")
SOMEBODY = Identity(IdentityKind.TOKEN, "somebody")
PULL_TEAM = Grants.of([(RepositoryPattern("team/*"), [Action.PULL])])


@pytest.mark.parametrize("repository", [None, APP])
@pytest.mark.parametrize("action", Action)
def test_who_has_all_grants_may_do_everything_that_there_is(
    action: Action, repository: RepositoryName | None
) -> None:
    needs_repository = action in REPOSITORY_ACTIONS
    allowed = is_allowed(Caller(ADMIN, grants.ALL), action, repository)
    assert allowed is (repository is not None or not needs_repository)


@pytest.mark.parametrize("repository", [None, APP])
@pytest.mark.parametrize("action", sorted(set(Action) - {Action.SIGN_IN}))
def test_who_has_no_grants_may_do_nothing(
    action: Action, repository: RepositoryName | None
) -> None:
    assert not is_allowed(Caller(SOMEBODY, grants.NONE), action, repository)


@pytest.mark.rule("S1")
@pytest.mark.parametrize("action", sorted(set(Action) - {Action.SIGN_IN}))
def test_a_grant_is_for_its_action_and_its_repositories_alone(action: Action) -> None:
    caller = Caller(SOMEBODY, PULL_TEAM)
    assert is_allowed(caller, action, APP) is (action is Action.PULL)
    assert not is_allowed(caller, action, OTHER)
    assert not is_allowed(caller, action, RepositoryName("team"))
    assert not is_allowed(caller, action, RepositoryName("teams/app"))


def test_anybody_may_do_what_anybody_is_granted_but_has_not_signed_in() -> None:
    anybody = Caller(ANONYMOUS, PULL_TEAM)
    assert is_allowed(anybody, Action.PULL, APP)
    assert not is_allowed(anybody, Action.SIGN_IN, None)
    assert is_allowed(Caller(ANONYMOUS, PULL_TEAM, Means.BEARER), Action.SIGN_IN, None)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("repository:team/app:pull", ["repository:team/app:pull"]),
        ("repository:team/app:pull,push,delete", ["repository:team/app:pull"]),
        ("repository:team/app:*", ["repository:team/app:pull"]),
        ("repository:team/app:push", []),
        ("repository:other:pull", []),
        ("repository:*:pull", ["repository:team/*:pull"]),
        ("repository:*:*", ["repository:team/*:pull"]),
        ("repository:*:push", []),
        ("repository:team/*:pull", []),
        ("repository:TEAM:pull", []),
        ("repository:team/app:fly,pull", ["repository:team/app:pull"]),
        ("registry:catalog:*", []),
        ("registry:other:*", []),
        ("artifact-repository:team/app:pull", []),
        ("repository(plugin):team/app:pull", []),
        ("repository:host:5000/team/app:pull", []),
    ],
)
def test_a_token_is_given_what_is_both_asked_for_and_allowed(asked: str, given: list[str]) -> None:
    assert [str(scope) for scope in granted(PULL_TEAM, parse_scopes([asked]))] == given


def test_all_that_is_asked_for_is_given_to_whom_all_is_allowed() -> None:
    asked = parse_scopes(["registry:catalog:* repository:*:*", "repository:a/b:pull,push"])
    assert [str(scope) for scope in granted(grants.ALL, asked)] == [
        "registry:catalog:*",
        "repository:*:delete,deleted_read,deleted_restore,metadata_read,metadata_write,pull,push",
        "repository:a/b:pull,push",
    ]


def test_who_asks_for_all_repositories_is_told_which_are_theirs_and_for_what() -> None:
    owned = Grants.of(
        [
            (RepositoryPattern("*"), [Action.PULL]),
            (RepositoryPattern("team/*"), [Action.PULL, Action.PUSH]),
            (RepositoryPattern("docs"), [Action.PULL]),
            (RepositoryPattern("app"), [Action.DELETE, Action.METADATA_READ]),
        ]
    )
    asked = parse_scopes(["repository:*:pull,push,delete"])
    assert [str(scope) for scope in granted(owned, asked)] == [
        "repository:*:pull",
        "repository:app:delete",
        "repository:team/*:pull,push",
    ]


def test_no_more_repositories_are_told_than_a_header_holds() -> None:
    owned = Grants.of([(RepositoryPattern(f"a/{n:03}"), [Action.PULL]) for n in range(500)])
    given = granted(owned, parse_scopes(["repository:*:pull"]))
    assert [scope.name for scope in given] == [f"a/{n:03}" for n in range(100)]


def test_the_deleted_repositories_are_listed_by_whoever_may_list_what_was_deleted_everywhere() -> (
    None
):
    pattern, team = grants.EVERYWHERE, RepositoryPattern("team/*")
    everywhere = Grants.of([(pattern, [Action.DELETED_READ])])
    some = Grants.of([(team, [Action.DELETED_READ])], catalog=True)
    for owned, may in ((everywhere, True), (some, False), (Grants(deleted_catalog=True), True)):
        assert is_allowed(Caller(SOMEBODY, owned), Action.DELETED_CATALOG, None) is may
        given = granted(owned, parse_scopes(["registry:deleted_catalog:*"]))
        assert [str(scope) for scope in given] == ["registry:deleted_catalog:*"] * may


names = st.sampled_from([RepositoryName(text) for text in ("a", "a/b", "a/b/c", "b", "ab")])
patterns = st.sampled_from([RepositoryPattern(text) for text in ("*", "a", "a/*", "a/b", "a/b/*")])
some_actions = st.frozensets(st.sampled_from(sorted(REPOSITORY_ACTIONS)))


@given(st.lists(st.tuples(patterns, some_actions), max_size=4), names, some_actions)
def test_a_token_never_allows_more_than_its_owner_may(
    pairs: list[tuple[RepositoryPattern, frozenset[Action]]],
    name: RepositoryName,
    asked: frozenset[Action],
) -> None:
    owned = Grants.of(pairs)
    scopes = granted(owned, [Scope("repository", str(name), tuple(asked) or ("x",))])
    given = {action for scope in scopes for action in scope.actions}
    assert given == asked & owned.on(name)
    assert given <= {str(action) for action in owned.on(name)}


@pytest.mark.rule("S12")
@given(st.lists(st.tuples(patterns, some_actions), max_size=4), names, some_actions)
def test_a_token_for_all_repositories_allows_on_each_what_its_owner_may(
    pairs: list[tuple[RepositoryPattern, frozenset[Action]]],
    name: RepositoryName,
    asked: frozenset[Action],
) -> None:
    owned = Grants.of(pairs)
    scopes = granted(owned, [Scope("repository", "*", tuple(asked) or ("x",))])
    given = Grants.of(
        (RepositoryPattern.parse(scope.name), [Action(each) for each in scope.actions])
        for scope in scopes
    )
    assert given.on(name) == asked & owned.on(name)


@pytest.mark.rule("S1")
@given(st.lists(st.tuples(patterns, some_actions), max_size=3), names)
def test_grants_add_up(
    pairs: list[tuple[RepositoryPattern, frozenset[Action]]], name: RepositoryName
) -> None:
    together = Grants.join(Grants.of([pair]) for pair in pairs)
    assert together.on(name) == Grants.of(pairs).on(name)
    for pattern, actions in pairs:
        if pattern.matches(name):
            assert actions <= together.on(name)


@pytest.mark.parametrize("role", roles.ROLES)
def test_a_role_lists_repositories_only_where_it_is_for_all(role: str) -> None:
    assert roles.role_grants(role, RepositoryPattern("*")).catalog
    assert not roles.role_grants(role, RepositoryPattern("team/*")).catalog
    assert roles.role_grants("Reader", RepositoryPattern("*")) == grants.NONE
