"""`slipway soft-delete`: the policy, and the purge."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from registry_core.lifecycle.soft_delete import Purge
from registry_core.repositories.soft_delete import MAX_DAYS, MIN_DAYS, Policy, SoftDelete
from registry_core.settings import Settings
from registry_core.storage.budget import Budget, budgeted
from registry_core.storage.faults import ConditionFailed, RowExists
from slipway_cli.command import CommandError, PartlyDone, Result, Shaped, UsageError, say, written
from slipway_cli.output.cells import count, some
from slipway_cli.stores import PATIENCE_SECONDS, confirm, connection


@asynccontextmanager
async def _opened() -> AsyncIterator[SoftDelete]:
    async with connection() as opened:
        yield SoftDelete.over(opened)


async def show(_: argparse.Namespace) -> Result:
    """The policy as it is now."""
    async with _opened() as soft_delete:
        policy, _version = await soft_delete.policy()
        return _shaped(policy)


async def enable(arguments: argparse.Namespace) -> Result:
    """Switches soft delete on, or changes its days."""
    days = arguments.days
    if days is not None and not MIN_DAYS <= days <= MAX_DAYS:
        raise UsageError(f"--days: use {MIN_DAYS} to {MAX_DAYS}")
    async with _opened() as soft_delete:
        policy, version = await soft_delete.policy()
        wanted = replace(policy, is_on=True, days=days or policy.days)
        if wanted.days < policy.days and policy.updated:
            confirm(
                arguments,
                f"Keep what is deleted for {count(wanted.days, 'day')} instead of {policy.days}? "
                "What was deleted before that goes the next night.",
            )
        return await _set(soft_delete, wanted, version)


async def disable(_: argparse.Namespace) -> Result:
    """Switches soft delete off. What can be restored still can, until its days are over."""
    async with _opened() as soft_delete:
        policy, version = await soft_delete.policy()
        return await _set(soft_delete, replace(policy, is_on=False), version)


async def _set(soft_delete: SoftDelete, policy: Policy, version: str) -> Result:
    policy = replace(policy, updated=datetime.now(UTC))
    try:
        await soft_delete.set(policy, version)
    except (ConditionFailed, RowExists) as fault:
        raise CommandError("somebody else has set it at the same time: look, and repeat") from fault
    return _shaped(policy)


def _shaped(policy: Policy) -> Shaped:
    status = "enabled" if policy.is_on else "disabled"
    updated = written(policy.updated) if policy.updated else None
    return Shaped(
        {"status": status, "days": policy.days, "updated": updated or ""},
        {"status": status, "retentionDays": policy.days, "lastUpdatedTime": updated},
    )


async def purge(arguments: argparse.Namespace) -> Result:
    """Deletes for good what is due, and answers how much that was."""
    async with connection() as opened:
        made = Purge.of(opened, Settings.from_environment())
        # Each change has a bound on attempts of its own; together there is none.
        with budgeted(Budget(PATIENCE_SECONDS, attempts=sys.maxsize)):
            report = await made.run(datetime.now(UTC), dry_run=arguments.dry_run)
    if report.locked:
        say(
            f"Locked, so that nothing went: {some(report.locked)}. What is due there goes once the "
            "repository is unlocked."
        )
    result = Shaped(
        {"manifests": report.manifests, "tags": report.tags},
        {
            "dryRun": arguments.dry_run,
            "manifests": report.manifests,
            "tags": report.tags,
            "locked": report.locked,
            "failed": report.failed,
        },
    )
    if report.failed:
        raise PartlyDone(
            f"storage, or others who kept changing it, did not let "
            f"{count(report.failed, 'repository', 'repositories')} be purged. Run it again",
            result,
        )
    return result
