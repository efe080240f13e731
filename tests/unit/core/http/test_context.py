from typing import Any

import pytest

from registry_core.auth.identity import Caller, Identity, IdentityKind
from registry_core.http.context import Context
from registry_core.http.journal import Journal
from registry_core.http.query import Query
from registry_core.model.actions import Action
from registry_core.model.change import Event, Operation, Origin
from registry_core.model.grants import Grants
from registry_core.model.names import RepositoryName, RepositoryPattern

NAME = RepositoryName("team/app")


def context(name: RepositoryName | None) -> Context:
    nothing: Any = None
    identity = Identity(IdentityKind.TOKEN, "somebody")
    pattern = RepositoryPattern("team/*")
    grants = Grants.of([(pattern, [Action.PULL])])
    could = Grants.of([(pattern, [Action.PULL, Action.PUSH])])
    caller = Caller(identity, grants, could=could)
    origin, scope = Origin("somebody", "request-1"), (Action.PULL,)
    query, journal = Query(""), Journal()
    return Context(nothing, nothing, nothing, caller, query, {}, name, scope, origin, journal)


def test_a_route_without_a_name_has_no_repository() -> None:
    assert context(NAME).repository == NAME
    with pytest.raises(LookupError):
        _ = context(None).repository


def test_a_route_that_needs_no_storage_has_no_services() -> None:
    with pytest.raises(LookupError):
        _ = context(None).services


@pytest.mark.parametrize("action", Action)
def test_what_the_sender_may_do_is_the_policys_to_say(action: Action) -> None:
    assert context(NAME).may(action, NAME) is (action in (Action.PULL, Action.SIGN_IN))
    assert context(NAME).could(action, NAME) is (action in (Action.PULL, Action.PUSH))
    assert not context(NAME).could(action, RepositoryName("other"))


def test_what_changes_tell_is_kept_in_order_for_the_audit_log() -> None:
    first, second, third = (
        Event(operation, str(NAME), Origin())
        for operation in (Operation.UNTAG, Operation.DELETE, Operation.PUSH)
    )
    of_request = context(NAME)
    of_request.record([first, second])
    of_request.record([third])
    assert of_request.journal.events == [first, second, third]
