"""`slipway key` and `slipway admin-password`: keys of tokens, passwords of the admin."""

from __future__ import annotations

import argparse
import secrets
from datetime import timedelta
from typing import Any

from registry_core.access.signing_keys import MAX_AGE, SigningKeys
from slipway_cli.command import Row, add, connection, say, written


def register(nouns: Any) -> None:
    """Adds the nouns and their commands."""
    noun = nouns.add_parser("key", help="the keys that sign tokens")
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

    noun = nouns.add_parser("admin-password", help="passwords of the admin account")
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    generate = add(
        verbs,
        "generate",
        _generate,
        "Print a new password and the commands that set it. It changes nothing.",
        "admin-password generate --name password2",
    )
    generate.add_argument("--name", choices=("password", "password2"), default="password")


async def _rotate(arguments: argparse.Namespace) -> list[Row]:
    async with connection() as opened:
        keys = SigningKeys(opened)
        if not await keys.rotate(max_age=timedelta(0) if arguments.force else MAX_AGE):
            say("Nothing was added: the newest key is not 30 days old. To add one, use --force.")
        return await _rows(keys)


async def _list(_: argparse.Namespace) -> list[Row]:
    async with connection() as opened:
        return await _rows(SigningKeys(opened))


async def _rows(keys: SigningKeys) -> list[Row]:
    return [
        {"kid": key.kid, "created": written(key.created), "signsFrom": written(key.signs_from)}
        for key in await keys.list()
    ]


async def _generate(arguments: argparse.Namespace) -> Row:
    setting = {"password": "REGISTRY_ADMIN_PASSWORD", "password2": "REGISTRY_ADMIN_PASSWORD2"}
    name = setting[arguments.name]
    say("This password is shown only once. Put it into the variable PASSWORD. To set it, run this")
    say("and deploy again; the templates put it into Key Vault (docs/deploy.md):")
    say(f'  export REGISTRY_ADMIN_USER_ENABLED=true {name}="$PASSWORD"')
    say("If the app was not deployed with the templates, run this instead:")
    say(
        "  az functionapp config appsettings set --name <app> --resource-group <group> --settings "
        f'REGISTRY_ADMIN_USER_ENABLED=on REGISTRY_ADMIN_USERNAME=admin "{name}=$PASSWORD"'
    )
    return {"name": name, "value": secrets.token_urlsafe(32)}
