"""Retention in which nothing has to wait: what is there at a moment is old, what follows is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from registry_core.lifecycle.retention.policy import Rule
from registry_core.lifecycle.retention.report import Visit
from registry_core.lifecycle.retention.retention import How, Retention
from registry_core.lifecycle.retention.survey import Surveys
from registry_core.model.glob import Glob
from registry_core.model.names import RepositoryName
from registry_core.repositories import catalog as catalog_rows
from registry_core.repositories import rows
from registry_core.repositories.untag_many import BulkUntaggings
from tests.integration.core.collection.support import moment
from tests.integration.core.support import Client

AT_ONCE = Rule("at-once", (Glob("**"),), untagged=timedelta(0), every_repository=True, brake=100)
"""Untagged manifests go, however young: for a visit to which all that is there is old."""


def retention_of(client: Client, grace: timedelta = timedelta(0)) -> Retention:
    """Retention by the services of an instance, with a grace period that no setting allows."""
    services = client.services
    connection = services.connection
    return Retention(
        Surveys(connection.table(rows.TABLE), services.manifests),
        connection.table(catalog_rows.TABLE),
        services.bulk_deletions,
        BulkUntaggings(services.bulk_deletions._executor, services.soft_delete),
        grace,
        "local",
    )


@dataclass
class Retaining:
    """Retains in one repository for a client."""

    client: Client
    repository: str
    rules: Sequence[Rule] = field(default_factory=lambda: [AT_ONCE])

    async def visit(
        self,
        as_of: datetime | None = None,
        *,
        dry_run: bool = False,
        force: bool = False,
        grace: timedelta = timedelta(0),
    ) -> Visit:
        how = How(as_of or await moment(self.client), dry_run, force)
        name = RepositoryName(self.repository)
        return await retention_of(self.client, grace).visit(name, self.rules, how)

    async def gone(self, as_of: datetime | None = None) -> set[str]:
        """What went: tags and digests."""
        return {str(each.what) for each in (await self.visit(as_of)).gone}
