"""Times in which a registry's days are a minute, for the soak alone.

No setting of the registry goes so low, and none may: these are put in place of what the settings
and the code say, in a process of the tests. Each is still longer than what it has to outlast. A
request has 25 seconds, and a call that was given up arrives within two more.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from registry_core.lifecycle.collection.ages import Ages
from registry_core.registry import Registry
from registry_core.repositories import services
from registry_core.storage import sas

GRACE = timedelta(seconds=60)
"""Whoever was told that a blob is there relies on it for half of this at least."""
CHANGE = timedelta(seconds=40)
CACHE = timedelta(seconds=2)
ADDRESS = timedelta(seconds=20)
ADDRESS_KEPT = timedelta(seconds=5)
DOWNLOAD = timedelta(seconds=20)
HINT = timedelta(seconds=20)
"""Less than an object outlives its rows."""
UNTAGGED = timedelta(seconds=15)
"""After so long without a tag retention takes a manifest, if nobody has touched it for `GRACE`."""
EXPIRY = timedelta(seconds=60)
"""Of an upload."""

KEPT = timedelta(seconds=15)
"""After so long what was deleted softly cannot be restored any more."""
ENTERED = timedelta(seconds=20)
"""So long an instance counts on the entry of a repository in which something was deleted softly."""
ENTRY_AGE = ENTERED + CHANGE
"""How old such an entry is at least when it goes."""

AGES = Ages(link=GRACE, upload=EXPIRY + GRACE, doomed=CACHE + ADDRESS + DOWNLOAD, change=CHANGE)
"""What collection takes, by age."""
LONGEST = KEPT + AGES.link + AGES.doomed
"""From the deletion of an image to the moment at which its bytes may go."""


def shorten(registry: Registry) -> None:
    """Puts these times into an instance that has not opened its storage yet."""
    registry.settings = replace(
        registry.settings, gc_grace=GRACE, cache_ttl=CACHE, upload_expiry=EXPIRY
    )
    sas.LIFETIME, sas.KEPT = ADDRESS, ADDRESS_KEPT
    services._HINT_LIFE = HINT
    services.ENTERED_FOR = ENTERED  # type: ignore[attr-defined]
    # By which messages of deletions have things collected, in the servers.
    Ages.of = classmethod(lambda *_: AGES)  # type: ignore[method-assign,assignment]
