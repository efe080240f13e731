"""Retention each night, and what is logged of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from registry_core.lifecycle.retention.policies import Policies
from registry_core.lifecycle.retention.policy import PolicyError
from registry_core.lifecycle.retention.report import Run
from registry_core.lifecycle.retention.retention import How, Retention
from registry_core.settings import Settings
from registry_core.storage.connection import Connection

NIGHTS = 7
"""Each night begins a seventh of the repositories further on, in case there is no time for all."""
SECONDS = 480.0
"""For so long a night goes on: a function may run ten minutes."""
_LOGGER = logging.getLogger("slipway.retention")


class Night:
    """What is done in one night, by any instance, and by two at once."""

    def __init__(
        self,
        policies: Policies,
        retention: Retention,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._policies = policies
        self._retention = retention
        self._now = now

    @classmethod
    def of(cls, connection: Connection, settings: Settings) -> Self:
        """That of the registry which a connection leads to."""
        return cls(Policies(connection), Retention.of(connection, settings))

    async def retain(self) -> Run | None:
        """Deletes by the policy, and logs what went and what stayed; None without a policy.

        A repository that the brake stops, and a policy that cannot be read, is a warning.
        """
        begun = self._now()
        try:
            policy, _ = await self._policies.read()
        except PolicyError as error:
            _LOGGER.warning(json.dumps({"Category": "Retention", "Policy": str(error)}))
            return None
        if not policy.rules:
            return None
        share = begun.toordinal() % NIGHTS, NIGHTS
        run = await self._retention.run(policy, How(begun), share=share, seconds=SECONDS)
        for name, stopped in run.stopped.items():
            _LOGGER.warning(
                json.dumps({"Category": "Retention", "Repository": name.text, "Stopped": stopped})
            )
        line = {
            "Category": "Retention",
            "Repositories": run.visits,
            "Manifests": dict(run.manifests),
            "Tags": dict(run.tags),
            "Kept": {str(reason): count for reason, count in run.kept.items()},
            "Stopped": len(run.stopped),
            "Failed": run.failed,
            "IsComplete": not run.left,
        }
        _LOGGER.log(logging.WARNING if run.failed else logging.INFO, json.dumps(line))
        return run
