"""What `slipway token` takes."""

from __future__ import annotations

import argparse
from typing import Any

from slipway_cli.arguments import scope_maps
from slipway_cli.command import add, add_expiry, later

PASSWORD_NAMES = ("password1", "password2")


def register(noun: argparse.ArgumentParser) -> None:
    """Adds the commands."""
    verbs = noun.add_subparsers(required=True, metavar="COMMAND")
    create = add(
        verbs,
        "create",
        later("tokens", "create"),
        "Make a token with two passwords, which are shown only once.",
        "token create --name ci-web --repository team/web content/read content/write",
    )
    create.add_argument("--name", "-n", required=True, help=scope_maps.NAME_HELP)
    allowed = create.add_mutually_exclusive_group(required=True)
    allowed.add_argument(
        "--scope-map", metavar="NAME", help="an existing scope map, or one of the system"
    )
    scope_maps.add_repositories(allowed, "--repository")
    create.add_argument("--status", choices=("enabled", "disabled"), default="enabled")
    create.add_argument("--no-passwords", action="store_true", help="make no passwords yet")
    add_expiry(create, "never")
    add(
        verbs,
        "list",
        later("tokens", "list_all"),
        "List the tokens. Passwords are never shown.",
        "token list -o json",
    )
    show = add(verbs, "show", later("tokens", "show"), "Show a token.", "token show --name ci-web")
    show.add_argument("--name", "-n", required=True)
    update = add(
        verbs,
        "update",
        later("tokens", "update"),
        "Enable or disable a token, or change its scope map. It takes effect within a minute.",
        "token update --name ci-web --status disabled",
    )
    update.add_argument("--name", "-n", required=True)
    update.add_argument("--status", choices=("enabled", "disabled"))
    update.add_argument("--scope-map", metavar="NAME")
    delete = add(
        verbs,
        "delete",
        later("tokens", "delete"),
        "Delete a token.",
        "token delete --name ci-web --yes",
    )
    delete.add_argument("--name", "-n", required=True)
    delete.add_argument("--yes", "-y", action="store_true", help="do not ask for confirmation")
    _register_passwords(verbs)


def _register_passwords(verbs: Any) -> None:
    renew = add(
        verbs,
        "renew",
        later("tokens", "generate"),
        "Make new passwords, which are shown only once. The old ones stop within a minute.",
        "token renew --name ci-web --password2 --expiration-in-days 90",
    )
    credential = verbs.add_parser("credential", help="a token's passwords")
    inner = credential.add_subparsers(required=True, metavar="COMMAND")
    generate = add(
        inner,
        "generate",
        later("tokens", "generate"),
        "Make new passwords, which are shown only once. The old ones stop within a minute.",
        "token credential generate --name ci-web --password1",
    )
    remove = add(
        inner,
        "delete",
        later("tokens", "remove"),
        "Delete passwords.",
        "token credential delete --name ci-web --password2",
    )
    for parser in (renew, generate, remove):
        parser.add_argument("--name", "-n", required=True)
        for name in PASSWORD_NAMES:
            parser.add_argument(f"--{name}", action="store_true", help="only this password")
    for parser in (renew, generate):
        add_expiry(parser, "as the old one")
