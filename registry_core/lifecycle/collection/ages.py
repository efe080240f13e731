"""How old something must be before it may go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from registry_core.repositories.executor import CHANGE_DEADLINE
from registry_core.settings import MIN_GRACE, Settings
from registry_core.storage import sas

TOMBSTONE = 3 * CHANGE_DEADLINE
"""No change can be under way any more that began before something was written so long ago."""
DOWNLOAD = timedelta(hours=24)
"""The longest that a download takes which began with the last address that was signed."""


@dataclass(frozen=True)
class Ages:
    """The least ages, by the times that storage gives to rows and objects."""

    link: timedelta
    """Of a link that no manifest needs: the grace period, in which a push relies on a blob."""
    upload: timedelta
    """Of an object that no row names, since its last change."""
    doomed: timedelta
    """Of a row `x:`: whoever was told of the object before has it by then."""
    change: timedelta = TOMBSTONE
    """Of what a change that is under way may count on."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of a registry. However short the settings are: the grace period is an hour."""
        grace = max(settings.gc_grace, MIN_GRACE)
        return cls(
            link=grace,
            upload=settings.upload_expiry + grace,
            doomed=settings.cache_ttl + sas.LIFETIME + DOWNLOAD,
        )


def is_old(changed: datetime, age: timedelta, as_of: datetime) -> bool:
    """Whether what was changed then is so old."""
    return changed + age <= as_of
