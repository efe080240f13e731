"""`slipway key`: the keys that sign tokens."""

from __future__ import annotations

import argparse
from datetime import timedelta

from registry_core.access.signing_keys import MAX_AGE, SigningKeys
from slipway_cli.command import Row, add, say, written
from slipway_cli.stores import connection


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    rotate = add(
        verbs,
        "rotate",
        _rotate,
        "Add a signing key if the newest is older than 30 days. It is used after one hour.",
        "key rotate --force",
    )
    rotate.add_argument(
        "--force", action="store_true", help="add one even if the newest is not that old"
    )
    add(
        verbs, "list", _list, "List the signing keys. The private keys are never shown.", "key list"
    )


async def _rotate(arguments: argparse.Namespace) -> list[Row]:
    async with connection(arguments.registry) as opened:
        keys = SigningKeys(opened)
        if not await keys.rotate(max_age=timedelta(0) if arguments.force else MAX_AGE):
            say("Nothing was added: the newest key is not 30 days old. To add one, use --force.")
        return await _rows(keys)


async def _list(arguments: argparse.Namespace) -> list[Row]:
    async with connection(arguments.registry) as opened:
        return await _rows(SigningKeys(opened))


async def _rows(keys: SigningKeys) -> list[Row]:
    return [
        {"kid": key.kid, "created": written(key.created), "signsFrom": written(key.signs_from)}
        for key in await keys.list()
    ]
