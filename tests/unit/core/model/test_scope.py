import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import ScopeInvalid
from registry_core.model.actions import REPOSITORY_ACTIONS, Action
from registry_core.model.names import RepositoryName
from registry_core.model.scope import MAX_SCOPES, Scope, parse_scopes


@pytest.mark.parametrize(
    ("text", "kind", "name", "actions"),
    [
        ("repository:team/app:pull", "repository", "team/app", ("pull",)),
        ("repository:team/app:pull,push", "repository", "team/app", ("pull", "push")),
        ("repository:team/app:pull,pull", "repository", "team/app", ("pull",)),
        ("repository:host:5000/app:*", "repository", "host:5000/app", ("*",)),
        ("registry:catalog:*", "registry", "catalog", ("*",)),
        ("repository(plugin):a:pull", "repository(plugin)", "a", ("pull",)),
        ("artifact-repository:repo:pull", "artifact-repository", "repo", ("pull",)),
    ],
)
def test_a_scope_is_split_at_its_first_and_last_colon(
    text: str, kind: str, name: str, actions: tuple[str, ...]
) -> None:
    assert Scope.parse(text) == Scope(kind, name, actions)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "::",
        "a",
        "a:b",
        "a::c",
        ":b:c",
        "A:b:c",
        "a:b:",
        "a:b:C",
        "a:b:c,",
        "a:b:,c",
        "a:b:**",
    ],
)
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(ScopeInvalid):
        Scope.parse(text)


def test_an_asterisk_is_every_action_and_unknown_ones_are_none() -> None:
    assert Scope.parse("repository:a:*").wanted == REPOSITORY_ACTIONS
    assert Scope.parse("repository:a:pull,fly").wanted == {Action.PULL}
    assert Scope.parse("registry:catalog:*").wanted == {Action.CATALOG}
    assert Scope.parse("registry:catalog:pull").wanted == set()
    assert Scope.parse("repository:a:catalog,sign_in").wanted == set()


def test_only_a_repositorys_scope_names_one() -> None:
    assert Scope.parse("repository:a/b:pull").repository == RepositoryName("a/b")
    for text in ("registry:catalog:*", "repository:A:pull", "repository:*:pull"):
        assert Scope.parse(text).repository is None


def test_scopes_come_repeated_separated_by_spaces_or_both_and_count_once() -> None:
    texts = ["repository:a:pull repository:b:push", " repository:a:pull ", ""]
    assert [str(scope) for scope in parse_scopes(texts)] == [
        "repository:a:pull",
        "repository:b:push",
    ]


def test_more_scopes_than_there_may_be_are_refused_before_they_are_parsed() -> None:
    good = [f"repository:a{n}:pull" for n in range(MAX_SCOPES)]
    assert len(parse_scopes(good)) == MAX_SCOPES
    for texts in (["x"] * (MAX_SCOPES + 1), [" ".join(["x"] * 1000)], ["a" * 100_000]):
        with pytest.raises(ScopeInvalid):
            parse_scopes(texts)


@given(st.text(max_size=60))
def test_an_arbitrary_text_is_a_scope_or_refused(text: str) -> None:
    try:
        scope = Scope.parse(text)
    except ScopeInvalid:
        return
    assert Scope.parse(str(scope)) == scope
    assert scope.wanted <= {*REPOSITORY_ACTIONS, Action.CATALOG}
