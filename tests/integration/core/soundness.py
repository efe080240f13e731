"""Whether what storage holds is in order, by the registry's own check of everything."""

from __future__ import annotations

from registry_core.lifecycle.collection.stores import Stores
from registry_core.lifecycle.fsck.checker import Checker
from registry_core.lifecycle.fsck.report import Fault
from registry_core.storage.connection import Connection


async def at_once() -> None:
    """No request is under way whose end would have to be waited for."""


async def broken_in(connection: Connection) -> list[str]:
    """What is broken of all that an account holds; garbage is not. Nothing may be under way."""
    found = list[Fault]()
    report = await Checker(Stores.over(connection), found.append, wait=at_once).run()
    assert (report.failed, report.unsettled) == (0, 0)
    return [f"{each.invariant}: {each.partition}: {each.key}: {each.text}" for each in found]
