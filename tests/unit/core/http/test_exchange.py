from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.auth.identity import Caller, Identity, IdentityKind
from registry_core.errors import RequestInvalid
from registry_core.http.exchange import Exchange, Query
from registry_core.model.actions import Action
from registry_core.model.grants import Grants
from registry_core.model.names import RepositoryName, RepositoryPattern

NAME = RepositoryName("team/app")


def exchange(name: RepositoryName | None) -> Exchange:
    nothing: Any = None
    identity = Identity(IdentityKind.TOKEN, "somebody")
    pattern = RepositoryPattern("team/*")
    grants = Grants.of([(pattern, [Action.PULL])])
    could = Grants.of([(pattern, [Action.PULL, Action.PUSH])])
    caller = Caller(identity, grants, could=could)
    return Exchange(nothing, nothing, caller, Query(""), {}, name)


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        ("", []),
        ("tag", [""]),
        ("tag=", [""]),
        ("tag=a", ["a"]),
        ("tag=a&tag=b&tag=a", ["a", "b", "a"]),
        ("tag=a,b", ["a,b"]),
        ("x=1&tag=a&&y", ["a"]),
        ("tag=a%26tag%3Db", ["a&tag=b"]),
        ("tag=a%2Fb%3Ac", ["a/b:c"]),
        ("tag=a+b", ["a+b"]),
        ("tag=a%2Bb", ["a+b"]),
        ("tag=a%20b", ["a b"]),
        ("tag=%FF", ["\ufffd"]),
        ("tag=%zz", ["%zz"]),
        ("tag=a;tag=b", ["a;tag=b"]),
        ("Tag=a", []),
    ],
)
def test_every_value_of_a_repeated_parameter_is_kept_in_order(raw: str, values: list[str]) -> None:
    query = Query(raw)
    assert query.all("tag") == values
    assert query.get("tag") == (values[0] if values else None)


def test_only_in_a_form_is_a_plus_a_space() -> None:
    query = Query.of_form("scope=repository:a:pull+repository:b:pull&x=a%2Bb")
    assert query.get("scope") == "repository:a:pull repository:b:pull"
    assert query.get("x") == "a+b"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=10)), max_size=8))
def test_a_query_says_what_was_encoded_into_it(pairs: list[tuple[str, str]]) -> None:
    for query in (Query.of_form(urlencode(pairs)), Query(urlencode(pairs, quote_via=quote))):
        for name in "ab":
            assert query.all(name) == [value for key, value in pairs if key == name]


def test_a_thousand_parameters_are_all_there() -> None:
    assert len(Query("&".join(f"tag={n}" for n in range(1000))).all("tag")) == 1000


@pytest.mark.parametrize("raw", ["&".join(["tag=a"] * 2001), "&" * 1_000_000])
def test_a_query_of_endless_parameters_is_the_clients_fault(raw: str) -> None:
    with pytest.raises(RequestInvalid):
        Query(raw)


def test_a_route_without_a_name_has_no_repository() -> None:
    assert exchange(NAME).repository == NAME
    with pytest.raises(LookupError):
        _ = exchange(None).repository


@pytest.mark.parametrize("action", Action)
def test_what_the_sender_may_do_is_the_policys_to_say(action: Action) -> None:
    assert exchange(NAME).may(action, NAME) is (action in (Action.PULL, Action.SIGN_IN))
    assert exchange(NAME).could(action, NAME) is (action in (Action.PULL, Action.PUSH))
    assert not exchange(NAME).could(action, RepositoryName("other"))
