from datetime import UTC, datetime

import pytest

from registry_core.access.role_assignments import RoleAssignment
from registry_core.model.names import RepositoryPattern
from registry_core.storage.tables import Row

NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PRINCIPAL = "0f0e0d0c-0000-0000-0000-000000000000"


@pytest.mark.parametrize("pattern", ["*", "team/*", "team/app"])
def test_an_assignment_comes_back_from_its_row_as_it_was(pattern: str) -> None:
    given = RoleAssignment(
        PRINCIPAL, "AcrPull", RepositoryPattern(pattern), description="for builds"
    )
    row = Row("roles", given.key, given.columns(NOW), "version", NOW)
    found = RoleAssignment.from_row(row)
    assert found == given
    assert (found.created, found.description, found.key) == (NOW, "for builds", given.key)


def test_a_row_is_one_principal_one_role_and_one_pattern() -> None:
    keys = {
        RoleAssignment(principal, role, RepositoryPattern(pattern)).key
        for principal in (PRINCIPAL, PRINCIPAL.replace("c", "d"))
        for role in ("AcrPull", "AcrPush")
        for pattern in ("*", "team/*", "team/app")
    }
    assert len(keys) == 12
    assert not [key for key in keys if set(key) & set("/\\#?")]
