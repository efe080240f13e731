"""`slipway repository usage`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from slipway_cli.command import CommandError, Result, Row, Shaped
from slipway_cli.content import answers
from slipway_cli.content.session import Session, each, listed, path_of, reading, session
from slipway_cli.output.cells import Name, Size, Time
from slipway_cli.registry import references
from slipway_cli.registry.client import CATALOG, quoted
from slipway_cli.registry.server import Server

_PAGE = 100
"""How many repositories are asked for at once: the most that a registry tells of."""
_TRIES = 10
"""How often it is asked for what a request had no time to count; each time more is."""


async def show(arguments: argparse.Namespace) -> Result:
    """The usage of the repositories that are named, or of all."""
    server, names = references.repositories(arguments)
    if names:
        return await _of(arguments, server, names)
    async with session(arguments, server) as client:
        pages = client.pages(f"/acr/v1/_usage?n={_PAGE}", CATALOG, "repositories")
        found = await listed(client, pages, "repositories", _checked)
        return _shaped(await _completed(client, found))


async def _of(arguments: argparse.Namespace, server: Server, names: Sequence[str]) -> Result:
    async with session(arguments, server, names[0]) as client:

        async def get(name: str) -> dict[str, Any]:
            for _ in range(_TRIES):
                found = _checked(await client.get(path_of(name, "_usage"), reading(name)))
                if found.get("asOf"):
                    return found
            raise _too_slow(name)

        return await each(names, get, _shaped)


async def _completed(client: Session, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the figures of those that a request had no time to count; less those that have gone."""
    for _ in range(_TRIES):
        missing = _missing(found)
        if not missing:
            break
        query = "&".join(f"name={quoted(name)}" for name in missing[:_PAGE])
        document = await client.get(f"/acr/v1/_usage?{query}", CATALOG)
        told = answers.listed(document.get("repositories"), answers.USAGE)
        by_name = dict.fromkeys(missing[:_PAGE]) | {usage["imageName"]: usage for usage in told}
        replaced = (by_name.get(usage["imageName"], usage) for usage in found)
        found = [usage for usage in replaced if usage is not None]
    if missing := _missing(found):
        raise _too_slow(missing[0])
    return found


def _missing(found: Sequence[dict[str, Any]]) -> list[str]:
    return [usage["imageName"] for usage in found if not usage.get("asOf")]


def _too_slow(name: str) -> CommandError:
    return CommandError(f"{name}: the registry does not get to count it. Try again later")


def _checked(found: object) -> dict[str, Any]:
    return answers.checked(found, answers.USAGE)


def _shaped(found: Sequence[dict[str, Any]]) -> Shaped:
    now = datetime.now(UTC)
    return Shaped([_row(usage, now) for usage in found], found)


def _row(usage: dict[str, Any], now: datetime) -> Row:
    return {
        "name": Name(usage["imageName"]),
        "manifests": usage.get("manifestCount"),
        "tags": usage.get("tagCount"),
        "untagged": usage.get("untaggedCount"),
        "size": Size(usage.get("size")),
        "shared": Size(usage.get("sharedSize")),
        "restorable": Size(usage.get("restorableSize")),
        "updated": Time(usage["lastUpdateTime"], now),
        "counted": Time(usage.get("asOf") or "", now),
    }
