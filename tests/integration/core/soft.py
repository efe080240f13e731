"""Soft delete in tests: switched on for a while, and purges at another time than now."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from registry_core.lifecycle.soft_delete import Purge, Report
from registry_core.model.clock import HybridClock
from registry_core.repositories import rows as repository_rows
from registry_core.repositories.executor import Executor
from registry_core.repositories.messages import QUEUE, Messages
from registry_core.repositories.soft_delete import Policy
from tests.integration.core.support import Client


async def set_policy(client: Client, *, is_on: bool, days: int = 7) -> None:
    """Sets the policy of all tests that share the storage; this instance sees it at once."""
    soft_delete = client.services.soft_delete
    _, version = await soft_delete.policy()
    await soft_delete.set(Policy(is_on, days, datetime.now(UTC)), version)
    soft_delete._policies.discard("policy")


@contextlib.asynccontextmanager
async def keeping(client: Client) -> AsyncIterator[None]:
    """Soft delete is on meanwhile."""
    await set_policy(client, is_on=True)
    try:
        yield
    finally:
        await set_policy(client, is_on=False)


def purge_after(client: Client, days: int) -> tuple[Purge, datetime]:
    """A purge that is made so many days from now, and that time."""
    later = datetime.now(UTC) + timedelta(days=days)
    services = client.services
    table = services.connection.table(repository_rows.TABLE)
    executor = Executor(table, HybridClock("local"), lambda: later)
    messages = Messages(services.connection.queue(QUEUE), services.settings.gc_grace)
    return Purge(executor, services.soft_delete, messages, lambda: later), later


async def purge(client: Client, days: int = 8) -> Report:
    """Purges everything as it is done so many days from now.

    By then the instance has forgotten what it remembers for minutes: where something was deleted.
    """
    made, later = purge_after(client, days)
    report = await made.run(later)
    entered = client.services.soft_delete._entered
    for repository in list(entered._entries):
        entered.discard(repository)
    return report
