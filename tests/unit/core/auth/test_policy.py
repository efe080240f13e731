from types import SimpleNamespace
from typing import Any

import pytest

from registry_core.auth.identity import Identity, IdentityKind
from registry_core.auth.policy import Action, decide
from registry_core.model.names import RepositoryName

REPOSITORIES = [None, RepositoryName("team/app")]


@pytest.mark.parametrize("repository", REPOSITORIES)
@pytest.mark.parametrize("action", Action)
def test_the_admin_account_may_do_everything(
    action: Action, repository: RepositoryName | None
) -> None:
    decision = decide(Identity(IdentityKind.ADMIN, "admin"), action, repository)
    assert decision.allowed
    assert decision.reason


@pytest.mark.parametrize("repository", REPOSITORIES)
@pytest.mark.parametrize("action", Action)
def test_a_kind_of_identity_that_no_rule_names_may_do_nothing(
    action: Action, repository: RepositoryName | None
) -> None:
    stranger: Any = SimpleNamespace(kind="stranger", name="somebody")
    decision = decide(stranger, action, repository)
    assert not decision.allowed
    assert "somebody" in decision.reason
