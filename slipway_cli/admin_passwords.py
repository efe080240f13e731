"""`slipway admin-password`: passwords of the admin account."""

from __future__ import annotations

import argparse

from registry_core.model.passwords import random_password
from slipway_cli.command import Row, add, say


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    generate = add(
        verbs,
        "generate",
        _generate,
        "Print a new password and the commands that set it. It changes nothing.",
        "admin-password generate --name password2",
    )
    generate.add_argument("--name", choices=("password", "password2"), default="password")


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
    return {"name": name, "value": random_password()}
