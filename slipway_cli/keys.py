"""`slipway key`: the keys that sign tokens."""

from __future__ import annotations

import argparse
from datetime import timedelta

from registry_core.access.signing_keys import MAX_AGE, SigningKeys
from slipway_cli.command import Row, say, written
from slipway_cli.stores import connection


async def rotate(arguments: argparse.Namespace) -> list[Row]:
    """Adds a key where it is time, or where that is forced."""
    async with connection(arguments.registry) as opened:
        keys = SigningKeys(opened)
        if not await keys.rotate(max_age=timedelta(0) if arguments.force else MAX_AGE):
            say("Nothing was added: the newest key is not 30 days old. To add one, use --force.")
        return await _rows(keys)


async def list_all(arguments: argparse.Namespace) -> list[Row]:
    """Every key."""
    async with connection(arguments.registry) as opened:
        return await _rows(SigningKeys(opened))


async def _rows(keys: SigningKeys) -> list[Row]:
    return [
        {"kid": key.kid, "created": written(key.created), "signsFrom": written(key.signs_from)}
        for key in await keys.list()
    ]
